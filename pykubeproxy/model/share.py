"""Shares of traffic, as people read them."""

import math
from fractions import Fraction

# A share that is smaller would be shown as 0.0%, with one decimal.
_HALF_A_DIGIT = 0.0005


def percent(share: Fraction) -> str:
    """`33.3%`, `50%`; with more decimals where a small share would be shown as 0%, or a large one as 100%."""
    distance = float(min(share, 1 - share))
    decimals = -math.floor(math.log10(100 * distance)) if 0 < distance < _HALF_A_DIGIT else 1
    return f"{float(share):.{decimals}%}".replace(".0%", "%")
