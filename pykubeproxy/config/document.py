"""The text of a configuration file as plain values: YAML or JSON, with duplicate keys found.

Nulls in mappings are left out, because the API treats a null field like an absent one.
"""

import json
from typing import Any

import msgspec

from pykubeproxy.config.errors import ConfigError
from pykubeproxy.config.pairs import Pairs


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The first document of a file: its fields, duplicate keys, and whether other documents follow."""

    fields: dict[str, Any]
    duplicates: tuple[str, ...]
    """Paths of keys that occur twice (`iptables.syncPeriod`); the last value counts."""
    more_documents: bool
    """True if other documents follow, which are not read."""


def read_document(data: bytes) -> Document:
    """Read YAML or JSON. Raises ConfigError with the line and column of what cannot be read."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 text: byte {error.start} is {data[error.start]:#04x}") from None
    try:
        value, more = _parse(text)
        duplicates: list[str] = []
        fields = _settle(value, "", duplicates)
    except RecursionError:
        raise ConfigError("nested too deeply") from None
    if fields is None:
        raise ConfigError("the file is empty; it must hold a KubeProxyConfiguration")
    if not isinstance(fields, dict):
        raise ConfigError("not a mapping of fields; it must hold a KubeProxyConfiguration")
    return Document(fields=fields, duplicates=tuple(duplicates), more_documents=more)


def _parse(text: str) -> tuple[Any, bool]:
    """The first document, and whether there are more."""
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text, object_pairs_hook=Pairs), False
        except ValueError:
            pass  # YAML's flow style also starts with a brace
    # PyYAML takes long to load, and a running proxy gives its configuration as JSON.
    from pykubeproxy.config.yaml_pairs import first_document  # noqa: PLC0415

    return first_document(text)


def _settle(value: Any, path: str, duplicates: list[str]) -> Any:
    """Pairs as dicts, without nulls; adds the paths of duplicate keys to `duplicates`."""
    if isinstance(value, Pairs):
        fields: dict[str, Any] = {}
        for key, item in value:
            name = str(key)
            at = f"{path}.{name}" if path else name
            if name in fields:
                duplicates.append(at)
            fields[name] = _settle(item, at, duplicates)
        return {name: item for name, item in fields.items() if item is not None}
    if isinstance(value, list):
        return [_settle(item, f"{path}[{index}]", duplicates) for index, item in enumerate(value)]
    return value
