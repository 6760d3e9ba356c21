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
    questions, events     what cannot be decided, and what happens at a step, as values
    causes, outcome       why and where all branches end, as values; the words for them are in `explain`
    unseen                tables of nftables that a trace does not look at
"""

from pykubeproxy.netfilter.effect import Action
from pykubeproxy.netfilter.environment import Environment, LocalAddress, local_address
from pykubeproxy.netfilter.outcome import Alternative, Outcome, Verdict
from pykubeproxy.netfilter.packet import ConnectionState, Packet
from pykubeproxy.netfilter.path import Step
from pykubeproxy.netfilter.tree import TraceNode
from pykubeproxy.netfilter.walk import Trace, Tracer, trace

__all__ = [
    "Action",
    "Alternative",
    "ConnectionState",
    "Environment",
    "LocalAddress",
    "Outcome",
    "Packet",
    "Step",
    "Trace",
    "TraceNode",
    "Tracer",
    "Verdict",
    "local_address",
    "trace",
]
