"""How the measured rules really look on a node: in kube-proxy's random order, and where kubelet was there first."""

import random
import re

from pykubeproxy.rules.text import COUNT_LOCALHOST
from tests.corpus import CANARY, DISPATCH_CHAINS

MANGLE_OF_KUBELET_AND_KUBE_PROXY = (
    f"*mangle\n:{CANARY} - [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\n:KUBE-IPTABLES-HINT - [0:0]\nCOMMIT\n"
)


def as_kube_proxy_leaves_it(dump: str, seed: str) -> str:
    """A dump with the shared chains in some other order, and with KUBE-FIREWALL behind kube-proxy's own jumps."""
    return firewall_last(shuffled(dump, random.Random(seed)))  # noqa: S311  a repeatable order


def with_localhost_counted(dump: str) -> str:
    """A dump with the rules that a kube-proxy adds where the kernel has a counter of packets to localhost."""
    counted = rf"-A KUBE-NODEPORTS -d 127.0.0.0/8 \1 {COUNT_LOCALHOST} \2\n\g<0>"
    return re.sub(r"^-A KUBE-NODEPORTS (-p .*) (-j KUBE-EXT-\S+)$", counted, dump, flags=re.MULTILINE)


def shuffled(dump: str, order: random.Random) -> str:
    """The same rules, those of the shared chains in some other order; what leads to the node ports stays last."""
    tables = []
    for table in dump.split("COMMIT\n"):
        lines = table.splitlines()
        rules = [line for line in lines if is_in_dispatch(line)]
        order.shuffle(rules)
        rest = [line for line in lines if not is_in_dispatch(line)]
        tables.append("".join(f"{line}\n" for line in (*rest, *sorted(rules, key=leads_to_node_ports))))
    return "COMMIT\n".join(tables)


def is_in_dispatch(line: str) -> bool:
    return line.startswith("-A ") and line.split()[1] in DISPATCH_CHAINS


def leads_to_node_ports(rule: str) -> bool:
    return rule.endswith("-j KUBE-NODEPORTS")


def firewall_last(dump: str) -> str:
    """The jumps to KUBE-FIREWALL, which kubelet made first, behind those that kube-proxy has put before them."""
    jumps = re.findall(r"^-A \S+ -j KUBE-FIREWALL\n", dump, flags=re.MULTILINE)
    for jump in jumps:
        dump = dump.replace(jump, "")
    return dump.replace("COMMIT\n", f"{''.join(jumps)}COMMIT\n", 1)
