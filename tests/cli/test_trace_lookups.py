"""Whose an address is, and whether it is for Services: by files, and by what `trace --source api` asks beside lists."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pykubeproxy.cli.main import main
from tests.apiserver import testing
from tests.apiserver.server import ApiServer
from tests.corpus import GOLDEN

OBJECTS = [
    testing.node("node-a", "172.31.1.1"),
    testing.endpoint_slice("np", "10.244.0.5", namespace="ns1"),
    testing.service("nobody", clusterIP="None"),
    testing.pod("client", "10.244.0.7", "fd00::7", nodeName="node-a"),
    testing.pod("done", "10.244.0.8", phase="Succeeded", nodeName="node-a"),
    testing.pod("heir", "10.244.0.8", nodeName="node-b"),
    *(testing.pod(f"agent-{its}", "172.31.1.2", nodeName="node-b", hostNetwork=True) for its in "xy"),
    testing.pod("here", "172.31.1.1", namespace="kube-system", nodeName="node-a", hostNetwork=True),
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "ServiceCIDR",
        "metadata": {"name": "more"},
        "spec": {"cidrs": ["10.98.0.0/16"]},
    },
]


NAMED = "(ns1/np:http)  # default/client on node-a\n"
RIGHTS = (("get", "pods"), ("list", "pods"), ("list", "servicecidrs"))


@pytest.fixture(scope="module")
def api() -> Iterator[ApiServer]:
    with ApiServer() as server:
        for obj in OBJECTS:
            server.create(obj)
        yield server


@pytest.mark.parametrize(
    ("client", "target", "expected", "without_rights"),
    [
        (
            "pod/default/client",
            "ns1/np",
            NAMED,
            "no IPv4 endpoint is a pod of this name, and the API server answers 403",
        ),
        ("10.244.0.7", "ns1/np", NAMED, "(ns1/np:http)\n"),
        ("10.244.0.8", "ns1/np", "(ns1/np:http)  # default/heir on node-b\n", "(ns1/np:http)\n"),
        ("172.31.1.2", "ns1/np", "(ns1/np:http)  # node-b\n", "(ns1/np:http)\n"),
        ("pod/kube-system/here", "ns1/np", "the node (172.31.1.1) → ", "403"),
        ("10.244.0.7", "10.244.0.8:80", "# default/heir on node-b\n", "10.244.0.8:80/tcp\n"),
        ("10.244.0.7", "10.98.0.5:80", "among the cluster IPs (10.98.0.0/16, by a ServiceCIDR)", "ACCEPT"),
        ("10.244.0.7", "10.96.1.9:80", "ACCEPT", "LOST"),
        ("pod/default/done", "ns1/np", "pod/default/done: this pod has no IPv4 address now", "403"),
        ("pod/default/client/x", "ns1/np", "is a pod of this name", "is a pod of this name; give its IP address"),
        ("10.244.0.7", "default/nobody", "default/nobody has no rules: headless", "has no rules: headless"),
    ],
)
def test_names(api: ApiServer, tmp_path: Path, *, client: str, target: str, expected: str, without_rights: str) -> None:
    (tmp_path / "objects.json").write_text(json.dumps({"kind": "List", "items": OBJECTS}))
    node = ("--host-address=172.31.1.1", "--hostname-override=node-a", "--cluster-cidr=10.244.0.0/16")
    flags = (*node, f"--kubeconfig={api.kubeconfig(tmp_path / 'kubeconfig')}")

    def output(source: str) -> str:
        words = ("trace", "--from", client, "--to", target, "--live", str(GOLDEN / "nodeport" / "ipv4.save"))
        return CliRunner().invoke(main, [*words, "--source", source, *flags]).output

    assert expected in output("api")
    assert all("fieldSelector" in each.query for each in api.requests.requests("list", "pods")), "never all of them"
    from_file = output(str(tmp_path / "objects.json"))
    assert (expected in from_file, "is not used here" in from_file) == (True, False)
    for verb, resource in RIGHTS:
        api.faults.fail(403, count=None, verb=verb, resource=resource)
    forbidden = output("api")
    api.faults.clear()
    assert without_rights in forbidden
    assert "403" not in forbidden or "403" in without_rights, "it is no error, and not worth a note"


@pytest.mark.parametrize("command", [("trace", "--from", "10.244.0.7", "--to", "ns1/np"), ("services",)])
def test_files_beside_the_api_server_are_said_not_to_be_read(
    api: ApiServer, tmp_path: Path, command: tuple[str, ...]
) -> None:
    live = ("--live", str(GOLDEN / "nodeport" / "ipv4.save"), "--cluster-cidr=10.244.0.0/16")
    source = ("-f", "never.yaml", "--source", "api", f"--kubeconfig={api.kubeconfig(tmp_path / 'kubeconfig')}")
    assert "never.yaml" in CliRunner().invoke(main, [*command, *live, *source]).stderr
