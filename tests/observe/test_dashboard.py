"""The dashboard and the alerts speak of series that there are, by labels that those have."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from pykubeproxy.model.ip import Family
from pykubeproxy.observe.exposition import expose
from pykubeproxy.observe.metrics import Metrics
from tests.observe.test_metrics import use_all

MANIFESTS = Path(__file__).parents[2] / "manifests"
DASHBOARD: dict[str, Any] = json.loads((MANIFESTS / "grafana-dashboard.json").read_text())
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((MANIFESTS / "components/alerts/prometheus-rules.yaml").read_text())["spec"]["groups"]
    for rule in group["rules"]
]
# Words of PromQL, and what Grafana and Prometheus fill in.
FUNCTIONS = {"sum", "max", "by", "rate", "increase", "histogram_quantile", "topk", "time"}
NOT_SERIES = FUNCTIONS | {"and", "or", "unless", "vector", "up", "instance"}


@pytest.fixture(scope="module")
def labels() -> dict[str, set[str]]:
    """The labels of every series that the program can have."""
    metrics = Metrics()
    use_all(metrics)
    metrics._own.plan_chains.labels(Family.IPV4).observe(1)
    metrics._own.plan_rules.labels(Family.IPV4).observe(1)
    text = expose(metrics.registry, "")[0].decode()
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for rule in ALERTS:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        yield rule["expr"]


@pytest.mark.parametrize("expression", list(expressions()))
def test_expression(labels: dict[str, set[str]], expression: str) -> None:
    bare = re.sub(r"\[[^]]*\]|\{[^}]*\}", "", expression)
    grouped = {word for group in re.findall(r"\bby \(([^)]*)\)", bare) for word in group.replace(",", " ").split()}
    words = set(re.findall(r"[a-z_]{2,}", re.sub(r"\bby \([^)]*\)", "", bare))) - NOT_SERIES
    assert words <= labels.keys()
    assert words or "up" in bare
    known = {"instance", "job"}.union(*(labels[word] for word in words))
    assert grouped <= known
    assert bare.count("(") == bare.count(")")
