"""Feature gates, with the stages and defaults of the newest version.

Source: `docs/reference/lifecycle.md` section 15, `docs/reference/since-1.36.md`.
"""

from collections.abc import Mapping
from enum import Enum

import msgspec

from pykubeproxy.config.errors import ConfigError, joined


class FeatureStage(Enum):
    """Maturity of a feature. A locked one has graduated and cannot be changed any more."""

    ALPHA = "ALPHA"
    BETA = "BETA"
    STABLE = "GA"
    LOCKED = "GA, locked"


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A feature gate and its default."""

    name: str
    default: bool
    stage: FeatureStage


GATES = (
    Gate(name="AllowServiceExternalIPs", default=True, stage=FeatureStage.STABLE),
    Gate(name="ComponentFlagz", default=True, stage=FeatureStage.BETA),
    Gate(name="ComponentStatusz", default=True, stage=FeatureStage.BETA),
    Gate(name="ContextualLogging", default=True, stage=FeatureStage.BETA),
    Gate(name="KubeProxyIPVS", default=True, stage=FeatureStage.BETA),
    Gate(name="KubeProxyNFTablesLocalhostNodePorts", default=True, stage=FeatureStage.BETA),
    Gate(name="LoggingAlphaOptions", default=False, stage=FeatureStage.ALPHA),
    Gate(name="LoggingBetaOptions", default=True, stage=FeatureStage.BETA),
    Gate(name="MultiCIDRServiceAllocator", default=True, stage=FeatureStage.LOCKED),
    Gate(name="NFTablesNetlink", default=True, stage=FeatureStage.BETA),
    Gate(name="NFTablesProxyMode", default=True, stage=FeatureStage.LOCKED),
    Gate(name="NativeHistograms", default=True, stage=FeatureStage.BETA),
    Gate(name="PreferSameTrafficDistribution", default=True, stage=FeatureStage.LOCKED),
    Gate(name="WatchListClient", default=True, stage=FeatureStage.BETA),
)

_WHOLE_STAGES = {"AllAlpha": FeatureStage.ALPHA, "AllBeta": FeatureStage.BETA}


class FeatureGates(msgspec.Struct, frozen=True, kw_only=True):
    """The state of every known gate, and the names asked for that no gate has."""

    states: dict[str, bool]
    unknown: tuple[str, ...]

    def enabled(self, name: str) -> bool:
        """True if the gate is on. Raises KeyError for a name that is not in GATES."""
        return self.states[name]


def locked_gate_errors(requested: Mapping[str, bool]) -> tuple[str, ...]:
    """One message for each requested setting that a locked gate does not allow, in order of names."""
    locked = {gate.name: gate.default for gate in GATES if gate.stage is FeatureStage.LOCKED}
    return tuple(
        f"cannot set feature gate {name} to {str(value).lower()}, feature is locked to {str(locked[name]).lower()}"
        for name, value in sorted(requested.items())
        if value != locked.get(name, value)
    )


def resolve(requested: Mapping[str, bool]) -> FeatureGates:
    """The state of all gates, with `requested` applied; AllAlpha and AllBeta give way to gates named themselves.

    Raises ConfigError if a locked gate is to be changed.
    """
    errors = locked_gate_errors(requested)
    if errors:
        raise ConfigError(joined(errors))
    states = {gate.name: gate.default for gate in GATES}
    for name, stage in _WHOLE_STAGES.items():
        if name in requested:
            states |= {gate.name: requested[name] for gate in GATES if gate.stage is stage}
    unknown = tuple(sorted(requested.keys() - states.keys() - _WHOLE_STAGES.keys()))
    states |= {name: requested[name] for name in requested.keys() & states.keys()}
    return FeatureGates(states=states, unknown=unknown)
