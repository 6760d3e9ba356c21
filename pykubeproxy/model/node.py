"""A node: its addresses, its pod networks, its zone.

Source: the Node API and `docs/reference/lifecycle.md` section 6.
"""

import msgspec

from pykubeproxy.model.ip import CIDR, IP, Family

ZONE_LABEL = "topology.kubernetes.io/zone"


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A Node object, reduced to what a proxy reads.

    `addresses` are the InternalIPs in their order, then the ExternalIPs. `being_deleted` covers the object's deletion
    and the cluster autoscaler's taint.
    """

    name: str
    addresses: tuple[IP, ...] = ()
    pod_cidrs: tuple[CIDR, ...] = ()
    zone: str = ""
    being_deleted: bool = False

    @property
    def ips(self) -> tuple[IP, ...]:
        """The node's IP, and then its first one of the other family, if it has any.

        Source: `docs/reference/lifecycle.md` section 6.
        """
        first: dict[Family, IP] = {}
        for ip in self.addresses:
            first.setdefault(ip.family, ip)
        return tuple(first.values())
