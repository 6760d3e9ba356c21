"""What a packet meets: an exact simulation of netfilter over a Ruleset. Pure: no kernel, no randomness, no guesses.

    trace(ruleset, packet, environment) -> Trace(packet, outcomes, tree)

A random choice (`-m statistic`) divides the packets into branches with exact shares. A question that cannot be decided,
because something about the packet or the node is not known, also leads to two branches, one for each answer; the
outcomes name the question (`docs/reference/iptables-rules.md` section 19). The head of `branch` has an example.

    packet, environment      the packet that is asked about, and the node around it
    syntax                   the words of a rule
    state                    what the kernel knows of a packet at one moment
    match_results, matches/  what each match says of a packet
    effect, targets/         what each target does to a packet
    rule, indexed_ruleset    rules prepared for packets, and those of a long chain that may match
    branch, chains           a share of the packets, and its way through the chains of one table
    routing, walk            routing decisions, and the way through all hooks
    path, tree               the steps of one branch, and those of all branches as a tree
    questions, events        what cannot be decided, and what happens at a step, as values
    causes, outcome          why and where branches end, as values; the words for them are in `explain`
    unseen                   tables of nftables, which a trace does not look at
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
