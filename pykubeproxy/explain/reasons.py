"""Why a packet ends where it does, in a sentence for people who do not read iptables rules.

kube-proxy's and kubelet's rules say in their comments what they are for (`docs/reference/iptables-rules.md` sections 5
to 7); the rules of others are quoted.
"""

from collections.abc import Callable, Iterator

from pykubeproxy.netfilter.effect import Action
from pykubeproxy.netfilter.path import Step, Trail
from pykubeproxy.netfilter.state import Scene, State
from pykubeproxy.rules import names

_NO_ENDPOINTS = " has no endpoints"
_NO_LOCAL_ENDPOINTS = " has no local endpoints"
# How the sentence begins about a packet that stays on the node.
DELIVERED = "delivered to "

_SOURCE_RANGES = " traffic not accepted by "


def refusal(trail: Trail, state: State, scene: Scene) -> str:
    """Why the last step of a trail dropped or rejected the packet."""
    steps = trail.backwards()
    last = next(steps)
    if last.action is Action.POLICY:
        return f"policy DROP of chain {last.chain} in table {last.table}: no rule there accepted the packet"
    if last.action is Action.ROUTE:
        return last.says
    for explain in (_service_rule, _fixed_rule):
        if sentence := explain(last, steps, state, scene):
            return sentence
    done = "rejected" if last.action is Action.REJECT else "dropped"
    return f"{done} by rule {last.position} of chain {last.chain} in table {last.table}: {last.rule}"


def _service_rule(last: Step, earlier: Iterator[Step], state: State, scene: Scene) -> str:
    """Refusals that kube-proxy writes for a Service."""
    comment = last.comment
    if comment.endswith(_NO_ENDPOINTS):
        return f"no ready endpoints for {comment.removesuffix(_NO_ENDPOINTS)}"
    if comment.endswith(_NO_LOCAL_ENDPOINTS):
        service = comment.removesuffix(_NO_LOCAL_ENDPOINTS)
        return f"{_policy(last, earlier)}: Local and no endpoint on this node for {service}"
    service, found, _ = comment.partition(_SOURCE_RANGES)
    if found:
        source = "source" if state.source is None else f"source {scene.address_text(state.source)}"
        return f"{source} not in loadBalancerSourceRanges of {service}"
    return ""


def _policy(last: Step, earlier: Iterator[Step]) -> str:
    """The traffic policy that a refusal is about: it depends on the chain in which a Service's address was found."""
    for chain in (last.chain, *(step.chain for step in earlier if step.hook == last.hook and step.table == last.table)):
        if chain == names.EXTERNAL_SERVICES:
            return "externalTrafficPolicy"
        if chain == names.SERVICES:
            return "internalTrafficPolicy"
    return "traffic policy"


_FIXED: tuple[tuple[Callable[[Step], bool], str], ...] = (
    (
        lambda step: step.chain == names.FIREWALL and "--ctstate" in step.rule and " -d 127.0.0.0/8 " in step.rule,
        "loopback addresses of this node must not be reached from elsewhere (KUBE-FIREWALL)",
    ),
    (
        lambda step: step.chain == names.FIREWALL and " --mark " in step.rule,
        "the packet was marked to be dropped (KUBE-MARK-DROP, dropped in KUBE-FIREWALL)",
    ),
    (
        lambda step: step.chain == names.FORWARD and "--ctstate INVALID" in step.rule,
        "conntrack finds the packet INVALID: it belongs to no connection that is known here (KUBE-FORWARD)",
    ),
)


def _fixed_rule(last: Step, _earlier: Iterator[Step], _state: State, _scene: Scene) -> str:
    """Refusals by rules that every node has."""
    return next((sentence for fits, sentence in _FIXED if fits(last)), "")


def arrival(state: State, scene: Scene, *, local: bool) -> str:
    """Where a packet that gets through goes."""
    target = scene.destination_text(state) if state.dnat is None else state.dnat
    if local:
        return f"{DELIVERED}{target} on this node itself"
    gateway = f" by way of {state.via}" if state.via else ""
    device = f" on {state.out_interface}" if state.out_interface else ""
    unchanged = ", as no rule redirects it" if state.dnat is None else ""
    return f"sent to {target}{gateway}{device}{unchanged}"
