"""Names of chains: docs/reference/services.md section 12, docs/reference/test-scenarios.md section 4."""

import pytest

from pykubeproxy.model.service import Protocol
from pykubeproxy.rules.names import ChainNames, is_stale_candidate, service_hash, shortened, without_hash
from tests.builders import port, service_port

# (Service, port, protocol, endpoint): the hash in the names of the Service's chains, and in that of the endpoint's.
HASHES = {
    ("ns1/svc1", "p80", "TCP", "10.180.0.1:80"): ("XPGD46QRK7WJZT7O", "SXIVWICOYRO3J4NJ"),
    ("ns1/svc1", "p80", "TCP", "[fd00:10:180::1]:80"): ("XPGD46QRK7WJZT7O", "OGYCNMB4EMRUSJ6N"),
    ("ns1/svc1", "", "UDP", "10.0.1.1:53"): ("A2PEVXD55OHK2IVW", "IJYVMVKAHUUULWMA"),
    ("ns3/svc3", "p80", "TCP", "10.0.3.1:80"): ("X27LE4BHSL4DOUIK", "BSWRHOQ77KEXZLNL"),
}


def names_of(service: str, port_name: str, protocol: str) -> ChainNames:
    return ChainNames(service_port(service, ports=(port(port_name, protocol=Protocol(protocol)),)))


@pytest.mark.parametrize(("which", "digests"), HASHES.items())
def test_the_chains_of_a_service_port_share_a_hash(which: tuple[str, ...], digests: tuple[str, str]) -> None:
    *port_key, endpoint = which
    names = names_of(*port_key)
    chains = (names.cluster, names.local, names.external, names.firewall)
    assert chains == tuple(f"KUBE-{kind}-{digests[0]}" for kind in ("SVC", "SVL", "EXT", "FW"))
    assert names.endpoint(endpoint) == f"KUBE-SEP-{digests[1]}"
    assert {service_hash(chain) for chain in chains} == {digests[0]}
    assert service_hash(names.endpoint(endpoint)) == digests[1]


@pytest.mark.parametrize(
    ("chain", "bare", "short"),
    [
        ("KUBE-SEP-CDGGSHYLG3RE2FKL", "KUBE-SEP-", "KUBE-SEP-CDGG…"),
        ("KUBE-SVC-CDGGSHYLG3RE2FKL-1f", "KUBE-SVC-", "KUBE-SVC-CDGG…-1f"),
        ("KUBE-SVC-10.96.0.0/16", "KUBE-SVC-10.96.0.0/16", "KUBE-SVC-10.96.0.0/16"),
        ("KUBE-SERVICES", "KUBE-SERVICES", "KUBE-SERVICES"),
    ],
)
def test_names_without_their_hash_and_in_pictures(chain: str, bare: str, short: str) -> None:
    assert without_hash(chain) == bare
    assert shortened(chain) == short
    assert bool(service_hash(chain)) is (bare != chain)


@pytest.mark.parametrize(
    ("table", "chain", "stale"),
    [
        ("nat", "KUBE-SVC-XPGD46QRK7WJZT7O", True),
        ("nat", "KUBE-SVL-X", True),
        ("nat", "KUBE-SEP-", True),
        ("nat", "KUBE-FW-A", True),
        ("nat", "KUBE-EXT-A", True),
        ("nat", "KUBE-SVC", False),
        ("nat", 'KUBE-SVC-"', False),
        ("nat", "KUBE-SVC-AAAAAAAAAAAAAAAAAAAA", False),
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
