"""Whose an address is, and whether it is for Services: by files, and by what `trace --source api` asks beside lists."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.main import main
from tests.apiserver import testing
from tests.apiserver.server import ApiServer
from tests.corpus import GOLDEN


def pod(name: str, ip: str, node: str = "node-a", phase: str = "Running", **spec: Any) -> dict[str, Any]:
    namespace, _, name = name.partition("/")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"nodeName": node, **spec},
        "status": {"phase": phase, "podIP": ip, "podIPs": [{"ip": ip}, {"ip": "fd00::7"}][: 1 + (name == "client")]},
    }


OBJECTS = [
    testing.node("node-a", "172.31.1.1"),
    testing.endpoint_slice("np", "10.244.0.5", namespace="ns1"),
    pod("default/client", "10.244.0.7"),
    pod("default/done", "10.244.0.8", phase="Succeeded"),
    pod("default/heir", "10.244.0.8", "node-b"),
    *(pod(f"kube-system/agent-{its}", "172.31.1.2", "node-b", hostNetwork=True) for its in "xy"),
    pod("kube-system/here", "172.31.1.1", hostNetwork=True),
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "ServiceCIDR",
        "metadata": {"name": "more"},
        "spec": {"cidrs": ["10.98.0.0/16"]},
    },
]


@pytest.fixture(scope="module")
def api() -> Iterator[ApiServer]:
    with ApiServer() as server:
        for obj in OBJECTS:
            server.create(obj)
        yield server


@pytest.fixture
def ask(api: ApiServer, tmp_path: Path) -> Iterator[Any]:
    kubeconfig = api.kubeconfig(tmp_path / "kubeconfig")
    dump = ("--live", str(GOLDEN / "nodeport" / "ipv4.save"), "--host-address=172.31.1.1", "--hostname-override=node-a")

    def asked(client: str, target: str, source: str = "api") -> Result:
        words = ("trace", "--from", client, "--to", target, *dump, f"--source={source}", f"--kubeconfig={kubeconfig}")
        return CliRunner().invoke(main, [*words, "--cluster-cidr=10.244.0.0/16"])

    yield asked
    api.faults.clear()


@pytest.mark.parametrize(
    ("client", "target", "expected"),
    [
        ("pod/default/client", "ns1/np", "(ns1/np:http)  # default/client on node-a\n"),
        ("10.244.0.7", "ns1/np", "(ns1/np:http)  # default/client on node-a\n"),
        ("10.244.0.8", "ns1/np", "# default/heir on node-b"),
        ("172.31.1.2", "ns1/np", "(ns1/np:http)  # node-b\n"),
        ("pod/kube-system/here", "ns1/np", "the node (172.31.1.1) → "),
        ("10.244.0.7", "10.244.0.8:80", "# default/heir on node-b\n"),
        ("10.244.0.7", "10.98.0.5:80", "LOST"),
        ("10.244.0.7", "10.96.1.9:80", "ACCEPT"),
        ("pod/default/done", "ns1/np", "pod/default/done: this pod has no IPv4 address now"),
    ],
)
def test_names(tmp_path: Path, ask: Any, client: str, target: str, expected: str) -> None:
    manifest = tmp_path / "objects.json"
    manifest.write_text(json.dumps({"kind": "List", "items": OBJECTS}))
    for source in ("api", str(manifest)):
        result = ask(client, target, source)
        assert expected in result.output
        assert "is not used here" not in result.stderr


@pytest.mark.parametrize(
    ("client", "target", "expected"),
    [
        ("10.244.0.7", "ns1/np", "10.244.0.7 →"),
        ("10.244.0.7", "10.98.0.5:80", "ACCEPT"),
        ("10.244.0.7", "10.96.1.9:80", "LOST"),
        ("pod/default/client", "ns1/np", "no IPv4 endpoint is a pod of this name, and the API server answers 403"),
        ("pod/default/client/x", "ns1/np", "no IPv4 endpoint is a pod of this name; give its IP address"),
    ],
)
def test_without_the_right_to_ask(api: ApiServer, ask: Any, client: str, target: str, expected: str) -> None:
    for verb, resource in (("get", "pods"), ("list", "pods"), ("list", "servicecidrs")):
        api.faults.fail(403, count=None, verb=verb, resource=resource)
    result = ask(client, target)
    assert expected in result.output
    assert result.exit_code == 2 or "403" not in result.output


def test_pods_are_never_listed_all(api: ApiServer, ask: Any) -> None:
    api.requests.clear()
    ask("10.244.0.7", "10.244.0.8:80")
    selectors = [each.query["fieldSelector"] for each in api.requests.requests("list", "pods")]
    assert selectors == ["status.podIP=10.244.0.7", "status.podIP=10.244.0.8"]
