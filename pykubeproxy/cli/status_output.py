"""How the node is, for people and for programs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
import msgspec

from pykubeproxy.explain.status.assessment import exit_status
from pykubeproxy.explain.status.nftables_move import MoveFacts
from pykubeproxy.explain.status.node_state import NodeState
from pykubeproxy.explain.status.observations import Level, Observation
from pykubeproxy.explain.status.words import words
from pykubeproxy.model.printable import printable

VERSION = 1

_SIGNS: Mapping[str, str] = {Level.OK: "✔", Level.NOTE: "!", Level.BAD: "✘", Level.UNKNOWN: "?"}
_COLORS: Mapping[str, str] = {Level.OK: "green", Level.NOTE: "yellow", Level.BAD: "red", Level.UNKNOWN: "yellow"}
_WIDTH = 14

_NEXT = (
    "A Service does not answer?\n"
    "  `pykubeproxy services NAMESPACE/NAME{0}`: its endpoints, and what is refused\n"
    "  `pykubeproxy trace --from CLIENT-IP --to NAMESPACE/NAME{0}`: where a packet goes, and why"
)


def as_text(state: NodeState | MoveFacts, observations: Sequence[Observation]) -> Iterator[str]:
    """One line that sums it up, and then one for each observation; below it, what to do where it is not well.

    At the end of a node's state are the commands for a Service that does not answer, which may be so on a node that is
    well: its endpoints, or the port that the client uses, may be the cause.
    """
    yield click.style(f"{printable(_name(state))}: {_sum(observations)}", bold=True)
    before = None
    for each in observations:
        says, advice = words(each)
        label = "" if each.topic is before else each.topic
        before = each.topic
        yield f"{sign(each.level)} {label:<{_WIDTH}}{says}"
        if advice:
            yield f"  {'':<{_WIDTH}}→ {advice}"
    if isinstance(state, NodeState):
        # By objects, the answers also say why a Service has no endpoints, and whose an address is.
        status = state.answer.status if state.answer is not None else None
        yield f"\n{_NEXT.format(' --source api' if status is not None and status.source.server else '')}"


def sign(level: str) -> str:
    """The sign of a level, in its colour; that of a level which is not known here says that nothing is known."""
    return click.style(_SIGNS.get(level, "?"), fg=_COLORS.get(level, "yellow"))


def as_json(state: NodeState | MoveFacts, observations: Sequence[Observation]) -> str:
    """For programs: what is observed, with the words for it, and all that it follows from."""
    document = {
        "version": VERSION,
        "node": _name(state),
        "exitStatus": exit_status(observations),
        "observations": [_fields(each) for each in observations],
        "state": state,
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def _fields(observation: Observation) -> dict[str, Any]:
    says, advice = words(observation)
    fields: dict[str, Any] = msgspec.to_builtins(observation)
    return {**fields, "topic": observation.topic, "level": observation.level, "says": says, "advice": advice}


def _name(state: NodeState | MoveFacts) -> str:
    if isinstance(state, MoveFacts):
        return state.node_name
    status = state.answer.status if state.answer is not None else None
    return status.node_name if status is not None else state.node_name


def _sum(observations: Sequence[Observation]) -> str:
    """`all well`, or how much is not."""
    counts = {level: sum(each.level is level for each in observations) for level in Level}
    parts = []
    if bad := counts[Level.BAD]:
        parts.append(f"{bad} {'thing is' if bad == 1 else 'things are'} wrong")
    if notes := counts[Level.NOTE]:
        parts.append(f"{notes} worth knowing")
    if unknown := counts[Level.UNKNOWN]:
        parts.append(f"{unknown} not looked at")
    return ", ".join(parts) or "all well"
