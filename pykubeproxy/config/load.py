"""A configuration file's bytes as a KubeProxyConfiguration (`docs/reference/lifecycle.md` section 3)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import msgspec

from pykubeproxy.config.defaults import with_file_defaults
from pykubeproxy.config.document import Document, read_document
from pykubeproxy.config.errors import ConfigError
from pykubeproxy.config.types import API_VERSION, KIND, KubeProxyConfiguration, Section

_PLAIN_WORDS = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
}
# msgspec names the types, and gives the path of the field, in the text of its error only, not as values.
_TYPE_NAME = re.compile(r"`(\w+)`")


class LoadedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration read from a file, defaults filled in, and what a person should know about the file."""

    config: KubeProxyConfiguration
    warnings: tuple[str, ...]
    is_mode_given: bool


def load(data: bytes) -> LoadedConfig:
    """Read a file's bytes, YAML or JSON.

    Unknown and duplicate fields are warnings. Everything else that does not fit raises ConfigError: text that cannot be
    read, an empty file, another kind or API version, a field of the wrong type.
    """
    try:
        document = read_document(data)
        _check_identity(document.fields)
        # Addresses that the file leaves out depend on its bindAddress: they must not take the type's own defaults.
        fields = {"healthzBindAddress": "", "metricsBindAddress": "", **document.fields}
        config = _convert(fields)
    except ConfigError as error:
        raise ConfigError(f"failed to decode: {error}") from None
    return LoadedConfig(
        config=with_file_defaults(config),
        warnings=tuple(_warnings(document)),
        is_mode_given=bool(document.fields.get("mode")),
    )


def _check_identity(fields: Mapping[str, Any]) -> None:
    for name, expected in (("apiVersion", API_VERSION), ("kind", KIND)):
        found = fields.get(name)
        if found != expected:
            shown = "missing" if found is None else repr(found)
            raise ConfigError(f"{name} is {shown}, must be {expected}")


def _convert(fields: Mapping[str, Any]) -> KubeProxyConfiguration:
    try:
        return msgspec.convert(fields, KubeProxyConfiguration, dec_hook=_decode_scalar)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).rpartition(" - at `$.")
        reason = _TYPE_NAME.sub(lambda match: _PLAIN_WORDS.get(match[1], match[1]), reason)
        raise ConfigError(f"{path.rstrip('`')}: {reason[:1].lower()}{reason[1:]}") from None


def _decode_scalar(kind: Any, value: object) -> object:
    """Make a Duration or a Quantity; their `from_file` says what a file may hold."""
    return kind.from_file(value)


def _warnings(document: Document) -> Iterator[str]:
    oddities = [
        *(f'unknown field "{path}"' for path in _unknown_fields(document.fields, KubeProxyConfiguration, "")),
        *(f'duplicate field "{path}", the last one counts' for path in document.duplicates),
    ]
    if oddities:
        yield f"Using lenient decoding as strict decoding failed: {'; '.join(oddities)}"
    if document.more_documents:
        yield "Only the first document of the configuration file is used"


def _unknown_fields(value: object, kind: Any, path: str) -> Iterator[str]:
    """Paths of the keys within `value` that the type `kind` does not have."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown_fields(item, get_args(kind)[0], f"{path}[{index}]")
    elif isinstance(value, dict) and isinstance(kind, type) and issubclass(kind, Section):
        kinds = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
        for name, item in value.items():
            at = f"{path}.{name}" if path else name
            if name in kinds:
                yield from _unknown_fields(item, kinds[name], at)
            else:
                yield at
