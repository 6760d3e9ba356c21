"""The ConfigMap and the command lines of manifests/ are understood, without a word of complaint."""

import subprocess
from pathlib import Path

import click
import msgspec
import pytest

from pykubeproxy.cli.kube_proxy import main as kube_proxy
from pykubeproxy.config.completed import Completed, check, complete
from pykubeproxy.config.types import LocalMode
from tests.manifests.reading import SHADOW, containers, main, the

PROJECT = Path(__file__).parents[2]
KUBEADM = (PROJECT / "tests/config/data/kubeadm.conf").read_bytes()
PROBED = {"livenessProbe": "/livez", "readinessProbe": "/healthz"}


@pytest.fixture(scope="module")
def completed() -> Completed:
    file = the("ConfigMap")["data"]["config.conf"].encode()
    return complete({"hostname-override": "node-a"}, file, hostname="elsewhere")


def test_the_configuration_is_complete_and_valid(completed: Completed) -> None:
    check(completed)
    assert completed.warnings == ()
    assert completed.node_name == "node-a"


def test_pods_are_told_from_others_without_anything_to_fill_in(completed: Completed) -> None:
    assert completed.config.detect_local_mode == LocalMode.NODE_CIDR
    assert completed.cluster_cidrs == ()


def test_the_api_server_is_found_by_the_environment(completed: Completed) -> None:
    assert completed.config.client_connection.kubeconfig == ""
    for container in containers():
        assert container["envFrom"] == [{"configMapRef": {"name": "kube-proxy-api-server"}}]


def test_probes_ask_where_health_is_served(completed: Completed) -> None:
    port = int(completed.config.healthz_bind_address.rpartition(":")[2])
    for probe, path in PROBED.items():
        get = main()[probe]["httpGet"]
        assert (get["path"], get["port"]) == (path, port)


def test_the_command_is_kube_proxys_own() -> None:
    init, proxy = containers()
    assert proxy["command"] == [
        "kube-proxy",
        "--config=/var/lib/kube-proxy/config.conf",
        "--hostname-override=$(NODE_NAME)",
    ]
    assert init["command"] == [*proxy["command"], "--init-only"]


@pytest.mark.parametrize("container", [*containers(), main(SHADOW)], ids=lambda each: each["command"][-1])
def test_the_command_line_is_understood(container: dict[str, list[str]]) -> None:
    name, *arguments = container["command"]
    with kube_proxy.make_context(name, arguments) as context:
        assert isinstance(context, click.Context)


def test_the_node_name_comes_from_the_pod() -> None:
    for container in (*containers(), main(SHADOW)):
        assert container["env"] == [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]


def test_the_shadow_only_looks_on() -> None:
    config = "--config=/tmp/config.conf"
    name, _, *others = main()["command"]
    assert main(SHADOW)["command"] == [name, config, *others, "--dry-run", "--dispatch=linear"]


def test_the_shadows_configuration_is_kube_proxys_but_for_ports_of_its_own(tmp_path: Path) -> None:
    """As its init container makes it, from the one that kubeadm writes."""
    (tmp_path / "config.conf").write_bytes(KUBEADM)
    *shell, script = containers(SHADOW)[0]["command"]
    (_, written) = main(SHADOW)["command"][1].split("=")
    moved = script.replace("/var/lib/kube-proxy/", f"{tmp_path}/").replace(written, f"{tmp_path}/shadow")
    subprocess.run([*shell, moved], check=True)
    shadow_file = (tmp_path / "shadow").read_bytes()
    original, shadow = (complete({}, text, hostname="node-a").config for text in (KUBEADM, shadow_file))
    assert shadow.healthz_bind_address == "0.0.0.0:10276"
    assert shadow.metrics_bind_address == "127.0.0.1:10269"
    theirs = (original.healthz_bind_address, original.metrics_bind_address)
    assert msgspec.structs.replace(shadow, healthz_bind_address=theirs[0], metrics_bind_address=theirs[1]) == original
