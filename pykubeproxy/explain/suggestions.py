"""Which of several names may have been meant."""

from collections.abc import Iterable

_MOST = 3


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean web or web-1?`, for the end of a sentence about a name that is none; empty if none is alike."""
    # Loaded only for a name that is none.
    from difflib import get_close_matches  # noqa: PLC0415

    close = get_close_matches(name, sorted(set(known)), n=_MOST, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""
