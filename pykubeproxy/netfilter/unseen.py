"""Tables of nftables that a trace does not look at, and the outcomes that they could change."""

from collections.abc import Iterable

from pykubeproxy.model.nft_table import INET, OF_FAMILY, NftTable
from pykubeproxy.netfilter.causes import Arrives
from pykubeproxy.netfilter.events import Delivered
from pykubeproxy.netfilter.outcome import Outcome, Verdict
from pykubeproxy.netfilter.packet import Packet


def could_change(outcome: Outcome, packet: Packet, tables: Iterable[NftTable]) -> tuple[NftTable, ...]:
    """Those of `tables` that wait for the packet on its way, if it gets through: they may drop or redirect it.

    Only tables of its IP family and of `inet` see it for certain. Those of `netdev` and `bridge` depend on interfaces.
    """
    if outcome.verdict is not Verdict.ACCEPT:
        return ()
    families, hooks = (OF_FAMILY[packet.family], INET), _hooks(outcome, packet)
    return tuple(table for table in tables if table.family in families and hooks.intersection(table.hooks))


def _hooks(outcome: Outcome, packet: Packet) -> set[str]:
    """The hooks that a packet passes which gets through, in the words of nftables."""
    if packet.from_node:
        # What a node sends to itself comes back in.
        return {"output", "postrouting", *(("prerouting", "input") if _is_delivered(outcome) else ())}
    return {"ingress", "prerouting", *(("input",) if _is_delivered(outcome) else ("forward", "postrouting"))}


def _is_delivered(outcome: Outcome) -> bool:
    return isinstance(outcome.cause, Arrives) and isinstance(outcome.cause.event, Delivered)
