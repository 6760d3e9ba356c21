"""What to look at next if a packet gets through by these rules, and yet nothing answers."""

from pykubeproxy.explain.service_lookup import node_ports
from pykubeproxy.netfilter.causes import Arrives
from pykubeproxy.netfilter.events import Delivered
from pykubeproxy.netfilter.outcome import Verdict, decided
from pykubeproxy.netfilter.walk import Trace
from pykubeproxy.rules.ruleset import Ruleset


def next_step_text(traced: Trace, ruleset: Ruleset) -> str:
    """A sentence for a packet that gets through to endpoints, or to what may be another node's node port; else empty.

    `ruleset` are the rules that were traced.
    """
    outcomes, packet = list(decided(traced.outcomes)), traced.packet
    if any(each.verdict is not Verdict.ACCEPT for each in outcomes):
        return ""
    endpoint = next((each.dnat for each in outcomes if each.dnat is not None), None)
    if endpoint is not None:
        return f"these rules let it through; if nothing answers, ask an endpoint itself: does {endpoint} answer?"
    if any(isinstance(each.cause, Arrives) and isinstance(each.cause.event, Delivered) for each in outcomes):
        return ""
    wanted = (packet.protocol, packet.destination_port)
    title = next((each.title for each in node_ports(ruleset) if (each.protocol, each.port) == wanted), None)
    if title is None:
        return ""
    return f"{packet.destination_port} is the node port of {title}: if {packet.destination.text} is a node, ask there"
