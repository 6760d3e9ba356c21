"""A node whose rules cannot be written says so: /healthz, and the alert for operators, whatever the sync was for."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import yaml

from pykubeproxy.daemon.follow.telemetry import Telemetry
from pykubeproxy.daemon.loop import Loop
from pykubeproxy.daemon.messages import ALL_KINDS, ForeignChange, ObjectsListed
from pykubeproxy.daemon.sync.family import FamilyProxy
from pykubeproxy.host.errors import RestoreError
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.observe.clock import Timestamp
from pykubeproxy.observe.health import ProxyHealth
from pykubeproxy.observe.metrics import Metrics
from pykubeproxy.observe.servers import Addresses, Servers
from pykubeproxy.web.messages import text_response
from tests.builders import NODE, options
from tests.daemon.fakes import Clock, changed, loop_of
from tests.memory_host import MemoryHost

RULES = Path(__file__).parents[3] / "manifests/components/alerts/prometheus-rules.yaml"
FIREWALLD = ForeignChange("firewalld", 7)


class BrokenHost(MemoryHost):
    """Refuses whatever is to be written, while it is broken."""

    is_broken = False

    def restore(self, lines: Iterable[str]) -> None:
        if self.is_broken:
            raise RestoreError("iptables-restore", "no")
        super().restore(lines)


class Watched:
    """A node with one family, and those who watch over it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.host = BrokenHost()
        self.metrics = Metrics(clock=self.clock)
        self.health = ProxyHealth(60, clock=lambda: Timestamp(int(self.clock.now * 1e9), self.clock.now))
        self.loop: Loop = loop_of(
            self.clock, FamilyProxy(options(Family.IPV4), self.host), wait_for=ALL_KINDS, min_interval=1.0
        )
        telemetry = Telemetry(
            families=(Family.IPV4,),
            node_name=NODE,
            metrics=self.metrics,
            health=self.health,
            servers=Servers(
                Addresses(health="", metrics=""),
                self.health,
                health_pages=lambda _: text_response(""),
                metrics_pages=lambda _: text_response(""),
                on_check_failed=lambda _: None,
            ),
            check_addresses=lambda *_: None,
        )
        telemetry.started()
        self.loop.follow(telemetry)

    def begin(self) -> None:
        self.loop.take(changed(Node(name=NODE)))
        self.loop.take(ObjectsListed(ALL_KINDS))
        self.loop.act()

    def pass_seconds(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.now += 1
            self.loop.act()

    @property
    def is_healthy(self) -> bool:
        return self.health.healthz().status == 200

    @property
    def alerts(self) -> bool:
        return holds(alert("KubeProxyNotSyncing"), self.value, self.clock.now)

    def value(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, {"ip_family": "IPv4"})


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_first_sync_that_fails(watched: Watched) -> None:
    watched.host.is_broken = True
    watched.begin()
    watched.pass_seconds(59)
    assert watched.is_healthy
    watched.pass_seconds(3)
    assert not watched.is_healthy
    watched.pass_seconds(3600)
    assert (watched.is_healthy, watched.alerts) == (False, True)
    watched.host.is_broken = False
    watched.pass_seconds(31)
    assert (watched.is_healthy, watched.alerts) == (True, False)


def test_a_repair_that_fails(watched: Watched) -> None:
    watched.begin()
    watched.host.is_broken = True
    watched.host.ruleset.tables["nat"].chains["KUBE-SERVICES"] = ()
    watched.loop.take(FIREWALLD)
    watched.pass_seconds(30)
    assert watched.is_healthy
    watched.pass_seconds(32)
    assert not watched.is_healthy
    watched.pass_seconds(3600)
    assert (watched.is_healthy, watched.alerts) == (False, True)
    watched.host.is_broken = False
    watched.pass_seconds(31)
    assert (watched.is_healthy, watched.alerts) == (True, False)


def test_what_has_nothing_to_do_is_well(watched: Watched) -> None:
    watched.pass_seconds(3600)
    assert not watched.alerts, "objects that are long in coming are no failure"
    watched.begin()
    watched.pass_seconds(3600)
    assert (watched.is_healthy, watched.alerts) == (True, False)


def alert(name: str) -> str:
    groups = yaml.safe_load(RULES.read_text())["spec"]["groups"]
    return next(str(rule["expr"]) for group in groups for rule in group["rules"] if rule.get("alert") == name)


def holds(expression: str, value: Callable[[str], float | None], now: float) -> bool:
    """Whether an alert's expression yields a series, where all series that it names have the same labels.

    Of PromQL, it knows what is used here: names, numbers, time(), -, >, and, unless, or, in the order in which they
    bind.
    """

    def number(text: str) -> float | None:
        terms = [term.strip() for term in text.split(" - ")]
        values = [now if term == "time()" else float(term) if term.isdecimal() else value(term) for term in terms]
        first, *others = values
        if first is None or None in others:
            return None
        return first - sum(other for other in others if other is not None)

    def is_there(text: str) -> bool:
        numbers = [number(side) for side in text.split(">")]
        return None not in numbers and (len(numbers) == 1 or numbers[0] > numbers[1])  # type: ignore[operator]

    def all_of(text: str) -> bool:
        first, *rest = re.split(r"\b(and|unless)\b", text)
        result = is_there(first)
        for operator, side in zip(rest[::2], rest[1::2], strict=True):
            result = result and is_there(side) is (operator == "and")
        return result

    return any(all_of(part) for part in re.split(r"\bor\b", " ".join(expression.split())))
