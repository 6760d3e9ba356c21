"""What was measured, as values: a figure, what it is held against, and whether that holds."""

from enum import StrEnum

from msgspec import Struct

from bench.harness import Timing


class Unit(StrEnum):
    """What a figure's number means."""

    SECONDS = "seconds"
    MEGABYTES = "megabytes"
    CORES = "cores"
    TIMES = "times"
    COUNT = "count"


class Floor(Struct, frozen=True, kw_only=True):
    """What a figure is compared with: something that was measured beside it, in the same run and unit."""

    what: str
    value: float
    cpu: float | None = None


class Target(Struct, frozen=True, kw_only=True):
    """What a figure must not exceed, in words and in its own unit."""

    text: str
    limit: float


class Figure(Struct, frozen=True, kw_only=True):
    """One measured figure: the middle one of several samples, with their range, and the 99th of 100.

    `services` is the size of the cluster, for plots; `cpu` are seconds of CPU time where the figure is a time.
    """

    measurement: str
    case: str
    backend: str = ""
    services: int = 0
    unit: Unit = Unit.SECONDS
    value: float
    range: tuple[float, float] | None = None
    p99: float | None = None
    cpu: float | None = None
    floor: Floor | None = None
    target: Target | None = None

    @property
    def ratio(self) -> float | None:
        """How many times its floor the figure is."""
        return self.value / self.floor.value if self.floor is not None and self.floor.value else None

    @property
    def cpu_ratio(self) -> float | None:
        """The same in CPU time, which a busy machine disturbs less."""
        if self.cpu is None or self.floor is None or not self.floor.cpu:
            return None
        return self.cpu / self.floor.cpu

    @property
    def is_reached(self) -> bool | None:
        """Whether the target holds; None without one."""
        return None if self.target is None else self.value <= self.target.limit


def timed(  # noqa: PLR0913  a figure is all of this
    measurement: str,
    case: str,
    timing: Timing,
    *,
    backend: str = "",
    services: int = 0,
    floor: Floor | None = None,
    target: Target | None = None,
) -> Figure:
    """The figure of a Timing: its median."""
    return Figure(
        measurement=measurement,
        case=case,
        backend=backend,
        services=services,
        value=timing.median,
        range=timing.range,
        cpu=timing.cpu or None,
        floor=floor,
        target=target,
    )


def floor_of(what: str, timing: Timing) -> Floor:
    """A floor from a Timing: its median."""
    return Floor(what=what, value=timing.median, cpu=timing.cpu or None)


def at_most(times: float, floor: Floor, *, plus: float = 0.0) -> Target:
    """The target of so many times the floor, and so many seconds more."""
    more = f" + {plus:g} s" if plus else ""
    return Target(text=f"≤ {times:g} x {floor.what}{more}", limit=times * floor.value + plus)


def written(value: float | None, unit: Unit) -> str:
    """A number with its unit, as people write it; empty for None."""
    if value is None:
        return ""
    match unit:
        case Unit.MEGABYTES:
            return f"{value:.0f} MB" if value >= 10 else f"{1000 * value:.1f} kB" if value < 0.1 else f"{value:.2f} MB"
        case Unit.CORES:
            return f"{100 * value:.1f} %"
        case Unit.COUNT:
            return f"{value:,.0f}"
        case Unit.TIMES:
            return f"{value:.2f} x"
        case Unit.SECONDS:
            return _duration(value)


def _duration(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{1000 * seconds:.1f} ms" if seconds >= 0.001 else f"{1_000_000 * seconds:.1f} µs"
