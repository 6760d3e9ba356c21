"""Shares as people read them."""

from fractions import Fraction

import pytest

from pykubeproxy.model.share import percent

SHARES = {
    "0": "0%",
    "1": "100%",
    "1/2": "50%",
    "1/3": "33.3%",
    "1/1000": "0.1%",
    "1/10000": "0.01%",
    "1/30000": "0.003%",
    "1/5000000": "0.00002%",
    "9999/10000": "99.99%",
    "999/1000": "99.9%",
}


@pytest.mark.parametrize(("share", "text"), SHARES.items())
def test_a_share_is_neither_nothing_nor_all_unless_it_is(share: str, text: str) -> None:
    assert percent(Fraction(share)) == text
