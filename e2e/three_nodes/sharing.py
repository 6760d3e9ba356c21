"""Whether connections are shared fairly: Pearson's chi-squared test."""

from collections.abc import Collection
from statistics import NormalDist

CHANCE = 1e-6


def unfairness(counts: Collection[int]) -> float:
    """How far from equal these counts are: the sum of their squared distances, in units of what is expected."""
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 for count in counts) / expected


def tolerable(cells: int, chance: float = CHANCE) -> float:
    """The unfairness that so many fair counts exceed with this chance only.

    Wilson and Hilferty's approximation of the chi-squared distribution's quantile (PNAS 17, 1931).
    """
    freedom = cells - 1
    spread = 2 / (9 * freedom)
    return float(freedom * (1 - spread + NormalDist().inv_cdf(1 - chance) * spread**0.5) ** 3)
