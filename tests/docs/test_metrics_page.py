"""docs/metrics.md has every series of this program's own."""

from docs import ROOT
from pykubeproxy.observe.metrics import Metrics


def test_every_series_is_on_the_page() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    names = {family.name for family in Metrics().registry.collect() if family.name.startswith("pykubeproxy_")}
    assert len(names) > 10
    assert {name for name in names if name not in page} == set()
