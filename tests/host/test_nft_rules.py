import sys

from pykubeproxy.host.nft_rules import existing_chains
from pykubeproxy.model.ip import Family
from tests.host.namespace import namespace, needs_root

pytestmark = needs_root

RULES = "*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-SERVICES-OF-MINE - [0:0]\nCOMMIT\n"


def test_chains_are_found_by_family_table_and_name() -> None:
    asked = ("KUBE-SERVICES", "KUBE-SERVICE", "PREROUTING")
    with namespace() as node:
        before = node.run(lambda: existing_chains(Family.IPV4, "nat", asked))
        node.exec("iptables-nft-restore", "--noflush", stdin=RULES)
        node.exec("iptables-nft", "-t", "nat", "-A", "PREROUTING", "-j", "KUBE-SERVICES")
        found = node.run(lambda: existing_chains(Family.IPV4, "nat", asked))
        elsewhere = [
            node.run(lambda: existing_chains(Family.IPV6, "nat", asked)),
            node.run(lambda: existing_chains(Family.IPV4, "mangle", asked)),
        ]
    assert before == frozenset()
    assert found == {"KUBE-SERVICES", "PREROUTING"}
    assert elsewhere == [frozenset(), frozenset()]


def test_without_permission_nothing_is_found() -> None:
    asked = "existing_chains(Family.IPV4, 'nat', ('KUBE-SERVICES', 'KUBE-NODEPORTS'))"
    imports = "from pykubeproxy.host.nft_rules import existing_chains; from pykubeproxy.model.ip import Family"
    program = f"{imports}; print(len({asked}))"
    with namespace() as node:
        node.exec("iptables-nft-restore", "--noflush", stdin=RULES)
        root = node.exec(sys.executable, "-c", program)
        nobody = node.exec("setpriv", "--reuid", "65534", "--clear-groups", sys.executable, "-c", program)
    assert (root, nobody) == ("1\n", "0\n")
