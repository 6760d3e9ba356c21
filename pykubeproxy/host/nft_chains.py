"""Which chains the nft backend has: the kernel is asked for them by name, which costs nothing however many there are.

iptables-nft-save fetches all chains and rules before it prints the first line. Source: `linux/netfilter/nf_tables.h`
(NFT_MSG_GETCHAIN).
"""

from collections.abc import Iterable

from pykubeproxy.host.netlink import NETFILTER, Netlink, NetlinkError, attribute
from pykubeproxy.model.ip import Family

_GET_CHAIN = 0x0A04
_TABLE, _NAME = 1, 3


def existing_chains(family: Family, table: str, chains: Iterable[str]) -> frozenset[str]:
    """Those of `chains` that exist; none where there is no such table, no nftables, or no permission to ask."""
    # struct nfgenmsg: address family, version, resource.
    prefix = bytes([family.address_family, 0, 0, 0]) + attribute(_TABLE, f"{table}\0".encode())
    try:
        with Netlink(NETFILTER) as netlink:
            # One by one: without permission, only the first request of several is answered.
            refused = {
                chain: netlink.batch("look for a chain", _GET_CHAIN, [prefix + _name(chain)]) for chain in chains
            }
    except NetlinkError:
        return frozenset()
    return frozenset(chain for chain, refusals in refused.items() if not refusals)


def _name(chain: str) -> bytes:
    return attribute(_NAME, f"{chain}\0".encode())
