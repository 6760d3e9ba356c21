"""`python -m tests.promises`, or `make promises`. Exits with 1 if a broken promise passes its test."""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from tests.promises import CHAPTERS
from tests.promises.breaking import Outcome, break_promise, copied
from tests.promises.promise import Promise

BEGIN, END = "<!-- promises: begin -->", "<!-- promises: end -->"


@click.command(epilog='Example: python -m tests.promises --only "kill -9"')
@click.option("--only", default="", help="Only promises with these words.")
@click.option("--document", type=click.Path(path_type=Path), help="Put the table into this Markdown file.")
def main(only: str, document: Path | None) -> None:
    """Break promises on purpose, one after the other, and tell whether their tests noticed."""
    outcomes: dict[str, list[Outcome]] = {}
    with copied() as copy:
        for chapter, promises in CHAPTERS.items():
            for promise in promises:
                if only.lower() in promise.words.lower():
                    outcome = break_promise(promise, copy)
                    outcomes.setdefault(chapter, []).append(outcome)
                    click.echo(line(outcome))
    if document is not None:
        write(document, outcomes)
    told = [outcome.is_told for its in outcomes.values() for outcome in its]
    click.echo(f"{sum(told)} of {len(told)} broken promises were noticed")
    sys.exit(0 if told and all(told) else 1)


def line(outcome: Outcome) -> str:
    """An outcome for the terminal."""
    told = f"noticed by {outcome.said}" if outcome.is_told else f"NOT NOTICED: {outcome.said}"
    return f"{outcome.promise.words}: {outcome.promise.how}: {told} ({outcome.seconds:.0f} s)"


def write(document: Path, outcomes: dict[str, list[Outcome]]) -> None:
    """Put a table for each chapter between the marks of a document."""
    before, begin, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise click.ClickException(f"{document}: {BEGIN} and {END} are expected")
    document.write_text("\n".join([before + begin, *tables(outcomes), end + after]))


def tables(outcomes: dict[str, list[Outcome]]) -> Iterator[str]:
    """The outcomes in Markdown."""
    yield f"Recorded {datetime.now(UTC):%Y-%m-%d}."
    for chapter, its in outcomes.items():
        yield from ("", f"### {chapter}", "")
        yield from rows([("Promise", "Test", "Broken once, on purpose", "Noticed by")])
        yield "| --- | --- | --- | --- |"
        yield from rows([(each.promise.words, shown(each.promise), each.promise.how, said(each)) for each in its])
    yield ""


def rows(cells: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows of a table; a bar in a cell would begin another."""
    for row in cells:
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"


def shown(promise: Promise) -> str:
    """Where the test of a promise is."""
    name = promise.test.rpartition("/")[2]
    return f"[{name}](../{promise.test})"


def said(outcome: Outcome) -> str:
    """What the test said."""
    return f"`{outcome.said}`, {outcome.seconds:.0f} s" if outcome.is_told else "**not noticed**"


if __name__ == "__main__":
    main()
