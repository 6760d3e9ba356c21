"""What a check says when it finds something."""


class Finding(Exception):
    """Two things that should be the same are not: which, and how they differ, in a few lines."""


def expect(*, holds: bool, otherwise: str) -> None:
    """Raise Finding if something does not hold."""
    if not holds:
        raise Finding(otherwise)


def difference(what: str, expected: object, found: object) -> str:
    """Both sides, one below the other."""
    return f"{what}\n  expected: {expected}\n  found:    {found}"
