"""Tables of nftables that are none of the iptables tools' own, made with nft."""

import shutil

import pytest

from tests.kernel.machine import Machine

needs_nft = pytest.mark.skipif(not shutil.which("nft"), reason="there is no nft: install the package nftables")

# The essence of what kube-proxy's nftables mode leaves: a Service of old times, whose cluster IP leads to an old pod.
LEFT_BY_KUBE_PROXY = """
table {family} kube-proxy {{
    map service-ips {{
        type {address} . inet_proto . inet_service : verdict
    }}
    chain services {{
        {family} daddr . meta l4proto . th dport vmap @service-ips
    }}
    chain nat-prerouting {{
        type nat hook prerouting priority -110
        jump services
    }}
    chain nat-output {{
        type nat hook output priority -110
        {rule}
        jump services
    }}
}}
"""
LEFT = {"ip": "ipv4_addr", "ip6": "ipv6_addr"}


def leave_tables(machine: Machine, *families: str, rule: str = "") -> None:
    """Make the tables of kube-proxy's nftables mode, with another `rule` for the node's own connections."""
    for family in families:
        load(machine, LEFT_BY_KUBE_PROXY.format(family=family, address=LEFT[family], rule=rule))


def load(machine: Machine, document: str) -> None:
    """Add to the ruleset."""
    machine.exec(["nft", "-f", "-"], stdin=document)


def tables(machine: Machine) -> set[str]:
    """All tables, as `ip6 kube-proxy`."""
    lines = machine.exec(["nft", "list", "tables"]).stdout.splitlines()
    return {line.removeprefix("table ") for line in lines}
