"""kube-proxy itself as the judge: the same objects in an API server, and what it writes held against our linear text.

KUBE_PROXY_BIN names the program; without it, this project's own stands in. What the API server refuses is in neither
of the two clusters; what it fills in is in both, because the objects are read back from it.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e.lab import missing
from e2e.proxies import UNMANAGED
from pykubeproxy.model.endpoint import HEADLESS_LABEL, SERVICE_NAME_LABEL, EndpointSlice
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import SERVICE_PROXY_NAME_LABEL, Service
from tests.apiserver.server import ApiServer
from tests.apiserver.store import ApiError
from tests.builders import NODE_IPS
from tests.clusters import mixed_clusters
from tests.corpus import Example, canonical, host_addresses, rendered, sorted_dispatch, without_nfacct
from tests.host.namespace import namespace

Document = dict[str, Any]

PROGRAM = os.environ.get("KUBE_PROXY_BIN")
COMMAND = (PROGRAM,) if PROGRAM else (str(Path(sys.executable).with_name("kube-proxy")), "--dispatch=linear")
SECONDS = 60.0  # kube-proxy itself waits 30 for a Node that has no address
# A cluster takes kube-proxy as long as a hundred others take. The first example is always one of nothing.
THROUGH_PEER = settings(max_examples=max(settings().max_examples // 100, 4))

NODE: Document = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "zone-a"}},
    "status": {"addresses": [{"type": "InternalIP", "address": address} for address in NODE_IPS.values()]},
}
LOCAL_MODES = (
    ("--cluster-cidr=10.0.0.0/8,fd00:10::/64",),
    ("--cluster-cidr=10.0.0.0/8",),
    (),
    ("--detect-local-mode=InterfaceNamePrefix", "--pod-interface-name-prefix=veth"),
)
OTHER_FLAGS = (
    "--masquerade-all",
    "--iptables-localhost-nodeports=false",
    "--iptables-masquerade-bit=15",
    "--nodeport-addresses=primary",
    "--feature-gates=AllowServiceExternalIPs=false",
)


def service_document(obj: Service) -> Document:
    """A Service as the API has it; empty fields are left out."""
    policies = {True: "Local", False: "Cluster"}
    affinity = {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": obj.affinity_seconds}}}
    spec = {
        "type": obj.type,
        "clusterIP": obj.cluster_ip,
        "clusterIPs": obj.cluster_ips,
        "ipFamilies": obj.ip_families,
        "ports": [
            {"name": each.name, "protocol": each.protocol, "port": each.port, "nodePort": each.node_port}
            for each in obj.ports
        ],
        "externalIPs": [each.text for each in obj.external_ips],
        "loadBalancerSourceRanges": [each.text for each in obj.source_ranges],
        "externalTrafficPolicy": policies[obj.external_traffic_local],
        "internalTrafficPolicy": policies[obj.internal_traffic_local],
        "healthCheckNodePort": obj.health_check_node_port,
        **({"sessionAffinity": "ClientIP", **affinity} if obj.affinity_seconds is not None else {}),
    }
    labels = {SERVICE_PROXY_NAME_LABEL: "another"} if obj.has_foreign_proxy else {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": obj.key.namespace, "name": obj.key.name, "labels": labels},
        "spec": {key: value for key, value in spec.items() if value},
        "status": {"loadBalancer": {"ingress": [{"ip": each.text} for each in obj.load_balancer_ips]}},
    }


def slice_document(obj: EndpointSlice) -> Document:
    """An EndpointSlice as the API has it."""
    labels = {SERVICE_NAME_LABEL: obj.service.name, **({HEADLESS_LABEL: ""} if obj.is_headless else {})}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"namespace": obj.key.namespace, "name": obj.key.name, "labels": labels},
        "addressType": obj.family,
        "ports": [{"name": each.name, "protocol": each.protocol, "port": each.port} for each in obj.ports],
        "endpoints": [
            {
                "addresses": [each.address],
                "conditions": {"ready": each.ready, "serving": each.serving, "terminating": each.terminating},
                "hints": {
                    "forZones": [{"name": zone} for zone in each.zones],
                    "forNodes": [{"name": node} for node in each.nodes],
                },
                **({"nodeName": each.node_name} if each.node_name else {}),
            }
            for each in obj.endpoints
        ],
    }


def compare(command: Sequence[str], objects: Sequence[Document], flags: Sequence[str]) -> None:
    """Start a proxy on these objects, and wait until its rules of both families are ours; in a namespace of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fuzz-peer-")))
        server = stack.enter_context(ApiServer(kubernetes_service=False))
        for obj in objects:
            with suppress(ApiError):
                server.create(obj)
        taken = [obj for kind in ("Node", "Service", "EndpointSlice") for obj in server.objects(kind)]
        (folder / "objects.yaml").write_bytes(msgspec.json.encode({"apiVersion": "v1", "kind": "List", "items": taken}))
        (folder / "flags.txt").write_text("\n".join(["--hostname-override=n1", *flags]))
        addresses = host_addresses([*NODE_IPS.values(), "127.0.0.1", "::1"])
        wanted = rendered(Example(folder), "--dispatch", "linear", *addresses)
        server.kubeconfig(folder / "kubeconfig")
        log = stack.enter_context((folder / "log").open("w"))
        its_flags = ["--kubeconfig", str(folder / "kubeconfig"), "--hostname-override=n1", *UNMANAGED, *flags]
        process = subprocess.Popen([*command, "--proxy-mode=iptables", *its_flags], stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + SECONDS
            while time.monotonic() < deadline and process.poll() is None and live() != comparable(wanted):
                time.sleep(0.25)
            assert process.poll() is None, (folder / "log").read_text()[-500:]
            assert live() == comparable(wanted)
        finally:
            process.terminate()
            process.wait()


def live() -> dict[str, str]:
    tools = {family.lower(): f"{'iptables' if family is Family.IPV4 else 'ip6tables'}-save" for family in Family}
    return comparable({family: subprocess.check_output([tool], text=True) for family, tool in tools.items()})


def comparable(dumps: dict[str, str]) -> dict[str, str]:
    """Dumps without what is arbitrary in them: order among Services, counters, and tables without rules."""
    return {family: canonical(sorted_dispatch(without_nfacct(dump))) for family, dump in dumps.items()}


@THROUGH_PEER
@given(
    st.sampled_from(Family).flatmap(mixed_clusters),
    st.sampled_from(LOCAL_MODES),
    st.lists(st.sampled_from(OTHER_FLAGS), unique=True),
)
def test_kube_proxy(objects: list[Service | EndpointSlice], local_mode: tuple[str, ...], flags: list[str]) -> None:
    if lack := missing():
        pytest.skip(lack)
    documents = [
        NODE,
        *(service_document(obj) for obj in objects if isinstance(obj, Service)),
        *(slice_document(obj) for obj in objects if isinstance(obj, EndpointSlice)),
    ]
    with namespace() as node:
        for line in (
            "link add eth0 type veth peer name eth1",
            "link set eth0 up",
            f"address add {NODE_IPS[Family.IPV4]}/24 dev eth0",
            f"address add {NODE_IPS[Family.IPV6]}/64 dev eth0 nodad",
        ):
            node.exec("ip", *line.split())
        node.run(lambda: compare(COMMAND, documents, (*local_mode, *flags)))
