"""What kube-proxy has left on the node in another of its modes (`docs/reference/iptables-execution.md` section 10).

The tables of its nftables mode take connections before the rules of iptables see them. The interface of its ipvs mode
has every cluster IP for an address of its own. Both keep working after kube-proxy has ended.
"""

from collections.abc import Iterable
from pathlib import Path

from pykubeproxy.host.netlink import NETFILTER, Netlink, NetlinkError, attribute
from pykubeproxy.host.nfnetlink import attributes_of, nfgenmsg, text_of
from pykubeproxy.host.nft_tables import existing_tables
from pykubeproxy.host.rtnetlink import device_names
from pykubeproxy.model.ip import Family
from pykubeproxy.model.leftovers import Leftovers
from pykubeproxy.model.nft_table import OF_FAMILY, NftTable

_IPVS_INTERFACE = "kube-ipvs0"

# Other programs' sets (kube-router) begin with KUBE- as well. Those for IPv6 have a 6 in their names.
_SETS = frozenset(
    f"KUBE-{six}{name}"
    for six in ("", "6-")
    for name in (
        *("LOOP-BACK", "CLUSTER-IP", "EXTERNAL-IP", "EXTERNAL-IP-LOCAL", "HEALTH-CHECK-NODE-PORT", "IPVS-IPS"),
        *("LOAD-BALANCER", "LOAD-BALANCER-FW", "LOAD-BALANCER-LOCAL"),
        *("LOAD-BALANCER-SOURCE-IP", "LOAD-BALANCER-SOURCE-CIDR"),
        *("NODE-PORT-TCP", "NODE-PORT-LOCAL-TCP", "NODE-PORT-UDP", "NODE-PORT-LOCAL-UDP"),
        *("NODE-PORT-SCTP-HASH", "NODE-PORT-LOCAL-SCTP-HASH"),
    )
)

# `linux/netfilter/ipset/ip_set.h`: list the names of all sets.
_LIST_SETS = 0x0607
_PROTOCOL, _SET_NAME, _SET_FLAGS = 1, 2, 6
_PROTOCOL_VERSION = b"\6"
_NAMES_ONLY = (2).to_bytes(4, "big")

# The virtual services of IPVS, below three lines of heading.
_VIRTUAL_SERVICES = Path("/proc/thread-self/net/ip_vs")
_HEADING_LINES = 3


def nftables_leftovers(families: Iterable[Family]) -> tuple[NftTable, ...]:
    """The tables of kube-proxy's nftables mode that exist."""
    return existing_tables(frozenset(NftTable(OF_FAMILY[family], "kube-proxy") for family in families))


def find_leftovers(families: Iterable[Family]) -> Leftovers:
    """All leftovers of both modes. Those of the ipvs mode do not depend on `families`, which share them.

    What cannot be read from the kernel counts as not there.
    """
    return Leftovers(
        tables=nftables_leftovers(families),
        interfaces=_ipvs_interfaces(),
        ip_sets=_ip_sets(),
        has_virtual_services=_has_virtual_services(),
    )


def _ipvs_interfaces() -> tuple[str, ...]:
    try:
        return tuple(name for name in device_names().values() if name == _IPVS_INTERFACE)
    except NetlinkError:
        return ()


def _ip_sets() -> tuple[str, ...]:
    body = nfgenmsg() + attribute(_PROTOCOL, _PROTOCOL_VERSION) + attribute(_SET_FLAGS, _NAMES_ONLY)
    try:
        with Netlink(NETFILTER) as netlink:
            answers = netlink.dump_all("list IP sets", _LIST_SETS, body)
    except NetlinkError:
        return ()
    names = {text_of(attributes_of(answer.body).get(_SET_NAME)) for answer in answers}
    return tuple(sorted(_SETS & names))


def _has_virtual_services() -> bool:
    try:
        return len(_VIRTUAL_SERVICES.read_text().splitlines()) > _HEADING_LINES
    except OSError:
        return False
