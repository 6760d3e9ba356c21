"""With the two capabilities of the DaemonSet, no new privileges, and nothing to write to, everything works.

On the three nodes of e2e/, each with the proxy in a container made as manifests/overlays/replace asks for it.
"""

import sys
import sysconfig
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
import yaml

from docs import ROOT
from e2e.asking import Fate, ask
from e2e.cases import CASES
from e2e.cluster import Cluster
from e2e.judging import run_case, run_side_by_side
from e2e.three_nodes.services import SERVICES
from tests.e2e.combinations import ThreeNodes, has_rule, open_three_nodes
from tests.manifests.reading import containers, main, the
from tests.security import containment

NUMBERS = {"NET_ADMIN": 12, "NET_RAW": 13}
"""Of capabilities, as linux/capability.h has them."""


def write_config(folder: Path) -> Path:
    """The DaemonSet's configuration, but for where the API server is, and how soon it syncs."""
    config = yaml.safe_load(the("ConfigMap")["data"]["config.conf"])
    config |= {"clientConnection": {"kubeconfig": str(folder / "kubeconfig")}, "iptables": {"minSyncPeriod": "10ms"}}
    path = folder / "config.conf"
    path.write_text(yaml.safe_dump(config))
    return path


def command(container: dict[str, Sequence[str]], config: Path, node: str, backend: str) -> list[str]:
    """The container's command line, with this configuration and node."""
    words = {
        "kube-proxy": str(Path(sysconfig.get_path("scripts"), "kube-proxy")),
        "--config=/var/lib/kube-proxy/config.conf": f"--config={config}",
        "--hostname-override=$(NODE_NAME)": f"--hostname-override={node}",
    }
    return [*(words.get(word, word) for word in container["command"]), f"--backend={backend}", "--log-format=json"]


def start(folder: Path, backend: str, cluster: Cluster, node: str) -> None:
    """Run the init container to its end, and then start the other."""
    (folder / "xtables.lock").touch()
    init, proxy = (command(each, write_config(folder), node, backend) for each in containers())
    cluster.lab.nodes[node].exec(init)
    # What an image has in other places.
    programs = (ROOT, Path(sys.prefix), Path(sys.base_prefix))
    cluster.start(node, program=containment.argv(folder / "xtables.lock", (folder, *programs), proxy))


@pytest.fixture(scope="module", params=["nft", pytest.param("legacy", marks=pytest.mark.night)])
def contained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeNodes]:
    """The cluster on each backend, its proxies contained."""
    folder = tmp_path_factory.mktemp(f"contained-{request.param}")
    with open_three_nodes(request.param, folder, partial(start, folder, request.param)) as its:
        yield its


def test_it_holds_and_can_write_what_the_daemonset_grants_and_nothing_else(contained: ThreeNodes) -> None:
    context = main()["securityContext"]
    capabilities = sum(1 << NUMBERS[name] for name in context["capabilities"]["add"])
    places = {Path(mount["mountPath"]) for mount in main()["volumeMounts"] if not mount.get("readOnly")}
    assert not context["allowPrivilegeEscalation"]
    for proxy in contained.cluster.proxies.values():
        its = Path(f"/proc/{proxy.process.pid}")
        status = dict(line.split(":\t", 1) for line in (its / "status").read_text().splitlines())
        assert [int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")] == [capabilities] * 3
        assert [int(status[name], 16) for name in ("CapInh", "CapAmb")] == [0, 0]
        assert status["NoNewPrivs"] == "1"
        mounted = [line.split() for line in (its / "mountinfo").read_text().splitlines()]
        options = {Path(words[4]): words[5].split(",") for words in mounted}
        writable = {each for each in options if "rw" in options[each] and Path(f"{its}/root{each}").exists()}
        assert writable == places | {Path("/proc")}
        assert "ro" in options[Path("/proc/sys")]


def test_every_kind_of_service_answers(contained: ThreeNodes) -> None:
    """Or is refused or dropped, where that is right."""
    lab = contained.cluster.lab
    failing = [case for case in CASES if case.expect.fate is not Fate.ANSWERED]
    others = [case for case in CASES if case not in failing]
    results = list(run_side_by_side(lab, SERVICES, failing).values())
    results += [run_case(lab, SERVICES, case, (ask, contained.asker.ask)) for case in others]
    assert [(str(result.case), result.complaint) for result in results if result.complaint] == []


def test_drift_is_found_and_repaired(contained: ThreeNodes) -> None:
    node, proxy = contained.cluster.lab.nodes["node-a"], contained.cluster.proxies["node-a"]
    node.exec([f"iptables-{contained.backend}", "-t", "nat", "-F"])
    contained.cluster.wait(lambda: has_rule(contained, "node-a", "-d 10.96.0.10/32"), "rules of IPv4 again")
    contained.cluster.wait(lambda: proxy.told("rules were changed by another program; repaired") != [], "word of it")
    assert proxy.told("", level="error") == []
