"""What a packet meets: an exact simulation of netfilter over a Ruleset. Pure: no kernel, no randomness, no guesses.

    trace(ruleset, packet, environment) -> Trace(packet, outcomes, tree)

A random choice (`-m statistic`) becomes branches with exact shares; a match whose answer is not known becomes a fork
that is reported as such, and both of its branches are followed (`iptables-rules.md` section 19).

    packet       the packet one asks about         environment  the node around it: addresses, routes
    syntax       a rule's words                    matches/     what each match asks of a packet
    targets/     what each target does to it       program      rules made ready, chain by chain
    chains       a packet in one chain             walk         a packet through all hooks
    path         steps, and the tree they make     outcome      where all branches end, and why (reasons)
"""

from pykubeproxy.trace.effect import Action
from pykubeproxy.trace.environment import Environment, LocalAddress, local_address
from pykubeproxy.trace.outcome import Alternative, Outcome, Verdict
from pykubeproxy.trace.packet import ConnectionState, Packet
from pykubeproxy.trace.path import Step
from pykubeproxy.trace.tree import Node
from pykubeproxy.trace.walk import Trace, Tracer, trace

__all__ = [
    "Action",
    "Alternative",
    "ConnectionState",
    "Environment",
    "LocalAddress",
    "Node",
    "Outcome",
    "Packet",
    "Step",
    "Trace",
    "Tracer",
    "Verdict",
    "local_address",
    "trace",
]
