"""The text of a configuration file as plain values: YAML or JSON, with duplicate keys found.

Nulls in mappings are left out, because the API treats a null field like an absent one.
"""

import json
from typing import Any

import msgspec
import yaml

from pykubeproxy.config.errors import ConfigError
from pykubeproxy.config.yaml_limits import AliasLimit
from pykubeproxy.config.yaml_values import as_go_reads

_MERGE_TAG = "tag:yaml.org,2002:merge"


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


class _Pairs(list[tuple[Any, Any]]):
    """A mapping as its (key, value) pairs, so that duplicate keys are still there."""


@as_go_reads
class _Loader(AliasLimit, yaml.SafeLoader):
    """YAML as Kubernetes reads it, with mappings as pairs."""

    def construct_pairs_of(self, node: yaml.MappingNode) -> _Pairs:
        merged = any(key.tag == _MERGE_TAG for key, _ in node.value)
        self.flatten_mapping(node)
        pairs = self.construct_pairs(node, deep=True)
        # A merged-in key that is then overridden is no duplicate.
        return _Pairs({str(key): (key, value) for key, value in pairs}.values() if merged else pairs)


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_pairs_of)


def _parse(text: str) -> tuple[Any, bool]:
    """The first document, and whether there are more."""
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text, object_pairs_hook=_Pairs), False
        except ValueError:
            pass  # YAML's flow style also starts with a brace
    try:
        documents = yaml.load_all(text, _Loader)
        return next(documents, None), next(documents, _Loader) is not _Loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(f"{where}{error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(" ".join(str(error).split())) from None


def _settle(value: Any, path: str, duplicates: list[str]) -> Any:
    """Pairs as dicts, without nulls; adds the paths of duplicate keys to `duplicates`."""
    if isinstance(value, _Pairs):
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
