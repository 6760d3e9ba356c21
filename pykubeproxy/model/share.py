"""Shares of traffic, as people read them."""

import math
from fractions import Fraction

# A share that is smaller is told as 0.0% by a percentage with one decimal.
_HALF_A_DIGIT = 0.0005


def percent(share: Fraction) -> str:
    """`33.3%`, `50%`; with as many digits as it takes to tell a small share from none, and a large one from all."""
    distance = float(min(share, 1 - share))
    decimals = -math.floor(math.log10(100 * distance)) if 0 < distance < _HALF_A_DIGIT else 1
    return f"{float(share):.{decimals}%}".replace(".0%", "%")
