"""The names of pods that `top` shows are those of now, by files and by the API server."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from pykubeproxy.cli.inputs import complete_config
from pykubeproxy.cli.top_names import Names, names_from
from pykubeproxy.model.ip import Family
from pykubeproxy.traffic.rates import EndpointRate, Rates, ServiceRate
from tests.apiserver import testing
from tests.apiserver.server import ApiServer

UNKNOWN = ("", "")
NOTHING: dict[str, Any] = {"connections": 1, "rate": 1.0, "share": 1.0, "history": ()}
ENDPOINTS = tuple(EndpointRate(endpoint=f"10.244.0.{its}:80", expected=1.0, **NOTHING) for its in (1, 2))
WEB = ServiceRate(family=Family.IPV4, service="default/web:http", protocol="TCP", endpoints=ENDPOINTS, **NOTHING)
RATES = Rates(seconds=1.0, connections=1, services=(WEB,), known_ports=1, known_services=1, known_endpoints=1)


def slice_of(pod: str) -> dict[str, Any]:
    endpoint = {"addresses": ["10.244.0.1"], "nodeName": "node-a"}
    target = {"targetRef": {"kind": "Pod", "namespace": "default", "name": pod}}
    return testing.endpoint_slice("web-1", of="web", endpoints=[{**endpoint, **target}])


def shown(names: Names, *expected: tuple[str, str]) -> None:
    deadline = time.monotonic() + 10
    while (found := tuple((its.pod, its.node) for its in names.add_to(RATES).services[0].endpoints)) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_names_are_those_of_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = tmp_path / "objects.json"
    manifest.write_text(json.dumps({"kind": "List", "items": [slice_of("web-1"), testing.pod("web-2", "10.244.0.2")]}))
    with names_from((str(manifest),), None) as names:
        shown(names, ("default/web-1", "node-a"), ("default/web-2", ""))
        manifest.write_text(json.dumps(slice_of("web-3")))
        shown(names, ("default/web-3", "node-a"), UNKNOWN)
    with ApiServer() as api:
        api.create(slice_of("web-1"))
        completed = complete_config({"kubeconfig": str(api.kubeconfig(tmp_path / "kubeconfig"))})
        with names_from(("api",), completed) as names:
            shown(names, ("default/web-1", "node-a"), UNKNOWN)
            api.delete("EndpointSlice", "default", "web-1")
            shown(names, UNKNOWN, UNKNOWN)
        api.faults.fail(403, count=None)
        with names_from(("api",), completed) as names:
            assert "note: cannot list EndpointSlices: RBAC has to allow list" in capsys.readouterr().err
            shown(names, UNKNOWN, UNKNOWN)
