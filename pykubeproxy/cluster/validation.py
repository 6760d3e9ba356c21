"""How msgspec's complaints are told: with the field first, where all our messages have it."""

import re

_VALIDATION_PATH = re.compile(r" - at `\$?\.?(.*)`$")


def field_first(problem: str) -> str:
    """``Expected `int`, got `str` - at `$.spec.ports[0].port` `` as ``spec.ports[0].port: Expected int, got str``."""
    found = _VALIDATION_PATH.search(problem)
    if not found:
        return problem
    return f"{found[1]}: {problem[: found.start()].replace('`', '')}"
