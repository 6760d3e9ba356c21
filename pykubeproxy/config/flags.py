"""kube-proxy's command-line flags: what a flag is, and applying flags to a configuration.

Source: `docs/reference/lifecycle.md` section 2.

The flags themselves are listed in `pykubeproxy.config.flag_table`.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from functools import reduce
from typing import Any, TypeVar

import msgspec

from pykubeproxy.config.defaults import DEFAULTS
from pykubeproxy.config.flag_types import FlagType
from pykubeproxy.config.types import KubeProxyConfiguration

_S = TypeVar("_S", bound=msgspec.Struct)


class FlagCategory(Enum):
    """What a flag does, and whether it has an effect if there is a configuration file too."""

    SETTING = "sets a field; ignored with --config"
    LOGGING = "sets a field; overrides the file"
    INSTRUCTION = "says what to do; always counts"
    DEPRECATED = "ignored with --config; use another flag"
    WITHOUT_EFFECT = "accepted, for other modes and platforms"


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """A flag of kube-proxy."""

    name: str
    """Without the leading dashes."""
    type: FlagType
    category: FlagCategory
    help: str
    field: str = ""
    """The field it sets, as an attribute path (`iptables.masquerade_bit`); empty if it sets none by itself."""
    fallback: Any = None
    """The default of a flag that sets no field; a field has its own."""
    note: str = ""
    """For a deprecated flag or one without effect: what the user should know."""

    @property
    def default(self) -> Any:
        """The value when the flag is not given; None for no value."""
        return value_at(DEFAULTS, self.field) if self.field else self.fallback

    def shown(self, value: Any) -> str:
        """A value, or the absence of one, as text in the flag's own syntax."""
        return "" if value is None else self.type.show(value)


def value_at(config: msgspec.Struct, path: str) -> Any:
    """The value of the field at an attribute path such as `iptables.masquerade_bit`."""
    return reduce(getattr, path.split("."), config)


def put_at(config: _S, path: str, value: object) -> _S:
    """`config` with another value in the field at an attribute path."""
    name, _, rest = path.partition(".")
    return msgspec.structs.replace(config, **{name: put_at(getattr(config, name), rest, value) if rest else value})


def apply(flags: Iterable[tuple[Flag, Any]], config: KubeProxyConfiguration) -> KubeProxyConfiguration:
    """`config` with the fields of the given flags set to the given values.

    Log levels per source file add up: those of the flag come first, and so win over those already there.
    """
    for flag, value in flags:
        if flag.field == "logging.vmodule":
            config = put_at(config, flag.field, (*value, *config.logging.vmodule))
        elif flag.field:
            config = put_at(config, flag.field, value)
    return config


def texts(flags: Iterable[Flag], given: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """(name, value as text) of every flag, given or default, by name: for the start-up log and /flagz."""
    by_name = sorted(flags, key=lambda flag: flag.name)
    return tuple((flag.name, flag.shown(given.get(flag.name, flag.default))) for flag in by_name)
