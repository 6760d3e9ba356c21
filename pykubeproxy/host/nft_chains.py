"""Which chains the nft backend has: the kernel is asked for them by name, which costs nothing however many there are.

iptables-nft-save fetches all chains and rules before it prints the first line. Source: `linux/netfilter/nf_tables.h`
(NFT_MSG_GETCHAIN).
"""

import socket
from collections.abc import Iterable

from pykubeproxy.host.netlink import NETFILTER, Netlink, NetlinkError, attribute
from pykubeproxy.model.ip import Family

_GET_CHAIN = 0x0A04
_TABLE, _NAME = 1, 3
_ADDRESS_FAMILY = {Family.IPV4: socket.AF_INET, Family.IPV6: socket.AF_INET6}


def existing_chains(family: Family, table: str, chains: Iterable[str]) -> frozenset[str]:
    """Those of `chains` that exist; none where there is no such table, no nftables, or no permission to ask."""
    asked = tuple(chains)
    # struct nfgenmsg: address family, version, resource.
    prefix = bytes([_ADDRESS_FAMILY[family], 0, 0, 0]) + attribute(_TABLE, f"{table}\0".encode())
    try:
        with Netlink(NETFILTER) as netlink:
            requests = [prefix + attribute(_NAME, f"{chain}\0".encode()) for chain in asked]
            refused = {refusal.position for refusal in netlink.batch("look for chains", _GET_CHAIN, requests)}
    except NetlinkError:
        return frozenset()
    return frozenset(chain for position, chain in enumerate(asked) if position not in refused)
