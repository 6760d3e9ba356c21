"""Metrics as text: Go's numbers, no creation times, and the formats that can be asked for."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pykubeproxy.observe.exposition import OPEN_METRICS, TEXT_FORMAT, expose, go_number

# What Prometheus sends by default, versions 2 and 3.
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("b_things_total", 'Back\\slash, "quotes"\nand lines', ["what"], registry=registry).labels('a"\\\n').inc(3)
    Histogram("a_seconds", "Time", buckets=(0.001, 0.5, 1, 120), registry=registry).observe(0.75)
    Gauge("c_total", "A gauge, whatever its name", registry=registry).set(1.5e9)
    Counter("d_never_total", "Has labels, and was never used", ["x"], registry=registry)
    return registry


def test_text(registry: CollectorRegistry) -> None:
    text, content_type = expose(registry, "")
    assert content_type == TEXT_FORMAT == "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
    assert text.decode().splitlines() == [
        "# HELP a_seconds Time",
        "# TYPE a_seconds histogram",
        'a_seconds_bucket{le="0.001"} 0',
        'a_seconds_bucket{le="0.5"} 0',
        'a_seconds_bucket{le="1"} 1',
        'a_seconds_bucket{le="120"} 1',
        'a_seconds_bucket{le="+Inf"} 1',
        "a_seconds_count 1",
        "a_seconds_sum 0.75",
        '# HELP b_things_total Back\\\\slash, "quotes"\\nand lines',
        "# TYPE b_things_total counter",
        'b_things_total{what="a\\"\\\\\\n"} 3',
        "# HELP c_total A gauge, whatever its name",
        "# TYPE c_total gauge",
        "c_total 1.5e+09",
    ]
    open_metrics, _ = expose(registry, PROMETHEUS_2)
    assert open_metrics.endswith(b"c_total 1.5e+09\n# EOF\n")
    assert b"_created" not in open_metrics


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", TEXT_FORMAT),
        ("*/*", TEXT_FORMAT),
        ("text/plain, application/openmetrics-text", TEXT_FORMAT),
        ("application/openmetrics-text;q=0.9, text/plain;q=0.5", OPEN_METRICS),
        ("application/openmetrics-text;q=0.4, text/plain;q=0.5", TEXT_FORMAT),
        ("application/openmetrics-text;version=2.0.0", TEXT_FORMAT),
        (PROMETHEUS_2, OPEN_METRICS),
        (PROMETHEUS_3, OPEN_METRICS),
    ],
)
def test_format(registry: CollectorRegistry, accept: str, expected: str) -> None:
    assert expose(registry, accept)[1] == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0001, "0.0001"),
        (0.000012345, "1.2345e-05"),
        (999999.5, "999999.5"),
        (1000000, "1e+06"),
        (1795350868.25, "1.79535086825e+09"),
        (math.inf, "+Inf"),
        (math.nan, "NaN"),
    ],
)
def test_go_number(value: float, text: str) -> None:
    assert go_number(float(value)) == text


@given(st.floats(allow_nan=False))
def test_go_number_is_read_back(value: float) -> None:
    assert float(go_number(value)) == value
