"""The words for a packet, its steps, branches and results, which text and pictures share."""

from collections.abc import Iterable, Sequence
from fractions import Fraction

from pykubeproxy.explain.cause_words import cause_text
from pykubeproxy.explain.cluster_view import AddressHolder
from pykubeproxy.explain.condensed import BranchCondition, CondensedNode, jump_target
from pykubeproxy.explain.event_words import event_text, marks_text, question_text, short_event_text
from pykubeproxy.explain.finding_words import listed
from pykubeproxy.explain.undecided import AskedQuestion, PossibleEnd
from pykubeproxy.model.endpoint import host_port
from pykubeproxy.model.nft_table import NftTable
from pykubeproxy.model.share import percent
from pykubeproxy.netfilter.causes import Arrives
from pykubeproxy.netfilter.events import Marked
from pykubeproxy.netfilter.outcome import BranchResult, Outcome
from pykubeproxy.netfilter.packet import Packet
from pykubeproxy.netfilter.path import Step
from pykubeproxy.rules import names

# What a jump to one of the fixed chains asks; the comments that kube-proxy gives these jumps say less.
_CHAINS = {
    names.SERVICES: "is it for a Service?",
    names.NODE_PORTS: "for no Service's address, but for one of this node's: a node port?",
    names.POSTROUTING: "to be masqueraded?",
    names.MARK_MASQ: "to be masqueraded later",
    names.FORWARD: "kubernetes forwarding rules",
    names.EXTERNAL_SERVICES: "is it for a Service from outside?",
    names.PROXY_FIREWALL: "did a load balancer's source ranges refuse it?",
}

ALWAYS = "always"
"""The words for the probability 1."""


ONE_OF_THESE_ENDS = "  How it may end, and which answers that takes:"
"""The line before all ends that are possible."""


def depends_text(count: int) -> str:
    """What a packet depends on whose end cannot be decided."""
    return f"depends on {count} question{'' if count == 1 else 's'} that cannot be decided:"


def client_text(packet: Packet) -> str:
    """Who sends a packet, and by which interface it arrives."""
    client = f"the node ({packet.source.text})" if packet.from_node else packet.source.text
    return f"{client}, arriving on {packet.in_interface}" if packet.in_interface else client


def holder_text(holder: AddressHolder | None) -> str:
    """Who has an address: `default/web-1 on node-a`; empty if that is not known."""
    if holder is None:
        return ""
    return " on ".join(filter(None, (holder.pod, holder.node)))


def destination_text(packet: Packet) -> str:
    """Where a packet is sent, as `10.96.0.10:80/tcp`."""
    address = packet.destination.text
    port = packet.destination_port
    return f"{address if port is None else host_port(address, port)}/{packet.protocol}"


def place_text(step: Step) -> str:
    """The chain that holds the rule of a step; `routing` for a routing decision."""
    return step.chain or "routing"


def step_text(step: Step) -> str:
    """What happens at a step, in full."""
    if isinstance(step.event, Marked) and step.chain == names.MARK_MASQ:
        return f"mark for masquerade ({marks_text(step.event)})"
    return event_text(step.event)


def short_step_text(step: Step) -> str:
    """What happens at a step, for pictures: an address translation in a few words, names of chains without hashes."""
    return short_event_text(step.event) or step_text(step)


def step_comment(step: Step) -> str:
    """Why a step happens: the question that a fixed chain asks, or the comment of the rule; may be empty."""
    if jump_target(step) in _CHAINS:
        return _CHAINS[jump_target(step)]
    return "" if step.chain == names.POSTROUTING else step.comment.replace(" -> ", " → ")


def result_text(result: BranchResult | Outcome) -> str:
    """How a packet ends, in a sentence."""
    source = ", source masqueraded" if result.masquerade else f", source {result.snat}" if result.snat else ""
    # Where a packet arrives, the words for the cause name its destination already.
    destination = "" if result.dnat is None or isinstance(result.cause, Arrives) else f", on its way to {result.dnat}"
    return f"{cause_text(result.cause)}{destination}{source}"


def asked_question_text(asked: AskedQuestion) -> str:
    """A question and the rule that asks it first: `-m set --match-set a src  (rule 2 of A in filter)`."""
    where = f"rule {asked.step.position} of {asked.step.chain} in {asked.step.table}" if asked.step.rule else "routing"
    return f"{question_text(asked.question)}  ({where})"


def possible_end_text(end: PossibleEnd) -> str:
    """`if 1 and not 2: sent to 10.0.0.1:80, or likewise to 10.0.0.2:80`."""
    answers = " and ".join(f"{'' if each.holds else 'not '}{each.number}" for each in end.answers)
    others = f", or likewise to {listed(end.others)}" if end.others else ""
    return f"{f'if {answers}: ' if answers else ''}{result_text(end.outcome)}{others}"


def likewise_text(result: BranchResult) -> str:
    """How the packets of a similar branch end."""
    return f"likewise {result_text(result)}"


def not_looked_at_text(tables: Sequence[NftTable]) -> str:
    """The end of a sentence about an outcome: the tables, not looked at, that could change it; empty without any."""
    return f"; not looked at: {', '.join(table.title for table in tables)}" if tables else ""


def remembered_client_texts(endpoint: str) -> tuple[str, str]:
    """Two lines before the outcomes for a client that session affinity remembers at `endpoint` (`ip:port`)."""
    return f"A client that was here before, and is still remembered, goes where it went then: to {endpoint},", "say:"


def condition_text(condition: BranchCondition) -> str:
    """The condition under which a branch is taken: `if -i cni0`."""
    return f"{'if' if condition.holds else 'if not'} {question_text(condition.question)}"


def branch_label(branch: CondensedNode) -> str:
    """The condition of a branch; without one, the share of all packets that takes it.

    Of a branch with similar ones, all equally probable, it is the share of each.
    """
    if branch.condition is not None:
        return condition_text(branch.condition)
    if branch.similar and all(other.probability == branch.probability for other in branch.similar):
        return f"{share_text(branch.probability)} to each of {1 + len(branch.similar)}"
    return share_text(branch.total_probability)


def share_text(probability: Fraction, width: int = 0) -> str:
    """A percentage of at least `width` characters, and the fraction if it is a short one: `33.3% = 1/3`."""
    text = f"{percent(probability):>{width}}"
    is_short = probability not in (0, 1) and probability.denominator < 1000
    return f"{text} = {probability}" if is_short else text


def rest_text(probabilities: Sequence[Fraction]) -> str:
    """A line for outcomes or branches that are not listed."""
    return f"… and {len(probabilities)} more, {sum_text(probabilities)} together"


def sum_text(probabilities: Iterable[Fraction]) -> str:
    """The sum of some probabilities as a percentage."""
    return percent(sum(probabilities, Fraction(0)))
