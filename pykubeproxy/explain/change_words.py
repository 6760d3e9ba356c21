"""The words for what a Plan changes."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from pykubeproxy.explain import changes
from pykubeproxy.explain.chain_diff import OrderProblem
from pykubeproxy.explain.changes import TrafficKind
from pykubeproxy.explain.fixed_rules import ALL, FixedRule, FixedRuleChange, Value
from pykubeproxy.explain.plan import UnusedPorts
from pykubeproxy.model.share import percent
from pykubeproxy.rules.routing import Refusal

_RefusalChange = changes.RefusalBegan | changes.RefusalEnded | changes.RefusalReasonChanged

# So many endpoints are named; more are counted.
_MOST_NAMED = 3

_WHERE = {TrafficKind.INTERNAL: "at the cluster IP", TrafficKind.EXTERNAL: "from outside"}
# What the rule for a refusal does: REJECT answers a client, DROP does not.
_REFUSED = {Refusal.NO_ENDPOINTS: "refused", Refusal.NO_LOCAL_ENDPOINTS: "dropped without an answer"}
_NO_LONGER = {Refusal.NO_ENDPOINTS: "no longer refused", Refusal.NO_LOCAL_ENDPOINTS: "no longer dropped"}
_STILL_REFUSED = {
    Refusal.NO_ENDPOINTS: "other nodes have no endpoints any more either: now refused",
    Refusal.NO_LOCAL_ENDPOINTS: "endpoints again, but no local ones: now dropped without an answer",
}
_FIXED = {
    FixedRule.MARKS: "connections to be masqueraded are marked",
    FixedRule.MASQUERADES: "connections are masqueraded if they are marked",
    FixedRule.RANDOM_PORTS: "masquerading chooses source ports at random",
    FixedRule.ACCEPTS_MARKED: "forwarded packets are accepted if they are marked",
    FixedRule.DROPS_INVALID: "packets of unknown connections are dropped",
    FixedRule.PROTECTS_LOOPBACK: "connections from elsewhere to 127.0.0.0/8 are dropped",
    FixedRule.NODE_PORTS: "node ports are served at",
}
_MARKS = (FixedRule.MARKS, FixedRule.MASQUERADES, FixedRule.ACCEPTS_MARKED)
_ORDER = {
    OrderProblem.SAME_RULES: "the same rules in another order",
    OrderProblem.OTHER_RULES: "the rules that stay come in another order",
    OrderProblem.NODE_PORTS_NOT_LAST: "the rule that leads to the node ports is not the last one, which it must be",
}


def change_texts(found: Sequence[changes.ServiceChange]) -> Iterator[str]:
    """What changes for one ServicePort, in sentences: one for each change, and one for two that are alike.

    What is true of internal and of external traffic is said once, without the kind of traffic; so is what is true of
    internal traffic where nothing is to be said of external traffic.
    """
    refusals = {change.traffic: _refusal_text(change) for change in found if isinstance(change, _RefusalChange)}
    internal, external = refusals.get(TrafficKind.INTERNAL), refusals.get(TrafficKind.EXTERNAL)
    for change in found:
        if not isinstance(change, _RefusalChange):
            yield change_text(change)
        elif change.traffic is TrafficKind.INTERNAL and external in (None, internal):
            yield _refusal_text(change)
        elif change.traffic is TrafficKind.INTERNAL or external != internal:
            yield change_text(change)


def change_text(change: changes.ServiceChange) -> str:  # noqa: C901, PLR0911, PLR0912  one case for each kind of change
    """One change in a sentence."""
    match change:
        case changes.ServicePortAdded(endpoints, refusal):
            refused = f": {_REFUSED[refusal]}" if refusal else ""
            return f"{_whole('new', endpoints, f'with {_count(endpoints)}{_share(endpoints)}', refusal)}{refused}"
        case changes.ServicePortRemoved(endpoints, refusal):
            return _whole("removed", endpoints, f"with its {_count(endpoints)}", refusal)
        case changes.PortChanged(before, after):
            return f"port {before} -> {after}"
        case changes.ProtocolChanged(old, new):
            return f"protocol {old} -> {new}"
        case changes.PolicyChanged(policy, was, now):
            return f"{policy} {was} -> {now}"
        case changes.EndpointsChanged():
            return _endpoints_text(change)
        case changes.AffinityChanged(None, seconds):
            return f"session affinity for {seconds} s"
        case changes.AffinityChanged(_, None):
            return "no session affinity any more"
        case changes.AffinityChanged(old_seconds, seconds):
            return f"session affinity {old_seconds} s -> {seconds} s"
        case changes.MasqueradingChanged(before, after):
            return _masquerading_text(before, after)
        case changes.SourcesLimited(ranges, were_open):
            no_longer = ", no longer to all sources" if were_open else ""
            return f"load-balancer addresses open only to {', '.join(ranges)}{no_longer}"
        case changes.SourcesUnlimited():
            return "load-balancer addresses open to all sources"
        case changes.SourcesAllowed(ranges):
            return f"load-balancer addresses open to {', '.join(ranges)}"
        case changes.SourcesDenied(ranges):
            return f"load-balancer addresses closed to {', '.join(ranges)}"
        case changes.AddressAdded(kind, address):
            return f"{kind} {address} added"
        case changes.AddressRemoved(kind, address):
            return f"{kind} {address} removed"
        case changes.NodePortAdded(port, protocol):
            return f"node port {port}/{protocol.lower()} added"
        case changes.NodePortRemoved(port, protocol):
            return f"node port {port}/{protocol.lower()} removed"
        case changes.RefusalBegan(traffic) | changes.RefusalEnded(traffic) | changes.RefusalReasonChanged(traffic):
            return f"{_refusal_text(change)} {_WHERE[traffic]}"
        case changes.OnlyDispatchDiffers():
            return "only its dispatch differs"
        case changes.OnlyOrderDiffers():
            return "only the order of its rules differs"
    raise TypeError(change)


def unused_ports_texts(unused: UnusedPorts) -> Iterator[str]:
    """What changes for ports that no Service has: a few addresses by name, more by their number."""
    for addresses, verb in ((unused.refused, "refused"), (unused.no_longer_refused, "no longer refused")):
        if addresses:
            named = ", ".join(addresses) if len(addresses) <= _MOST_NAMED else f"{len(addresses)} addresses"
            yield f"{verb} at {named}"


def fixed_rules_texts(found: Sequence[FixedRuleChange]) -> Iterator[str]:
    """What changes for all Services. A mark that is another one everywhere is said once."""
    marks = [change for change in found if change.rule in _MARKS]
    values = {(change.before, change.after) for change in marks}
    is_one = len(marks) == len(_MARKS) and len(values) == 1 and all(next(iter(values)))
    if is_one:
        yield f"connections to be masqueraded are marked {marks[0].after} (before: {marks[0].before})"
    yield from (_fixed_rule_text(change) for change in found if not (is_one and change in marks))


def _fixed_rule_text(change: FixedRuleChange) -> str:
    """`packets of unknown connections are dropped`, with the value if there is one to tell."""
    text, before, after = _FIXED[change.rule], _fixed_value(change.before), _fixed_value(change.after)
    if not change.after:
        return f"no longer: {text} {before}".rstrip()
    return f"{text} {after} (before: {before})" if before else f"{text} {after}".rstrip()


def _fixed_value(value: Value) -> str:
    if not isinstance(value, str):
        return ""
    if value.startswith("! "):  # a negated match, as iptables writes it
        return f"all local addresses but {value.removeprefix('! ')}"
    return "all local addresses" if value == ALL else value


def order_text(problem: OrderProblem) -> str:
    """What is wrong with the order of rules in a chain."""
    return _ORDER[problem]


def _whole(what: str, endpoints: int, its_endpoints: str, refusal: Refusal | None) -> str:
    """`new, with 3 endpoints, each 33.3%`; `new; it has no endpoints`."""
    if endpoints:
        return f"{what}, {its_endpoints}"
    return f"{what}; it {refusal}" if refusal else what


def _endpoints_text(change: changes.EndpointsChanged) -> str:
    """`endpoint 10.244.1.7:8080 added, 3 -> 4, each now 25%`."""
    kind = "local endpoint" if change.is_local else "endpoint"
    parts = [
        f"{_named(kind, endpoints)} {verb}"
        for endpoints, verb in ((change.added, "added"), (change.removed, "removed"))
        if endpoints
    ]
    return f"{' and '.join(parts)}, {change.before} -> {change.after}{_share(change.after, 'each now ')}"


def _masquerading_text(before: str | None, after: str | None) -> str:
    """`connections to the cluster IP are masqueraded unless they come from 10.244.0.0/16 (before: all of them)`."""
    if after is None:
        return "connections to the cluster IP are no longer masqueraded"
    return f"connections to the cluster IP are masqueraded{_sources_text(after)} (before:{_before_text(before)})"


def _before_text(sources: str | None) -> str:
    return " none of them" if sources is None else _sources_text(sources) or " all of them"


def _sources_text(sources: str) -> str:
    """Which sources: a network, others than it (`! NETWORK`), or all ("")."""
    if sources.startswith("! "):
        return f" unless they come from {sources.removeprefix('! ')}"
    return f" if they come from {sources}" if sources else ""


def _named(kind: str, endpoints: Sequence[str]) -> str:
    """One endpoint by name, a few by names, more by their number."""
    if len(endpoints) == 1:
        return f"{kind} {endpoints[0]}"
    return f"{kind}s {', '.join(endpoints)}" if len(endpoints) <= _MOST_NAMED else f"{len(endpoints)} {kind}s"


def _count(endpoints: int) -> str:
    return f"{endpoints} endpoint{'' if endpoints == 1 else 's'}"


def _share(count: int, prefix: str = "each ") -> str:
    return f", {prefix}{percent(Fraction(1, count))}" if count > 1 else ""


def _refusal_text(change: _RefusalChange) -> str:
    """A change of a refusal, without the traffic that it is about."""
    match change:
        case changes.RefusalBegan(_, reason, has_lost_endpoints):
            what = reason.removeprefix("has ")
            return f"{what}{' any more' if has_lost_endpoints else ''}: {_REFUSED[reason]}"
        case changes.RefusalEnded(_, reason, True):
            local = "local " if reason is Refusal.NO_LOCAL_ENDPOINTS else ""
            return f"{local}endpoints again: {_NO_LONGER[reason]}"
        case changes.RefusalEnded(_, reason):
            return _NO_LONGER[reason]
        case changes.RefusalReasonChanged(_, _, after):
            return _STILL_REFUSED[after]
