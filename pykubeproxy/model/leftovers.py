"""What kube-proxy has left on a node in another of its modes."""

import msgspec

from pykubeproxy.model.nft_table import NftTable


class Leftovers(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What there is: `tables` of the nftables mode, and of the ipvs mode `interfaces` and `ip_sets`, by name.

    `has_virtual_services` is True if IPVS distributes connections; without `interfaces`, perhaps for other programs.
    """

    tables: tuple[NftTable, ...] = ()
    interfaces: tuple[str, ...] = ()
    ip_sets: tuple[str, ...] = ()
    has_virtual_services: bool = False

    @property
    def has_ipvs(self) -> bool:
        """True if something is left of the ipvs mode."""
        return bool(self.interfaces or self.ip_sets)
