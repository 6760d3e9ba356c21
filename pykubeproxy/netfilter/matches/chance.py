"""Matches that depend on chance or on earlier packets: `-m statistic`, `-m recent`."""

from collections.abc import Callable, Iterable
from fractions import Fraction

from pykubeproxy.netfilter.match_results import Matcher, MatchResult, Probability, StateChange, undecided
from pykubeproxy.netfilter.state import State, TraceContext
from pykubeproxy.netfilter.syntax import Clause, Option

_KERNEL_STEPS = 2**31  # xt_statistic compares 31 random bits with a number

# How far from what was meant a printed probability may be: kube-proxy writes ten decimals, and iptables then rounds
# to a multiple of 1 / 2^31 (`docs/reference/iptables-rules.md` sections 8 and 17).
_ROUNDING = Fraction(1, 2 * _KERNEL_STEPS) + Fraction(1, 2 * 10**10)

# Two fractions with denominators up to this are further apart than twice the rounding, so that at most one fits.
_LARGEST_DENOMINATOR = 2**15


def chance(probability: str) -> Probability:
    """The chance meant by a probability as printed: the simplest fraction that would print like this.

    So 0.33333333349 is 1/3, and kube-proxy's 1/3, 1/2 and the rest come out as exactly a third each. Where no
    fraction fits, it is what the kernel holds. Raises ValueError if it is not a number from 0 to 1.
    """
    steps = int(Fraction(probability) * _KERNEL_STEPS + Fraction(1, 2))
    if not 0 <= steps <= _KERNEL_STEPS:
        raise ValueError(probability)
    kernel = Fraction(steps, _KERNEL_STEPS)
    nominal = kernel.limit_denominator(_LARGEST_DENOMINATOR)
    return Probability(nominal if abs(nominal - kernel) <= _ROUNDING else kernel, kernel)


def statistic(clause: Clause) -> Iterable[Matcher]:
    """`-m statistic --mode random` by its probability; `--mode nth` as a share of 1/n of the packets."""
    if clause.value("--mode") == "nth":
        share = Fraction(1, int(clause.value("--every")))
        found, inverted = Probability(share, share), _is_inverted(clause, "--every")
    else:
        found, inverted = chance(clause.value("--probability")), _is_inverted(clause, "--probability")
    if inverted:
        found = Probability(1 - found.share, 1 - found.kernel)
    matches: MatchResult = found if 0 < found.kernel < 1 else found.kernel == 1
    return (lambda _state, _context: matches,)


def _is_inverted(clause: Clause, name: str) -> bool:
    option = clause.find(name)
    return option is not None and option.inverted


def recent(clause: Clause) -> Iterable[Matcher]:
    """`-m recent`: whether a list holds the packet's address; `--set` and `--remove` change the list.

    Lists are as the trace was told (see Environment.recent); an address on a list counts as seen recently enough.
    How often it was seen, and with which TTL, is not known.
    """
    name = clause.value("--name", "DEFAULT") + (" by destination" if clause.find("--rdest") else "")
    operation = next((option for option in clause.options if option.name in _OPERATIONS), None)
    if operation is None:
        raise ValueError(clause.text)
    act = _OPERATIONS[operation.name]
    counted = clause.find("--rttl") is not None or int(clause.value("--hitcount", "0")) > 1
    question = undecided(f"-m {clause.text}")

    def matches(state: State, context: TraceContext) -> MatchResult:
        held = name in state.recent
        if operation.name != "--set":
            context.asked.add(name)
        if held and counted and operation.name in ("--rcheck", "--update"):
            return question
        return act(state, name, held, operation.inverted)

    return (matches,)


def _set(state: State, name: str, held: bool, inverted: bool) -> MatchResult:  # noqa: FBT001 (all operations are called alike)
    return not inverted if held else StateChange(not inverted, state.but(recent=state.recent | {name}))


def _check(_state: State, _name: str, held: bool, inverted: bool) -> MatchResult:  # noqa: FBT001
    return held != inverted


def _remove(state: State, name: str, held: bool, inverted: bool) -> MatchResult:  # noqa: FBT001
    return StateChange(not inverted, state.but(recent=state.recent - {name})) if held else inverted


_OPERATIONS: dict[str, Callable[[State, str, bool, bool], MatchResult]] = {
    "--set": _set,
    "--rcheck": _check,
    "--update": _check,
    "--remove": _remove,
}

OPTIONS: dict[tuple[str, str], Callable[[Option], Matcher]] = {}
CLAUSES: dict[str, Callable[[Clause], Iterable[Matcher]]] = {"statistic": statistic, "recent": recent}
