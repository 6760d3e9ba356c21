"""What nodes answered, for people and for programs."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
import msgspec

from pykubeproxy.cli.kubectl_nodes import Answers, NodeOutput
from pykubeproxy.cli.status_output import sign
from pykubeproxy.explain.node_answer_words import drift_text, no_answer_text, nodes_text
from pykubeproxy.explain.node_answers import Concern, NoAnswer, NodeStatus, SyncState
from pykubeproxy.explain.status.observations import Level
from pykubeproxy.model.printable import printable

VERSION = 1

_TITLES = ("NODE", "IN SYNC", "DRIFT", "PROXY", "BACKEND")
_WORST_FIRST: Mapping[str, int] = {Level.BAD: 0, Level.UNKNOWN: 1, Level.NOTE: 2}
_MOST_CONCERNS = 20

Statuses = Mapping[str, NodeStatus | NoAnswer]


def status_lines(statuses: Statuses) -> Iterator[str]:
    """A line that sums it up, a table of all nodes, and what they say is not well, the worst first."""
    yield click.style(_sum(statuses), bold=True)
    rows = {node: _cells(node, its) for node, its in statuses.items()}
    answered = [cells for cells in (_TITLES, *rows.values()) if len(cells) == len(_TITLES)]
    widths = [max(map(len, column)) for column in zip(*answered, strict=True)]
    widths[0] = max(widths[0], *map(len, rows))
    yield f"  {_row(_TITLES, widths)}"
    for node, cells in rows.items():
        level = _level(statuses[node])
        yield f"{sign(level)} {_row(cells, widths)}"
    yield from _concern_lines(statuses)


def group_lines(answers: Answers) -> Iterator[str]:
    """What a command printed on the nodes; what it printed alike on several ones stands there once."""
    groups: defaultdict[tuple[bytes, str], list[str]] = defaultdict(list)
    for node, answer in answers.items():
        if not isinstance(answer, NoAnswer):
            groups[answer.stdout, answer.stderr].append(node)
    for number, ((stdout, stderr), nodes) in enumerate(groups.items()):
        if number:
            yield ""
        yield click.style(", ".join(map(printable, nodes)), bold=True)
        yield from printed_lines(stderr)
        yield from printed_lines(stdout.decode(errors="replace"))


def printed_lines(text: str) -> Iterator[str]:
    """The lines of what a node printed, fit for a terminal."""
    return map(printable, text.splitlines())


def silent_lines(answers: Answers) -> Iterator[str]:
    """A line for each node that gave no answer."""
    for node, answer in answers.items():
        if isinstance(answer, NoAnswer):
            yield f"{printable(node)}: no answer: {no_answer_text(answer)}"


def note_lines(answers: Answers) -> Iterator[str]:
    """What nodes printed on stderr beside their documents, each note once, with the nodes that printed it."""
    nodes: defaultdict[str, list[str]] = defaultdict(list)
    for node, answer in answers.items():
        for line in printed_lines(answer.stderr) if isinstance(answer, NodeOutput) else ():
            if line.startswith("note: "):
                nodes[line].append(node)
    for line, its in nodes.items():
        yield f"{printable(nodes_text(its, len(answers)))}: {line}"


def answered_text(answers: Answers) -> str:
    """`4 nodes: 3 answered`."""
    answered = sum(isinstance(answer, NodeOutput) for answer in answers.values())
    return f"{len(answers):,} {'node' if len(answers) == 1 else 'nodes'}: {answered:,} answered"


def top_json(answers: Answers, total: str | None, exit_status: int) -> str:
    """For programs: the documents of `top`, and their sum in the same form, `total`; None if no node answered."""
    more = {"sum": None if total is None else msgspec.Raw(total.encode())}
    return _json(exit_status, {node: {} for node in answers}, answers, more)


def as_json(answers: Answers, exit_status: int) -> str:
    """For programs: of each node the document that its command printed, or why there is none."""
    return _json(exit_status, {node: {} for node in answers}, answers)


def status_json(answers: Answers, statuses: Statuses, exit_status: int) -> str:
    """For programs: the documents of `status`, and with each what the table says of each node."""
    more = {node: {"status": its if isinstance(its, NodeStatus) else None} for node, its in statuses.items()}
    return _json(exit_status, more, answers)


def _json(
    exit_status: int, fields: Mapping[str, Mapping[str, Any]], answers: Answers, more: Mapping[str, Any] | None = None
) -> str:
    nodes = [{"node": node, **fields[node], **_answer_fields(answer)} for node, answer in answers.items()]
    document = {"version": VERSION, "exitStatus": exit_status, **(more or {}), "nodes": nodes}
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def _answer_fields(answer: NodeOutput | NoAnswer) -> dict[str, Any]:
    if isinstance(answer, NodeOutput):
        return {"pod": answer.pod, "document": msgspec.Raw(answer.stdout.strip()), "noAnswer": None}
    reason = {**msgspec.to_builtins(answer), "says": no_answer_text(answer)}
    return {"pod": getattr(answer, "pod", None), "document": None, "noAnswer": reason}


def _sum(statuses: Statuses) -> str:
    """`4 nodes: 3 answered, 2 in sync, 1 with something wrong`."""
    answered = [its for its in statuses.values() if isinstance(its, NodeStatus)]
    in_sync = sum(its.in_sync is SyncState.YES for its in answered)
    wrong = sum(_level(its) is Level.BAD for its in answered)
    nodes = f"{len(statuses):,} {'node' if len(statuses) == 1 else 'nodes'}"
    parts = (
        f"{len(answered):,} answered",
        f"{in_sync:,} in sync",
        *([f"{wrong:,} with something wrong"] * bool(wrong)),
    )
    return f"{nodes}: {', '.join(parts)}"


def _level(status: NodeStatus | NoAnswer) -> Level:
    if isinstance(status, NoAnswer) or status.exit_status not in (0, 1):
        return Level.UNKNOWN
    return Level.BAD if status.exit_status or status.in_sync is SyncState.NO else Level.OK


def _cells(node: str, status: NodeStatus | NoAnswer) -> tuple[str, ...]:
    if isinstance(status, NoAnswer):
        return node, f"no answer: {no_answer_text(status)}"
    cells = (
        node,
        status.in_sync.value,
        drift_text(status.drift),
        status.program or "-",
        "+".join(status.backends) or "-",
    )
    return tuple(map(printable, cells))


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=False)).rstrip()


def _subject(concern: Concern) -> bytes:
    """The kind and the values of a concern without numbers, as JSON: equal on nodes with the same trouble."""
    about = (concern.topic, concern.level, concern.kind, _without_numbers(concern.values))
    return msgspec.json.encode(about, order="sorted")


def _without_numbers(value: Any) -> Any:
    """`value`, as JSON has it, with null in the place of each number in it."""
    match value:
        case Mapping():
            return {name: _without_numbers(its) for name, its in value.items()}
        case list():
            return list(map(_without_numbers, value))
        case bool() | str():
            return value
    return None


def _concern_lines(statuses: Statuses) -> Iterator[str]:
    alike: defaultdict[bytes, dict[str, Concern]] = defaultdict(dict)
    for node, status in statuses.items():
        if isinstance(status, NodeStatus):
            for concern in status.concerns:
                alike[_subject(concern)].setdefault(node, concern)
    if not alike:
        return
    yield ""
    ordered = sorted(alike.values(), key=lambda each: _WORST_FIRST.get(next(iter(each.values())).level, 0))
    for nodes in ordered[:_MOST_CONCERNS]:
        first, each = next(iter(nodes.items()))
        where = nodes_text(list(nodes), len(statuses))
        figures = f" (the numbers of {first})" if len({its.says for its in nodes.values()}) > 1 else ""
        yield f"{sign(each.level)} {printable(f'{where}: {each.topic}: {each.says}{figures}')}"
        if each.advice:
            yield f"  → {printable(each.advice)}"
    if len(ordered) > _MOST_CONCERNS:
        yield f"… and {len(ordered) - _MOST_CONCERNS:,} more: --node NODE shows those of one node"
