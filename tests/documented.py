"""Documents that describe JSON: each kind of value has a row in a table there, with all its fields."""

from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

DOCS = Path(__file__).parents[1] / "docs"


def leaves(kind: Any) -> list[type[Any]]:
    """All kinds of values of a union or below a base class, wherever they are defined."""
    found = get_args(kind) or kind.__subclasses__()
    return sorted({*found, *(leaf for each in found for leaf in leaves(each))}, key=lambda each: each.__name__)


def structs_in(wanted: Any) -> Iterator[type[Any]]:
    """The structs that a value of some type may hold, itself included; of a base of several kinds, those kinds."""
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        kinds = leaves(wanted)
        for kind in kinds or [wanted]:
            yield kind
            for field in msgspec.structs.fields(kind):
                yield from structs_in(field.type)
    elif get_origin(wanted) in (Union, UnionType, tuple, list, dict):
        for argument in get_args(wanted):
            yield from structs_in(argument)


def assert_documented(kind: type[Any], document: str) -> None:
    lines = (DOCS / document).read_text().splitlines()
    row = next((line for line in lines if line.startswith(f"| `{kind.__name__}` |")), "")
    assert row, f"{kind.__name__} is not in {document}"
    fields = {field.encode_name for field in msgspec.structs.fields(kind)}
    named = row.split("|")[2].strip()
    assert set(named.replace("`", "").split(", ")) == (fields or {"none"}), row
