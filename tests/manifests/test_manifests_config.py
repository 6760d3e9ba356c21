"""The ConfigMap and the command lines of manifests/ are understood, without a word of complaint."""

import subprocess
from pathlib import Path

import click
import msgspec

from pykubeproxy.cli.kube_proxy import main as kube_proxy
from pykubeproxy.config.completed import check, complete
from pykubeproxy.config.types import LocalMode
from tests.manifests.reading import FOLDER, SHADOW, containers, main, the

KUBEADM = (FOLDER.parent / "tests/config/data/kubeadm.conf").read_bytes()


def test_the_configuration_is_valid_and_leaves_nothing_to_fill_in() -> None:
    file = the("ConfigMap")["data"]["config.conf"].encode()
    completed = complete({"hostname-override": "node-a"}, file, hostname="elsewhere")
    check(completed)
    assert (completed.warnings, completed.node_name) == ((), "node-a")
    assert (completed.config.detect_local_mode, completed.cluster_cidrs) == (LocalMode.NODE_CIDR, ())
    port = int(completed.config.healthz_bind_address.rpartition(":")[2])
    for probe, path in {"livenessProbe": "/livez", "readinessProbe": "/healthz"}.items():
        get = main()[probe]["httpGet"]
        assert (get["path"], get["port"]) == (path, port)
    # The API server is found by the environment.
    assert completed.config.client_connection.kubeconfig == ""
    for container in containers():
        assert container["envFrom"] == [{"configMapRef": {"name": "kube-proxy-api-server"}}]


def test_the_command_is_kube_proxys_own_and_the_shadow_only_looks_on() -> None:
    init, proxy = containers()
    flags = ["--config=/var/lib/kube-proxy/config.conf", "--hostname-override=$(NODE_NAME)"]
    assert proxy["command"] == ["kube-proxy", *flags]
    assert init["command"] == [*proxy["command"], "--init-only"]
    shadow = ["kube-proxy", "--config=/tmp/config.conf", flags[1], "--dry-run", "--dispatch=linear"]
    assert main(SHADOW)["command"] == shadow
    for container in (init, proxy, main(SHADOW)):
        assert container["env"] == [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]
        name, *arguments = container["command"]
        with kube_proxy.make_context(name, arguments) as context:
            assert isinstance(context, click.Context)


def test_the_shadows_configuration_is_kube_proxys_but_for_ports_of_its_own(tmp_path: Path) -> None:
    """As its init container makes it, from the one that kubeadm writes."""
    (tmp_path / "config.conf").write_bytes(KUBEADM)
    *shell, script = containers(SHADOW)[0]["command"]
    (_, written) = main(SHADOW)["command"][1].split("=")
    moved = script.replace("/var/lib/kube-proxy/", f"{tmp_path}/").replace(written, f"{tmp_path}/shadow")
    subprocess.run([*shell, moved], check=True)
    shadow_file = (tmp_path / "shadow").read_bytes()
    original, shadow = (complete({}, text, hostname="node-a").config for text in (KUBEADM, shadow_file))
    ports = {"healthz_bind_address": "0.0.0.0:10276", "metrics_bind_address": "127.0.0.1:10269"}
    assert shadow == msgspec.structs.replace(original, **ports)
