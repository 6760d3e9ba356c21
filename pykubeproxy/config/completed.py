"""From flags and a file to the configuration that is used: kube-proxy's "complete" and "validate" steps.

`docs/reference/lifecycle.md` sections 1 to 4. Nothing is read, written or logged here: callers pass the file's bytes
and the host name, and get warnings back.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from pykubeproxy.config import gates
from pykubeproxy.config.addresses import with_port
from pykubeproxy.config.defaults import DEFAULTS, with_platform_defaults
from pykubeproxy.config.errors import ConfigError, joined
from pykubeproxy.config.flag_table import FLAG_BY_NAME
from pykubeproxy.config.flags import Flag, FlagCategory, apply
from pykubeproxy.config.load import LoadedConfig, load
from pykubeproxy.config.types import KubeProxyConfiguration
from pykubeproxy.config.validate import validate

_FIELD_CATEGORIES = frozenset({FlagCategory.SETTING, FlagCategory.LOGGING, FlagCategory.WITHOUT_EFFECT})


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """The effective configuration, and what follows from it. It still has to pass `check`."""

    config: KubeProxyConfiguration
    node_name: str
    """The name of this node's Node object."""
    cluster_cidrs: tuple[str, ...]
    """clusterCIDR, split at commas and not yet validated; one empty text if the flag was explicitly set to nothing."""
    master: str
    """The API server that overrides the kubeconfig's; empty if none."""
    feature_gates: gates.FeatureGates
    is_mode_given: bool
    """False if the mode is iptables by default, and was not set."""
    warnings: tuple[str, ...]
    """One line each, for the log."""

    @property
    def errors(self) -> tuple[str, ...]:
        """Every validation error; none if the configuration can be used."""
        return validate(self.config, cluster_cidrs=self.cluster_cidrs)


def complete(
    flags: Mapping[str, object], file: bytes | None, hostname: str, *, flags_override: bool = False
) -> Completed:
    """Combine the flags that were given, the configuration file if there is one, and the defaults.

    `flags` maps flag names without dashes to values as the flags' types read them (None: as if not given); `file` is
    what --config names; `hostname` is the kernel's. If there is a file, most flags are ignored, except with
    `flags_override`, where `file` is the content of a running proxy's /configz. Raises ConfigError, prefixed
    `failed complete: `.
    """
    given = [(FLAG_BY_NAME[name], value) for name, value in flags.items() if value is not None]
    values: dict[str, Any] = {flag.name: value for flag, value in given}
    overriding = _FIELD_CATEGORIES if flags_override else frozenset({FlagCategory.LOGGING})
    is_file = file is not None and not flags_override
    try:
        loaded = _from_flags(given, values) if file is None else _from_file(given, file, overriding)
        config = with_platform_defaults(_with_hostname_override(loaded.config, values.get("hostname-override", "")))
        feature_gates = gates.resolve(config.feature_gates)
        node_name = _node_name(config.hostname_override, hostname)
    except ConfigError as error:
        raise ConfigError(f"failed complete: {error}") from None
    explicit_cidr = not is_file and "cluster-cidr" in values
    return Completed(
        config=config,
        node_name=node_name,
        cluster_cidrs=tuple(config.cluster_cidr.split(",")) if config.cluster_cidr or explicit_cidr else (),
        master=values.get("master", ""),
        feature_gates=feature_gates,
        is_mode_given=loaded.is_mode_given,
        warnings=(
            *(() if flags_override else loaded.warnings),
            *_flag_warnings([flag for flag, _ in given], with_file=is_file),
            *(f"unrecognized feature gate: {name}" for name in feature_gates.unknown),
        ),
    )


def check(completed: Completed) -> None:
    """Raise ConfigError with every validation error, prefixed `failed validate: `, if there are any."""
    if completed.errors:
        raise ConfigError(f"failed validate: {joined(completed.errors)}")


def _from_flags(given: list[tuple[Flag, Any]], values: Mapping[str, Any]) -> LoadedConfig:
    """The defaults with flags applied. Zeros given as flags are kept, unlike those in a file."""
    config = apply([(flag, value) for flag, value in given if flag.category in _FIELD_CATEGORIES], DEFAULTS)
    is_mode_given = bool(values.get("proxy-mode"))
    if values.get("write-config-to"):
        return LoadedConfig(config=config, warnings=(), is_mode_given=is_mode_given)
    config = replace(
        config,
        healthz_bind_address=_address_with_port(config.healthz_bind_address, "healthz-port", values),
        metrics_bind_address=_address_with_port(config.metrics_bind_address, "metrics-port", values),
    )
    return LoadedConfig(config=config, warnings=(), is_mode_given=is_mode_given)


def _from_file(given: list[tuple[Flag, Any]], file: bytes, overriding: Collection[FlagCategory]) -> LoadedConfig:
    """What the file says, with the flags of some categories on top."""
    loaded = load(file)
    overrides = [(flag, value) for flag, value in given if flag.category in overriding]
    return replace(loaded, config=apply(overrides, loaded.config))


def _address_with_port(address: str, port_flag: str, values: Mapping[str, Any]) -> str:
    """The deprecated port flags fill in a missing port; 0 switches the server off."""
    port: int = values.get(port_flag, FLAG_BY_NAME[port_flag].default)
    return with_port(address, port) if port else ""


def _with_hostname_override(config: KubeProxyConfiguration, override: str) -> KubeProxyConfiguration:
    """The flag wins over the file; an empty flag is none, a blank one is an error."""
    if not override:
        return config
    name = override.strip().lower()
    if not name:
        raise ConfigError("empty hostname-override is invalid")
    return replace(config, hostname_override=name)


def _node_name(override: str, hostname: str) -> str:
    name = (override or hostname).strip().lower()
    if not name:
        origin = "hostnameOverride" if override else "the host name"
        raise ConfigError(f"empty hostname is invalid: {origin} is blank")
    return name


def _flag_warnings(flags: list[Flag], *, with_file: bool) -> Iterator[str]:
    for flag in flags:
        if flag.category is FlagCategory.WITHOUT_EFFECT:
            yield f"--{flag.name} has no effect: {flag.note}"
        elif flag.category is FlagCategory.DEPRECATED:
            yield f"--{flag.name} is deprecated: {flag.note}"
    ignored = [f"--{flag.name}" for flag in flags if flag.category in (FlagCategory.SETTING, FlagCategory.DEPRECATED)]
    if with_file and ignored:
        yield f"Ignored because --config is given: {', '.join(ignored)}"
