"""A node whose rules cannot be written says so: /healthz, and the alert for operators, whatever the sync was for."""

import math
from itertools import repeat
from pathlib import Path
from unittest.mock import create_autospec

import pytest
import yaml

from pykubeproxy.daemon.follow.telemetry import Telemetry
from pykubeproxy.daemon.loop import Loop
from pykubeproxy.daemon.messages import ALL_KINDS, ForeignChange, ObjectsListed
from pykubeproxy.daemon.sync.family import FamilyProxy
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.observe.clock import Timestamp
from pykubeproxy.observe.health import ProxyHealth
from pykubeproxy.observe.metrics import Metrics
from pykubeproxy.observe.servers import Servers
from tests.builders import NODE, options
from tests.daemon.fakes import REFUSED, Clock, FailingHost, changed, loop_of

RULES = Path(__file__).parents[3] / "manifests/components/alerts/prometheus-rules.yaml"


class Watched:
    """A node with one family, and those who watch over it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.host = FailingHost()
        self.metrics = Metrics(clock=self.clock)
        self.health = ProxyHealth(60, clock=lambda: Timestamp(int(self.clock.now * 1e9), self.clock.now))
        self.loop: Loop = loop_of(self.clock, FamilyProxy(options(), self.host), wait_for=ALL_KINDS)
        telemetry = Telemetry(
            families=(Family.IPV4,),
            node_name=NODE,
            metrics=self.metrics,
            health=self.health,
            servers=create_autospec(Servers, instance=True),
            check_addresses=lambda *_: None,
        )
        telemetry.started()
        self.loop.follow(telemetry)

    def begin(self) -> None:
        self.loop.take(changed(Node(name=NODE)))
        self.loop.take(ObjectsListed(ALL_KINDS))
        self.loop.act()

    def after(self, seconds: int) -> tuple[bool, bool]:
        """Whether the node is healthy, and whether the alert holds, once so many seconds more have passed."""
        for _ in range(seconds):
            self.clock.now += 1
            self.loop.act()
        return self.health.healthz().status == 200, self.alert_holds()

    def alert_holds(self) -> bool:
        """Whether its expression yields a series; read as Python, in which operators bind as in PromQL."""
        groups = yaml.safe_load(RULES.read_text())["spec"]["groups"]
        rules = {rule.get("alert"): rule for group in groups for rule in group["rules"]}
        expression = rules["KubeProxyNotSyncing"]["expr"].replace("unless", "and not")
        names = {word: self.series(word) for word in expression.split() if word.startswith("kubeproxy_")}
        return bool(eval(f"({expression})", {"time": self.clock, **names}))  # noqa: S307

    def series(self, name: str) -> "Series":
        value = self.metrics.registry.get_sample_value(name, {"ip_family": "IPv4"})
        return Series(math.nan if value is None else value)


class Series(float):
    """A value that is true if it is there at all; one that is not is NaN, with which no comparison holds."""

    def __bool__(self) -> bool:
        return not math.isnan(self)


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.mark.parametrize("is_repair", [False, True], ids=["first sync", "repair"])
def test_a_sync_that_fails(watched: Watched, *, is_repair: bool) -> None:
    if is_repair:
        watched.begin()
        watched.host.ruleset.tables["nat"].chains["KUBE-SERVICES"] = ()
        watched.loop.take(ForeignChange("firewalld", 7))
    watched.host.failures = repeat(REFUSED)
    if not is_repair:
        watched.begin()
    assert watched.after(59)[0]
    assert not watched.after(3)[0]
    assert watched.after(3600) == (False, True)
    watched.host.failures = iter(())
    assert watched.after(31) == (True, False)
    drift = {"ip_family": "IPv4", "cause": "firewalld"}
    assert watched.metrics.registry.get_sample_value("pykubeproxy_drift_repaired_total", drift) == (is_repair or None)


def test_what_has_nothing_to_do_is_well(watched: Watched) -> None:
    _, alerts = watched.after(3600)
    assert not alerts, "objects that are long in coming are no failure"
    watched.begin()
    assert watched.after(3600) == (True, False)
