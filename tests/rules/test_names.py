"""Names of chains: docs/reference/services.md section 12, docs/reference/test-scenarios.md section 4."""

from base64 import b32encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.model.service import Protocol
from pykubeproxy.rules.names import (
    LONGEST_NAME,
    ChainNames,
    is_stale_candidate,
    service_hash,
    shortened,
    subtree,
    without_hash,
)
from tests.builders import port, service_port

SERVICE_HASHES = {
    ("ns1/svc1", "p80", "TCP"): "XPGD46QRK7WJZT7O",
    ("ns2/svc2", "p80", "TCP"): "GNZBNJ2PO5MGZ6GT",
    ("ns1/svc1", "", "TCP"): "AQI2S6QIMU7PVVRP",
    ("ns1/svc1", "", "UDP"): "A2PEVXD55OHK2IVW",
    ("ns1/svc1", "", "SCTP"): "XEX64ODZFKX54AW6",
    ("kube-system/kube-dns", "dns", "UDP"): "TCOU7JCQXEZGVUNU",
    ("kube-system/kube-dns", "dns-tcp", "TCP"): "ERIFXISQEP7F7OF4",
    ("default/kubernetes", "https", "TCP"): "NPX46M4PTMTKRN6Y",
    ("ns4/svc4", "p8082", "TCP"): "EBDQOQU5SJFXRIL3",
    ("ns2/svc2", "p8080", "TCP"): "2VJB64SDSIJUP5T6",
    ("ns3/svc3", "p80", "TCP"): "X27LE4BHSL4DOUIK",
    ("ns4/svc4", "p80", "TCP"): "4SW47YFZTEDKD3PK",
}
ENDPOINT_HASHES = {
    ("ns1/svc1", "p80", "TCP", "10.180.0.1:80"): "SXIVWICOYRO3J4NJ",
    ("ns1/svc1", "p80", "TCP", "10.0.1.1:80"): "SNQ3ZNILQDEJNDQO",
    ("ns1/svc1", "p80", "TCP", "[fd00:10:180::1]:80"): "OGYCNMB4EMRUSJ6N",
    ("ns1/svc1", "", "UDP", "10.0.1.1:53"): "IJYVMVKAHUUULWMA",
    ("ns1/svc1", "p80", "TCP", "10.0.0.0:80"): "DKGQUZGBKLTPAR56",
    ("ns3/svc3", "p8081", "TCP", "203.0.113.4:8081"): "RUVVH7YV3PHQBDOS",
    ("ns4/svc4", "p8082", "TCP", "10.4.0.1:8082"): "SU5STNODRYEWJAUF",
    ("ns2/svc2", "p8080", "TCP", "10.0.2.1:8080"): "UHEGFW77JX3KXTOV",
    ("ns3/svc3", "p80", "TCP", "10.0.3.1:80"): "BSWRHOQ77KEXZLNL",
    ("ns4/svc4", "p80", "TCP", "10.0.4.1:80"): "AYCN5HPXMIRJNJXU",
}


def names_of(service: str, port_name: str, protocol: str) -> ChainNames:
    return ChainNames(service_port(service, ports=(port(port_name, protocol=Protocol(protocol)),)))


@pytest.mark.parametrize(("which", "digest"), SERVICE_HASHES.items())
def test_the_chains_of_a_service_port_share_a_hash(which: tuple[str, str, str], digest: str) -> None:
    names = names_of(*which)
    assert (names.cluster, names.local, names.external, names.firewall) == (
        f"KUBE-SVC-{digest}",
        f"KUBE-SVL-{digest}",
        f"KUBE-EXT-{digest}",
        f"KUBE-FW-{digest}",
    )


@pytest.mark.parametrize(("which", "digest"), ENDPOINT_HASHES.items())
def test_an_endpoint_chain_has_its_own(which: tuple[str, str, str, str], digest: str) -> None:
    *port_key, text = which
    assert names_of(*port_key).endpoint(text) == f"KUBE-SEP-{digest}"


@pytest.mark.parametrize(
    ("table", "chain", "stale"),
    [
        ("nat", "KUBE-SVC-XPGD46QRK7WJZT7O", True),
        ("nat", "KUBE-SVL-X", True),
        ("nat", "KUBE-SEP-", True),
        ("nat", "KUBE-FW-A", True),
        ("nat", "KUBE-EXT-A", True),
        ("nat", "KUBE-SVC", False),
        ("nat", "KUBE-SERVICES", False),
        ("nat", "KUBE-MARK-DROP", False),
        ("nat", "KUBE-KUBELET-CANARY", False),
        ("nat", "MY-KUBE-SVC-A", False),
        ("nat", "kube-svc-a", False),
        ("mangle", "KUBE-SVC-A", False),
        ("mangle", "KUBE-IPTABLES-HINT", False),
    ],
)
def test_which_chains_may_be_deleted(table: str, chain: str, *, stale: bool) -> None:
    assert is_stale_candidate(table, chain) is stale


@pytest.mark.parametrize(
    ("title", "readable"), [("10.96.4.0/24", True), ("192.168.100.100/32", True), ("fd00:96:1:2:3:4::/96", False)]
)
def test_a_regions_name_fits_the_kernel(title: str, *, readable: bool) -> None:
    name = subtree("KUBE-SVC-", title)
    assert len(name) <= LONGEST_NAME == 28
    assert (name == f"KUBE-SVC-{title}") is readable
    assert is_stale_candidate("nat", name)
    assert not service_hash(name), "it must not be taken for the chain of a Service"


def test_regions_have_names_of_their_own() -> None:
    titles = [f"fd00:96:1:2:3:4:{number:x}::/112" for number in range(100)]
    assert len({subtree("KUBE-SVC-", title) for title in titles}) == 100


def test_the_hash_in_a_name() -> None:
    names = names_of("ns1/svc1", "p80", "TCP")
    chains = (names.cluster, names.local, names.external, names.firewall)
    assert {service_hash(chain) for chain in chains} == {"XPGD46QRK7WJZT7O"}
    assert service_hash(names.endpoint("10.180.0.1:80")) == "SXIVWICOYRO3J4NJ"
    assert [service_hash(chain) for chain in ("KUBE-SERVICES", "KUBE-SVC-10.96.0.0/16", "INPUT")] == ["", "", ""]


@given(st.text())
def test_hashes_are_those_of_the_standard_library(endpoint: str) -> None:
    expected = b32encode(sha256(f"ns/web:httptcp{endpoint}".encode()).digest())[:16].decode()
    assert names_of("ns/web", "http", "TCP").endpoint(endpoint) == f"KUBE-SEP-{expected}"


def test_names_without_their_hash() -> None:
    assert without_hash("KUBE-SEP-CDGGSHYLG3RE2FKL") == "KUBE-SEP-"
    assert without_hash("KUBE-SVC-CDGGSHYLG3RE2FKL-1f") == "KUBE-SVC-"
    assert without_hash("KUBE-SERVICES") == "KUBE-SERVICES"


def test_names_in_pictures() -> None:
    assert shortened("KUBE-SVC-CDGGSHYLG3RE2FKL") == "KUBE-SVC-CDGG…"
    assert shortened("KUBE-SERVICES") == "KUBE-SERVICES"
