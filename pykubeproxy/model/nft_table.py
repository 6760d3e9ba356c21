"""A table of nftables that is none of the iptables tools' own."""

import msgspec

from pykubeproxy.model.ip import Family

INET = "inet"

LINK_FAMILIES = ("bridge", "netdev")
"""Families that see packets of all IP families, as frames of certain interfaces."""

OF_FAMILY = {Family.IPV4: "ip", Family.IPV6: "ip6"}
"""What nftables calls an IP family."""


class NftTable(msgspec.Struct, frozen=True, order=True, rename={"name": "table"}):
    """A table, by its family (`ip`, `ip6`, `inet`, `bridge`, `netdev`) and name, as `nft list tables` shows them.

    `hooks` are the hooks at which it may do something to packets (`prerouting`), sorted; none if that was not asked.
    """

    family: str
    name: str
    hooks: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """`table inet firewalld`."""
        return f"table {self.family} {self.name}"

    def __str__(self) -> str:
        """`table inet firewalld (hooks forward, input)`."""
        if not self.hooks:
            return self.title
        return f"{self.title} ({'hook' if len(self.hooks) == 1 else 'hooks'} {', '.join(self.hooks)})"
