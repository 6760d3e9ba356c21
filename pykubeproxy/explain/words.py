"""The words for what happens to a packet, used in text and in pictures alike."""

from collections.abc import Sequence
from fractions import Fraction

from pykubeproxy.explain.cause_words import cause_text
from pykubeproxy.explain.condensed import BranchCondition, CondensedNode, jump_target
from pykubeproxy.explain.event_words import brief_event, event_text, question_text
from pykubeproxy.model.share import percent
from pykubeproxy.netfilter.events import Marked
from pykubeproxy.netfilter.outcome import BranchResult, Outcome
from pykubeproxy.netfilter.path import Step
from pykubeproxy.rules import names

# Comments of the fixed chains say less than the words here.
_CHAINS = {
    names.SERVICES: "is it for a Service?",
    names.NODE_PORTS: "for no Service's address, but for one of this node's: a node port?",
    names.POSTROUTING: "to be masqueraded?",
    names.MARK_MASQ: "to be masqueraded later",
    names.FORWARD: "kubernetes forwarding rules",
    names.EXTERNAL_SERVICES: "is it for a Service from outside?",
    names.PROXY_FIREWALL: "did a load balancer's source ranges refuse it?",
}


def place(step: Step) -> str:
    """The chain in which a step is taken; for a routing decision, that it is one."""
    return step.chain or "routing"


def doing(step: Step) -> str:
    """What a step does, in short."""
    text = event_text(step.event)
    if isinstance(step.event, Marked) and step.chain == names.MARK_MASQ:
        return f"mark for masquerade ({text.removeprefix('mark ')})"
    return text


def brief(step: Step) -> str:
    """What a step does, in a few words: that an address is rewritten, and to what."""
    return brief_event(step.event) or doing(step)


def meaning(step: Step) -> str:
    """Why: what the rule's author wrote, or for the fixed chains what they ask; may be empty."""
    if jump_target(step) in _CHAINS:
        return _CHAINS[jump_target(step)]
    return "" if step.chain == names.POSTROUTING else step.comment.replace(" -> ", " → ")


def fate(result: BranchResult | Outcome) -> str:
    """How it ends, in a sentence."""
    source = ", source masqueraded" if result.masquerade else f", source {result.snat}" if result.snat else ""
    reason = cause_text(result.cause)
    if result.dnat is not None and result.dnat not in reason:
        source = f", on its way to {result.dnat}{source}"
    return f"{reason}{source}"


def condition_text(condition: BranchCondition) -> str:
    """The condition under which a branch is taken: `if -i cni0`."""
    return f"{'if' if condition.holds else 'if not'} {question_text(condition.question)}"


def leads_there(branch: CondensedNode) -> str:
    """What stands at the way into a branch: its share of all packets, or the answer to a question that is open.

    Of branches that are told together, it is the share of each, if they are equal.
    """
    if branch.condition is not None:
        return condition_text(branch.condition)
    if branch.similar and all(other.probability == branch.probability for other in branch.similar):
        return f"{_fraction(branch.probability)} to each of {1 + len(branch.similar)}"
    return _fraction(branch.total_probability)


def _fraction(probability: Fraction) -> str:
    fraction = exact(probability)
    return percent(probability) + (f" = {fraction}" if fraction else "")


def exact(probability: Fraction) -> str:
    """The share as a fraction, where it is a short one: `1/3`."""
    return str(probability) if probability not in (0, 1) and probability.denominator < 1000 else ""


def summed(probabilities: Sequence[Fraction]) -> str:
    """The sum of some shares as a percentage."""
    return percent(sum(probabilities, Fraction(0)))
