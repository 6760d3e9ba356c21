"""Tables of nftables and of legacy tools, which a trace does not look at, and the outcomes that they could change."""

from collections.abc import Iterable

from pykubeproxy.model.nft_table import INET, LEGACY_OF_FAMILY, OF_FAMILY, NftTable
from pykubeproxy.netfilter.causes import Arrives
from pykubeproxy.netfilter.events import Delivered
from pykubeproxy.netfilter.outcome import Outcome
from pykubeproxy.netfilter.packet import Packet


def could_change(outcome: Outcome, packet: Packet, tables: Iterable[NftTable]) -> tuple[NftTable, ...]:
    """Those of `tables` that have hooks on the packet's way up to its end: they may drop or redirect it before.

    Only tables of its IP family and of `inet` see it for certain. Those of `netdev` and `bridge` depend on interfaces.
    """
    families = (OF_FAMILY[packet.family], LEGACY_OF_FAMILY[packet.family], INET)
    hooks = _hooks(outcome, packet)
    return tuple(table for table in tables if table.family in families and hooks.intersection(table.hooks))


def _hooks(outcome: Outcome, packet: Packet) -> set[str]:
    """The hooks that a packet passes up to its end, in the words of nftables."""
    if isinstance(outcome.cause, Arrives):
        is_delivered = isinstance(outcome.cause.event, Delivered)
        if packet.from_node:
            # What a node sends to itself comes back in.
            return {"output", "postrouting", *(("prerouting", "input") if is_delivered else ())}
        return {"ingress", "prerouting", *(("input",) if is_delivered else ("forward", "postrouting"))}
    # A hook whose tables are empty leaves no step: the first ones are passed in any case.
    first = {"output"} if packet.from_node else {"ingress", "prerouting"}
    return first | {step.hook.lower() for step in outcome.path}
