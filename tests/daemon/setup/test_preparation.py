"""Kernel settings before the first sync: docs/reference/lifecycle.md section 8, on folders that stand for /proc and
/sys.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from pykubeproxy.config.completed import Completed, complete
from pykubeproxy.daemon.setup.preparation import PreparationError, prepare
from pykubeproxy.daemon.setup.rule_options import NodeFacts
from pykubeproxy.host.sysctl import Sysctls
from pykubeproxy.model.ip import Family
from tests.host.namespace import namespace, needs_root

LOCALNET = "proc/sys/net/ipv4/conf/all/route_localnet"
ESTABLISHED = "proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established"
CLOSE_WAIT = "proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait"
MOST = "proc/sys/net/netfilter/nf_conntrack_max"
SETTINGS = {LOCALNET: "0", ESTABLISHED: "432000", CLOSE_WAIT: "60"}
WANTED = {LOCALNET: "1", ESTABLISHED: "86400", CLOSE_WAIT: "3600"}


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


def make(
    sysctls: Sysctls, *, families: Collection[Family] = tuple(Family), must_succeed: bool = True, **flags: object
) -> None:
    """Make the settings of a node of which nothing is known."""
    prepare(completed(**flags), NodeFacts(), sysctls, families=families, must_succeed=must_succeed)


def made(root: Path) -> dict[str, str]:
    """The settings that are there, and their values."""
    return {name: (root / name).read_text().strip() for name in SETTINGS if (root / name).exists()}


@pytest.mark.parametrize(
    "less",
    [
        {"iptables_localhost_nodeports": False},
        {"nodeport_addresses": ("192.0.2.0/24",)},
        # No IPv4 rule would keep neighbours out.
        {"families": {Family.IPV6}},
    ],
    ids=str,
)
def test_localhost_stays_closed_where_node_ports_do_not_answer_there(root: Path, less: dict[str, Any]) -> None:
    make(Sysctls(root), **less)
    assert made(root) == WANTED | {LOCALNET: "0"}


OTHER_TIME = "connections are remembered for another time than configured"
CONNTRACK = "could not set conntrack parameters from kube-proxy configuration: "


@pytest.mark.parametrize(
    ("broken", "problem", "consequence"),
    [
        (ESTABLISHED, CONNTRACK, OTHER_TIME),
        (LOCALNET, "unable to create proxier: ", "node ports do not answer on 127.0.0.1"),
    ],
)
def test_a_failure_is_fatal_where_a_cluster_manages_the_node_and_keeps_no_other_from_being_made(
    root: Path, broken: str, problem: str, consequence: str
) -> None:
    (root / broken).unlink()
    rest = {name: value for name, value in WANTED.items() if name != broken}
    with pytest.raises(PreparationError) as failed:
        make(Sysctls(root))
    assert str(failed.value).startswith(f"{problem}cannot read {root / broken}: ")
    assert made(root) == rest
    for name in rest:
        (root / name).write_text(SETTINGS[name])
    with capture_logs() as logs:
        make(Sysctls(root), must_succeed=False)
    (warning,) = (line for line in logs if line["log_level"] == "warning")
    assert warning["event"].startswith(f"cannot read {root / broken}: ")
    assert warning["consequence"] == consequence
    assert made(root) == rest


@needs_root
@pytest.mark.parametrize("more", [0, 1])
def test_a_namespace_has_the_machines_table(more: int) -> None:
    """In a namespace of its own the sizes of the table cannot be changed: what is too small is told, and not fatal."""
    its = int(Path("/", MOST).read_text())
    with namespace() as node, capture_logs() as logs:
        node.run(lambda: make(Sysctls(), conntrack_max_per_core=1, conntrack_min=its + more))
        assert node.run(lambda: made(Path("/"))) == WANTED
    warnings = [(line["event"], line["consequence"]) for line in logs if line["log_level"] == "warning"]
    told = (
        f"cannot set /{MOST} from {its} to {its + more}: this can only be done in the machine's first network namespace"
    )
    assert warnings[:1] == [(told, "when the table is full, packets of new connections are dropped")][:more]
