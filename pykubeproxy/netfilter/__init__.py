"""What a packet meets: an exact simulation of netfilter over a Ruleset. Pure: no kernel, no randomness, no guesses.

    trace(ruleset, packet, environment) -> Trace(packet, outcomes, tree)

A random choice (`-m statistic`) becomes branches with exact shares; a match whose answer is not known becomes a fork
that is reported as such, and both of its branches are followed (`docs/reference/iptables-rules.md` section 19).

    packet, environment   what one asks about, and the node around it
    syntax                the words of a rule
    state                 what the kernel knows of a packet at one moment
    answers, matches/     what each match says of a packet: yes, no, by chance, or undecided
    effect, targets/      what each target does to a packet
    rule, program         rules made ready, when a packet first meets them
    branch, chains        a share of the packets, and its way through the chains of one table
    routing, walk         routing decisions, and the way through all hooks
    path, tree            the steps of that way, of one branch and of all
    outcome, reasons      where all branches end, and why
"""

from pykubeproxy.netfilter.effect import Action
from pykubeproxy.netfilter.environment import Environment, LocalAddress, local_address
from pykubeproxy.netfilter.outcome import Alternative, Outcome, Verdict
from pykubeproxy.netfilter.packet import ConnectionState, Packet
from pykubeproxy.netfilter.path import Step
from pykubeproxy.netfilter.tree import Node
from pykubeproxy.netfilter.walk import Trace, Tracer, trace

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
