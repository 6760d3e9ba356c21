"""Kernel settings before the first sync: lifecycle.md section 8, on folders that stand for /proc and /sys."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pykubeproxy.config.completed import Completed, complete
from pykubeproxy.daemon import preparation
from pykubeproxy.daemon.preparation import PreparationError, prepare, protect_from_oom_killer
from pykubeproxy.daemon.settings import NodeFacts
from pykubeproxy.host.machine import OomScoreError
from pykubeproxy.host.sysctl import Sysctls
from pykubeproxy.model.ip import Family
from tests.apiserver.cluster import Cluster
from tests.daemon.node import Node

LOCALNET = "proc/sys/net/ipv4/conf/all/route_localnet"
ESTABLISHED = "proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established"
BOTH = tuple(Family)
SETTINGS = {LOCALNET: "0", ESTABLISHED: "432000", "proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait": "60"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, value in SETTINGS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{value}\n")
    return tmp_path


def completed(**flags: object) -> Completed:
    """The configuration that flags amount to; it leaves the size of the table alone."""
    given = {"conntrack-max-per-core": 0, **{name.replace("_", "-"): value for name, value in flags.items()}}
    return complete(given, None, "node")


def test_settings_are_made_and_told(root: Path) -> None:
    with capture_logs() as logs:
        prepare(completed(), NodeFacts(), Sysctls(root), families=BOTH, must_succeed=True)
    assert (root / ESTABLISHED).read_text() == "86400\n"
    assert (root / LOCALNET).read_text() == "1\n"
    assert [line["value"] for line in logs] == [86400, 3600]


def test_localhost_stays_closed_where_node_ports_do_not_answer_there(root: Path) -> None:
    prepare(completed(iptables_localhost_nodeports=False), NodeFacts(), Sysctls(root), families=BOTH, must_succeed=True)
    prepare(
        completed(nodeport_addresses=("192.0.2.0/24",)), NodeFacts(), Sysctls(root), families=BOTH, must_succeed=True
    )
    assert (root / LOCALNET).read_text() == "0\n"


def test_localhost_stays_closed_where_no_ipv4_rule_would_keep_neighbours_out(root: Path) -> None:
    prepare(completed(), NodeFacts(), Sysctls(root), families={Family.IPV6}, must_succeed=True)
    assert (root / LOCALNET).read_text() == "0\n"
    assert (root / ESTABLISHED).read_text() == "86400\n"


@pytest.mark.parametrize(("family", "value"), [("ipv6", "0"), ("ipv4", "1")])
def test_a_daemon_opens_localhost_for_ipv4_only(node: Node[Cluster], family: str, value: str) -> None:
    node.start(f"--family={family}").wait_synced(1)
    assert node.inside(Path("/", LOCALNET).read_text) == f"{value}\n"


@pytest.mark.parametrize(
    ("missing", "problem"),
    [
        (ESTABLISHED, "could not set conntrack parameters from kube-proxy configuration: "),
        (LOCALNET, "unable to create proxier: "),
    ],
)
def test_a_failure_is_fatal_where_a_cluster_manages_the_node(root: Path, missing: str, problem: str) -> None:
    (root / missing).unlink()
    with pytest.raises(PreparationError) as failed:
        prepare(completed(), NodeFacts(), Sysctls(root), families=BOTH, must_succeed=True)
    assert str(failed.value).startswith(problem)
    with capture_logs() as logs:
        prepare(completed(), NodeFacts(), Sysctls(root), families=BOTH, must_succeed=False)
    warnings = [line["event"] for line in logs if line["log_level"] == "warning"]
    assert [text.startswith(problem) for text in warnings] == [True]


def test_a_shadow_tells_what_it_does_not_do(root: Path) -> None:
    with capture_logs() as logs:
        prepare(completed(), NodeFacts(), Sysctls(root, read_only=True), families=BOTH, must_succeed=False)
    assert {name: (root / name).read_text().strip() for name in SETTINGS} == SETTINGS
    assert [line["log_level"] for line in logs] == ["warning", "warning"]
    assert all("this mode never writes settings" in line["event"] for line in logs)


def test_being_killed_first_is_not_fatal_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = []

    def refuse(score: int) -> None:
        scores.append(score)
        raise OomScoreError("no")

    monkeypatch.setattr(preparation, "set_oom_score_adj", refuse)
    with capture_logs() as logs:
        protect_from_oom_killer(completed(oom_score_adj=-500))
    assert scores == [-500]
    assert [(line["log_level"], line["why"]) for line in logs] == [("info", "no")]
