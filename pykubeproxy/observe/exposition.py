"""Metrics as text, in the formats that Prometheus reads, written as Kubernetes' own components write them.

prometheus_client writes the same series, but numbers in Python's way (`le="1.0"`, where existing dashboards select
`le="1"`), and series of creation times that no component of Kubernetes has.
"""

import math
from collections.abc import Iterable, Iterator
from decimal import Decimal

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from pykubeproxy.web.messages import media_ranges

TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"


def expose(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """(text, content type) of all metrics; `accept` is the Accept header of the request."""
    for name, parameters in media_ranges(accept):
        if name == "application/openmetrics-text" and parameters.get("version", "1.0.0") == "1.0.0":
            return _open_metrics(registry), OPEN_METRICS
        if name in ("text/plain", "text/*", "*/*") and parameters.get("version", "0.0.4") in ("0.0.4", "1.0.0"):
            break
    return "".join(_lines(_Shown(registry).collect())).encode(), TEXT_FORMAT


def _open_metrics(registry: CollectorRegistry) -> bytes:
    text: bytes = generate_latest(_Shown(registry))  # type: ignore[no-untyped-call]
    return text


class _Shown(Collector):
    """The families of a registry that have series, by name, without creation times."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for family in sorted(self._registry.collect(), key=lambda family: family.name):
            family.samples = [sample for sample in family.samples if not _is_creation_time(family, sample)]
            if family.samples:
                yield family


def _is_creation_time(family: Metric, sample: Sample) -> bool:
    return family.type in ("counter", "histogram", "summary") and sample.name == f"{family.name}_created"


def _lines(families: Iterable[Metric]) -> Iterator[str]:
    """The text format, version 0.0.4."""
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield f"# HELP {name} {_escaped(family.documentation)}\n"
        yield f"# TYPE {name} {family.type}\n"
        for sample in family.samples:
            labels = ",".join(f'{key}="{_label(key, value)}"' for key, value in sorted(sample.labels.items()))
            series = f"{sample.name}{{{labels}}}" if labels else sample.name
            yield f"{series} {go_number(float(sample.value))}\n"


def _label(key: str, value: str) -> str:
    """The text of a label's value; the bound of a bucket is a number."""
    return go_number(float(value)) if key == "le" else _escaped(value).replace('"', r"\"")


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def go_number(value: float) -> str:
    """A number as Go's `strconv.FormatFloat(value, 'g', -1, 64)` prints it: `0.001`, `11`, `1.5e+09`, `+Inf`."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    if value.is_integer() and abs(value) < 1e6:
        return str(int(value))
    # Python's repr has the same digits: the fewest that are read back as the same number.
    number = Decimal(repr(value)).normalize()
    power = number.adjusted()
    if -4 <= power < 6:
        return f"{number:f}"
    return f"{number.scaleb(-power):f}e{power:+03d}"
