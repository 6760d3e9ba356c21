"""Requests without a pause, from many places at once, and a count of those that failed."""

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from e2e.asking import Destination
from e2e.examples import Manifests
from e2e.expectation import Answers, Case
from e2e.lab import Lab
from e2e.running import place, resolve
from e2e.topology import Protocol, Topology

PER_SECOND = 5
_MANY = 1_000_000
_ANSWERED = "200"


class Question(Struct, frozen=True, kw_only=True):
    """A case that is asked again and again, and the address that it means here."""

    case: Case
    destination: Destination


class Stream(Struct, frozen=True, kw_only=True):
    """A process that asks one request after the other, and writes a line about each to a file."""

    question: Question
    process: subprocess.Popen[str]
    lines: Path


class Tally(Struct, frozen=True, kw_only=True):
    """How many requests a stream has made, and what was said of those that failed."""

    requests: int
    failures: tuple[str, ...]


def questions(topology: Topology, manifests: Manifests, cases: Iterable[Case]) -> list[Question]:
    """Of the cases that are answered over TCP, one for every Service, IP family and kind of place."""
    found: dict[tuple[object, ...], Question] = {}
    for case in cases:
        destination = resolve(topology, manifests.services[case.service], case.target)
        if isinstance(case.expect, Answers) and destination.protocol is Protocol.TCP:
            kind = (case.service, case.target.family, case.origin.place)
            found.setdefault(kind, Question(case=case, destination=destination))
    return list(found.values())


def command(destination: Destination) -> list[str]:
    """Requests at an even pace until somebody ends it; `Connection: close` makes each take a new connection.

    A line about each has its status, and what curl says if there is none. It goes to standard error, where lines do not
    wait for company.
    """
    flags = ["--silent", "--noproxy", "*", "--header", "Connection: close", "--output", "/dev/null", "--max-time", "5"]
    pace = ["--rate", f"{PER_SECOND}/s", "--write-out", "%{stderr}%{http_code} %{errormsg}\\n"]
    return ["curl", *flags, *pace, f"http://{destination}/[1-{_MANY}]"]


def start(lab: Lab, asked: Iterable[Question], folder: Path) -> Iterator[Stream]:
    """Starts a stream for each question, with its file in `folder`; it ends with the lab's processes."""
    for number, question in enumerate(asked):
        origin = place(lab, question.case.origin)
        lines = folder / f"{number}.txt"
        with lines.open("w") as output:
            argv = origin.argv(command(question.destination))
            process = origin.processes.start(argv, stdout=subprocess.DEVNULL, stderr=output)
        yield Stream(question=question, process=process, lines=lines)


def has_begun(stream: Stream) -> bool:
    """Whether something has come of the first request, or nothing ever will."""
    return stream.lines.stat().st_size > 0 or stream.process.poll() is not None


def tally(lines: Sequence[str], *, ended_early: bool) -> Tally:
    """What the lines of a stream amount to. A last one without an end is not whole, and does not count."""
    whole = [line.strip() for line in lines if line.endswith("\n")]
    failures = [line for line in whole if line.split(" ")[0] != _ANSWERED]
    if ended_early:
        failures.append("the requests ended by themselves")
    elif not whole:
        failures.append("not one request was made")
    return Tally(requests=len(whole), failures=tuple(failures))
