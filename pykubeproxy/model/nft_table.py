"""A table that the iptables tools of the proxy do not show: of nftables, or of the legacy tools."""

import msgspec

from pykubeproxy.model.ip import Family

INET = "inet"

LINK_FAMILIES = ("bridge", "netdev")
"""Families that see packets of all IP families, as frames of certain interfaces."""

OF_FAMILY = {Family.IPV4: "ip", Family.IPV6: "ip6"}
"""What nftables calls an IP family."""


LEGACY_OF_FAMILY = {Family.IPV4: "iptables-legacy", Family.IPV6: "ip6tables-legacy"}
"""What stands in the place of the family of a table that belongs to the legacy tools: their name."""


class NftTable(msgspec.Struct, frozen=True, order=True, rename={"name": "table"}):
    """A table, by its family (`ip`, `ip6`, `inet`, `bridge`, `netdev`) and name, as `nft list tables` shows them.

    A table of the legacy tools has `iptables-legacy` or `ip6tables-legacy` for its family.

    `hooks` are the hooks at which it may do something to packets (`prerouting`), sorted; none if that was not asked.
    """

    family: str
    name: str
    hooks: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """`table inet firewalld`."""
        return f"table {self.family} {self.name}"

    @property
    def command(self) -> str:
        """The command that shows its rules."""
        if self.family in LEGACY_OF_FAMILY.values():
            return f"{self.family}-save -t {self.name}"
        return f"nft list {self.title}"

    def __str__(self) -> str:
        """`table inet firewalld (hooks forward, input)`."""
        if not self.hooks:
            return self.title
        return f"{self.title} ({'hook' if len(self.hooks) == 1 else 'hooks'} {', '.join(self.hooks)})"
