"""Matches on a random choice: `-m statistic`."""

from collections.abc import Callable, Iterable
from fractions import Fraction

from pykubeproxy.netfilter.match_results import Matcher, MatchResult, Probability
from pykubeproxy.netfilter.syntax import Clause, Option

_KERNEL_STEPS = 2**31  # xt_statistic compares 31 random bits with a number

# How far from what was meant a printed probability may be: kube-proxy writes ten decimals, and iptables then rounds
# to a multiple of 1 / 2^31 (`docs/reference/iptables-rules.md` sections 8 and 17).
_ROUNDING = Fraction(1, 2 * _KERNEL_STEPS) + Fraction(1, 2 * 10**10)

# Two fractions with denominators up to this are further apart than twice the rounding, so that at most one fits.
_LARGEST_DENOMINATOR = 2**15


def read_probability(text: str) -> Fraction:
    """The probability that was meant by a printed one: the simplest fraction that would be printed like this.

    So 0.33333333349 is 1/3, and the three endpoints of a Service get exactly a third of the connections each. Where
    no simple fraction fits, it is the multiple of 1 / 2^31 that the kernel holds. Raises ValueError if it is not a
    number from 0 to 1.
    """
    steps = int(Fraction(text) * _KERNEL_STEPS + Fraction(1, 2))
    if not 0 <= steps <= _KERNEL_STEPS:
        raise ValueError(text)
    kernel = Fraction(steps, _KERNEL_STEPS)
    nominal = kernel.limit_denominator(_LARGEST_DENOMINATOR)
    return nominal if abs(nominal - kernel) <= _ROUNDING else kernel


def statistic(clause: Clause) -> Iterable[Matcher]:
    """`-m statistic --mode random` by its probability; `--mode nth` as a share of 1/n of the packets."""
    if clause.value("--mode") == "nth":
        share, name = Fraction(1, int(clause.value("--every"))), "--every"
    else:
        share, name = read_probability(clause.value("--probability")), "--probability"
    option = clause.find(name)
    if option is not None and option.inverted:
        share = 1 - share
    result: MatchResult = Probability(share) if 0 < share < 1 else share == 1
    return (lambda _state, _context: result,)


OPTIONS: dict[tuple[str, str], Callable[[Option], Matcher]] = {}
CLAUSES: dict[str, Callable[[Clause], Iterable[Matcher]]] = {"statistic": statistic}
