"""The configuration as text."""

import json
from pathlib import Path

from msgspec.structs import replace

from pykubeproxy.config.completed import complete
from pykubeproxy.config.defaults import DEFAULTS
from pykubeproxy.config.flag_table import FLAG_BY_NAME
from pykubeproxy.config.load import load
from pykubeproxy.config.types import ClientConnection, Logging, VModuleItem
from pykubeproxy.config.write import as_api_object, write

DATA = Path(__file__).parent / "data"


def test_defaults_are_written_as_kube_proxy_writes_them() -> None:
    assert write(complete({}, None, "node").config) == (DATA / "defaults.yaml").read_text()


def test_configz_is_the_same_object_in_the_api_s_own_order() -> None:
    given = {
        "kube-api-content-type": "application/json",
        "v": "9",
        "hostname-override": "test-node",
        "profiling": "true",
        "conntrack-max-per-core": "0",
        "conntrack-tcp-timeout-established": "0s",
        "conntrack-tcp-timeout-close-wait": "0s",
        "cluster-cidr": "10.0.0.0/8,fd00:10::/64",
    }
    flags = {name: FLAG_BY_NAME[name].type.read(text) for name, text in given.items()}
    shown = {"kubeproxy.config.k8s.io": as_api_object(complete(flags, None, "node").config)}
    assert json.dumps(shown, separators=(",", ":")) == (DATA / "configz.json").read_text().rstrip()


def test_what_is_written_loads_again() -> None:
    config = replace(
        DEFAULTS,
        feature_gates={"AllowServiceExternalIPs": False},
        healthz_bind_address="[::]:10256",
        node_port_addresses=("10.0.0.0/8", "fd00::/8"),
        client_connection=ClientConnection(qps=2.5),
        logging=Logging(vmodule=(VModuleItem(file_pattern="a*", verbosity=3),)),
        hostname_override="123",
        windows_run_as_service=True,
    )
    text = write(config)
    assert "healthzBindAddress: '[::]:10256'\n" in text
    assert "nodePortAddresses:\n- 10.0.0.0/8\n- fd00::/8\n" in text
    assert "  qps: 2.5\n" in text
    assert 'hostnameOverride: "123"\n' in text
    assert load(text.encode()).config == config
    assert load(text.encode()).warnings == ()


def test_nothing_is_folded_or_aliased() -> None:
    long = "a " * 200 + "b"
    config = replace(DEFAULTS, port_range=long, node_port_addresses=("x",), ipvs=replace(DEFAULTS.ipvs, scheduler="x"))
    assert f"portRange: {long}\n" in write(config)
    assert "&" not in write(config)
