"""A run: states one after another, each through all checks; failures are made small, and told with their number."""

import json
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fuzz.checks import Check
from fuzz.findings import Finding
from fuzz.shrinking import shrunk
from fuzz.states import State, make_state

# States between two lines of progress.
_STRIDE = 100


@dataclass(frozen=True)
class Failure:
    """A state that a check complains about; `state` has been made small."""

    check: str
    number: int
    problem: str
    state: State

    def __str__(self) -> str:
        lines = [f"state {self.number}, {self.check}: {self.problem}"]
        lines += [f"  flags: {' '.join(self.state.flags) or '(none)'}; small limits: {self.state.has_small_limits}"]
        if self.check != "parsers":
            lines += [f"  object:  {json.dumps(obj)}" for obj in self.state.objects]
            lines += [f"  earlier: {json.dumps(obj)}" for obj in self.state.history]
        lines += [f"  again: python -m fuzz --states 1 --seed {self.number} --only {self.check}"]
        return "\n".join(lines)


@dataclass
class Run:
    """What was done: how many states, seconds in each check, and what was found."""

    states: int = 0
    first: int = 0
    seconds: float = 0.0
    by_check: dict[str, float] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """States per second."""
        return self.states / self.seconds if self.seconds else 0.0

    def summary(self) -> str:
        """One line for a table in Markdown."""
        shares = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.by_check.items())
        numbers = f"{self.first} to {self.first + self.states - 1}"
        return (
            f"| differential fuzzing | {self.states} states ({numbers}) | {self.seconds:.0f} s, "
            f"{self.rate:.1f} states/s ({shares}) | {len(self.failures)} findings |"
        )


def run(
    checks: Mapping[str, Check], first: int, states: int, say: Callable[[str], None], most_failures: int = 5
) -> Run:
    """Check `states` states from number `first` on; stop early after so many failures."""
    done = Run(first=first, by_check=dict.fromkeys(checks, 0.0))
    begin = time.monotonic()
    for number in range(first, first + states):
        state = make_state(number)
        for name, check in checks.items():
            before = time.monotonic()
            failure = examine(name, check, state)
            done.by_check[name] += time.monotonic() - before
            if failure is not None:
                done.failures.append(failure)
                say(str(failure))
        done.states += 1
        done.seconds = time.monotonic() - begin
        if done.states % _STRIDE == 0:
            say(f"{done.states} states, {done.rate:.1f}/s, {len(done.failures)} findings")
        if len(done.failures) >= most_failures:
            break
    return done


def examine(name: str, check: Check, state: State) -> Failure | None:
    """Put a state through one check; None if there is nothing to complain about."""
    problem = _problem(check, state)
    if problem is None:
        return None
    least = state if name == "parsers" else shrunk(state, lambda smaller: _kind(check, smaller) == problem[0])
    return Failure(check=name, number=state.number, problem=(_problem(check, least) or problem)[1], state=least)


def _kind(check: Check, state: State) -> str | None:
    problem = _problem(check, state)
    return problem[0] if problem is not None else None


def _problem(check: Check, state: State) -> tuple[str, str] | None:
    """The kind of a problem and its text; None if there is none."""
    try:
        check(state)
    except Finding as finding:
        return "Finding", str(finding)
    except Exception as error:  # noqa: BLE001  a crash is a finding as well
        where = traceback.extract_tb(error.__traceback__)[-1]
        return type(error).__name__, f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
    return None
