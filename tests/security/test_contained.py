"""With the two capabilities of the DaemonSet, no new privileges, and nothing to write to, everything works."""

import re
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from e2e.asking import ask
from e2e.expectation import Case, Fails
from e2e.lab import has_sctp
from e2e.making import port, service
from e2e.running import Result, run_case, run_side_by_side
from e2e.three_nodes.cases import CASES, SCTP
from e2e.three_nodes.exposed import exposed
from e2e.three_nodes.places import members
from e2e.three_nodes.services import DNS, HEALTH_PORT, MANIFESTS
from e2e.vocabulary import CLIENT, CLUSTER_IP, FAMILIES, POD_A, REFUSED, node_port
from tests.manifests.reading import main
from tests.security.contained import Contained
from tests.security.containment import LOCK, TMP

FAILING = [case for case in CASES if isinstance(case.expect, Fails)]
NUMBERS = {"NET_ADMIN": 12, "NET_RAW": 13}
"""Of capabilities, as linux/capability.h has them."""


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_it_holds_what_the_daemonset_grants_and_can_gain_nothing(contained: Contained) -> None:
    context = main()["securityContext"]
    granted = sum(1 << NUMBERS[name] for name in context["capabilities"]["add"])
    for proxy in contained.cluster.proxies.values():
        its = status(proxy.process.pid)
        sets = {name: int(its[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb")}
        assert sets == {"CapPrm": granted, "CapEff": granted, "CapBnd": granted, "CapInh": 0, "CapAmb": 0}
        assert its["NoNewPrivs"] == str(int(not context["allowPrivilegeEscalation"]))
        its_users = Path(f"/proc/{proxy.process.pid}/ns/user").readlink()
        assert its_users == Path("/proc/self/ns/user").readlink(), "the node's own user namespace"


def test_it_can_write_where_the_daemonset_lets_it_and_nowhere_else(contained: Contained) -> None:
    its = main()["volumeMounts"]
    granted = {Path(mount["mountPath"]) for mount in its if not mount.get("readOnly")}
    assert granted == {TMP, LOCK}
    for proxy in contained.cluster.proxies.values():
        lines = Path(f"/proc/{proxy.process.pid}/mountinfo").read_text().splitlines()
        options = {Path(line.split()[4]): line.split()[5].split(",") for line in lines}
        root = Path(f"/proc/{proxy.process.pid}/root")
        writable = {point for point in options if "rw" in options[point] and (root / point.relative_to("/")).exists()}
        assert writable == granted | {Path("/proc")}
        assert "ro" in options[Path("/proc/sys")]


def test_what_it_writes_there_is_for_itself_only(contained: Contained) -> None:
    for proxy in contained.cluster.proxies.values():
        tmp = Path(f"/proc/{proxy.process.pid}/root/tmp")
        listed = subprocess.run(["find", tmp, "-xdev", "-type", "f"], capture_output=True, text=True, check=True)
        modes = {Path(line).name: Path(line).stat().st_mode & 0o777 for line in listed.stdout.splitlines()}
        assert set(modes.values()) == {0o600}, modes


@pytest.fixture(scope="module")
def failures(contained: Contained) -> dict[Case, Result]:
    return run_side_by_side(contained.cluster.lab, MANIFESTS, FAILING)


def test_what_is_refused_or_dropped(failures: dict[Case, Result]) -> None:
    """REJECT, source ranges, and traffic policies."""
    assert [(str(case), result.complaint) for case, result in failures.items() if result.complaint] == []


def test_every_kind_of_service_answers(contained: Contained) -> None:
    ways = (ask, contained.residents.ask)
    cases = [case for case in CASES if case not in FAILING and (has_sctp() or case not in SCTP)]
    results = [run_case(contained.cluster.lab, MANIFESTS, case, ways) for case in cases]
    assert [(str(result.case), result.complaint) for result in results if result.complaint] == []


def test_udp_flows_follow_their_service(contained: Contained) -> None:
    made = service("flow", 110, port(53, DNS, name="dns", protocol="UDP", node_port=30210), type="NodePort")
    a1, c1 = members("a1", "c1")
    with exposed(contained.cluster, made, c1) as flow:
        ways = ((POD_A, CLUSTER_IP), (CLIENT, node_port("node-b")))
        asked = [(origin, flow.at(replace(target, family=family))) for origin, target in ways for family in FAMILIES]
        contained.asker.until_all_keep(asked, "c1")
        flow.serve(a1)
        contained.asker.until_all_keep(asked, "a1")
        flow.serve()
        contained.asker.until_all_keep(asked, REFUSED.fate)


def test_health_checks_of_services_are_served(contained: Contained) -> None:
    for node, said in (("node-a", 200), ("node-c", 503)):
        for address in contained.cluster.lab.node(node).spec.addresses:
            host = f"[{address}]" if address.version == 6 else address
            url = f"http://{host}:{HEALTH_PORT}/"
            asking = ["curl", "--silent", "--max-time", "5", "--output", "/dev/null", "--write-out", "%{http_code}"]
            assert contained.asker.place(CLIENT).exec([*asking, url]).stdout == str(said)


def test_drift_is_found_and_repaired(contained: Contained) -> None:
    node, proxy = contained.cluster.lab.node("node-a"), contained.cluster.proxies["node-a"]
    for tool in (f"iptables-{contained.backend}", f"ip6tables-{contained.backend}"):

        def rules(tool: str = tool) -> str:
            return re.sub(r"^#.*\n| \[\d+:\d+\]", "", node.exec([f"{tool}-save"]).stdout, flags=re.MULTILINE)

        before = rules()
        assert "KUBE-SVC-" in before
        node.exec([tool, "-t", "nat", "-F"])
        contained.cluster.wait(lambda rules=rules, before=before: rules() == before, f"{tool}: the same rules again")  # type: ignore[misc]
    assert proxy.told("rules were changed by another program; repaired")


def test_the_log_has_no_complaint(contained: Contained) -> None:
    for proxy in contained.cluster.proxies.values():
        complaints = [line for line in proxy.told("") if line["level"] in ("error", "warning")]
        # Node ports answer on all addresses, as kubeadm has it.
        expected = {
            "rules were changed by another program; repaired",
            "kube-proxy configuration may be incomplete or incorrect",
        }
        assert {line["event"] for line in complaints} <= expected, complaints
