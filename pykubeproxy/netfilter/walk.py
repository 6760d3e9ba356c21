"""A packet through all hooks of netfilter, in the kernel's order, with the routing decisions between them.

arrives from elsewhere:   PREROUTING (raw, conntrack, mangle, nat), then routing
- to this node itself:    INPUT (mangle, filter, security, nat)
- to others:              FORWARD (mangle, filter, security), POSTROUTING (mangle, nat)

sent by this node:        routing, OUTPUT (raw, conntrack, mangle, nat), routing again if the destination has changed,
OUTPUT (filter, security), POSTROUTING (mangle, nat)
- to this node itself:    then PREROUTING and INPUT, as it comes back in by `lo`
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import msgspec

from pykubeproxy.netfilter.branch import Branch, BranchSplitter
from pykubeproxy.netfilter.causes import Arrives, Cause, PolicyDrops, RuleRefuses, TraceEnds, Undecidable, Unreachable
from pykubeproxy.netfilter.chains import ChainWalker
from pykubeproxy.netfilter.effect import Action, RuleVerdict
from pykubeproxy.netfilter.environment import Environment
from pykubeproxy.netfilter.events import (
    Delivered,
    Event,
    MulticastUnknown,
    PolicyApplied,
    RoutedElsewhere,
    RoutedLocally,
    RoutingFailed,
    Sent,
)
from pykubeproxy.netfilter.indexed_ruleset import IndexedRuleset
from pykubeproxy.netfilter.match_results import Undecided
from pykubeproxy.netfilter.outcome import BranchResult, FinishedBranch, Outcome, Verdict, sum_up
from pykubeproxy.netfilter.packet import ConnectionState, Packet
from pykubeproxy.netfilter.path import LinkedPath, Step
from pykubeproxy.netfilter.questions import IsLocalAddress
from pykubeproxy.netfilter.routing import LOOPBACK_INTERFACE, AddressType, RoutingDecision, RoutingResult
from pykubeproxy.netfilter.state import FORWARD, INPUT, OUTPUT, POSTROUTING, PREROUTING, State, TraceContext
from pykubeproxy.netfilter.tree import TraceNode, build_tree
from pykubeproxy.rules.ruleset import Ruleset

_ROUTING = "ROUTING"
_ROUTING_VERDICTS = {RoutingResult.DROPPED: Verdict.DROP, RoutingResult.REFUSED: Verdict.REJECT}
_VERDICTS = {RuleVerdict.DROP: Verdict.DROP, RuleVerdict.REJECT: Verdict.REJECT}


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a packet, and why.

    The probabilities of `outcomes` add up to exactly 1. `tree` holds every step of every branch. `affinity` are the
    endpoints (`ip:port`) for which rules asked whether the client was sent there before; if there are any, a second
    trace with one of them as Environment.seen_at tells what becomes of a client that was.
    """

    packet: Packet
    outcomes: tuple[Outcome, ...]
    tree: TraceNode
    affinity: tuple[str, ...] = ()


def trace(ruleset: Ruleset, packet: Packet, environment: Environment | None = None) -> Trace:
    """Simulate what netfilter does to a packet under a Ruleset of the packet's IP family.

    The Ruleset may come from a dump of any program's rules; tables and chains that it lacks count as empty. Without an
    environment, nothing is known of the node but loopback. Raises nothing: rules that make no sense lead to outcomes
    with the verdict UNDECIDED.
    """
    return Tracer(ruleset, environment or Environment()).trace(packet)


class Tracer:
    """Traces packets under one Ruleset, which must not change meanwhile; indexes are kept from packet to packet."""

    def __init__(self, ruleset: Ruleset, environment: Environment) -> None:
        self._ruleset = IndexedRuleset(ruleset)
        self._environment = environment

    def trace(self, packet: Packet) -> Trace:
        """Simulate what becomes of one packet; see the function `trace`."""
        environment = self._environment
        recent = environment.recent
        if environment.seen_at is not None:
            recent |= self._ruleset.recent_lists(environment.seen_at)
        context = TraceContext(packet, environment)
        root = LinkedPath(None, None)
        walk = _Walk(self._ruleset, context)
        walk.run(Branch(state=context.start(recent), weight=Fraction(1), path=root))
        return Trace(
            packet=packet,
            outcomes=sum_up(walk.finished),
            tree=build_tree(root, ((branch.path, branch.result) for branch in walk.finished)),
            affinity=tuple(sorted({self._ruleset.endpoint_of(name) for name in context.asked})),
        )


class _Walk:
    """One packet through all hooks; collects its branches as they come to their ends."""

    def __init__(self, ruleset: IndexedRuleset, context: TraceContext) -> None:
        self._context = context
        self._splitter = BranchSplitter()
        self._chains = ChainWalker(ruleset, context, self._splitter)
        self.finished: list[FinishedBranch] = []

    def run(self, start: Branch) -> None:
        """Follow all packets to their ends."""
        for branch, decision in self._sent([start]) if self._context.packet.from_node else self._received([start]):
            local = decision.result is RoutingResult.LOCAL
            self._finish(branch, Verdict.ACCEPT, Arrives(_arrival(branch.state, self._context, local=local)))

    def _received(self, branches: Iterable[Branch]) -> Iterator[tuple[Branch, RoutingDecision]]:
        """Follow packets that come in by an interface."""
        for branch, decision in self._routed(self._prerouting(branches)):
            if decision.result is RoutingResult.LOCAL:
                arrived = self._hook(INPUT, ("mangle", "filter", "security", "nat"), [branch])
            else:
                passed = self._hook(FORWARD, ("mangle", "filter", "security"), [_leaving(branch, decision)])
                arrived = self._hook(POSTROUTING, ("mangle", "nat"), passed)
            yield from ((each, decision) for each in arrived)

    def _sent(self, branches: Iterable[Branch]) -> Iterator[tuple[Branch, RoutingDecision]]:
        """Follow packets of this node's own processes.

        After DNAT they are routed again, but for the rest of OUTPUT the kernel goes on naming the first interface.
        """
        for first, decision in self._routed(branches):
            raw = self._hook(OUTPUT, ("raw",), [_leaving(first, decision)])
            for branch in self._hook(OUTPUT, ("mangle", "nat"), map(self._tracked, raw)):
                if branch.state.destination == first.state.destination:
                    rerouted: Iterable[tuple[Branch, RoutingDecision]] = [(branch, decision)]
                else:
                    rerouted = self._routed([branch])
                for each, final in rerouted:
                    for passed in self._hook(OUTPUT, ("filter", "security"), [each]):
                        yield from self._left(_leaving(passed, final), final)

    def _left(self, branch: Branch, decision: RoutingDecision) -> Iterator[tuple[Branch, RoutingDecision]]:
        """Follow packets of this node's own processes out; those for the node itself come back in."""
        arrived = self._hook(POSTROUTING, ("mangle", "nat"), [branch])
        if decision.result is RoutingResult.LOCAL:
            looped = [
                each.but(state=each.state.but(in_interface=LOOPBACK_INTERFACE, out_interface="", looped=True))
                for each in arrived
            ]
            arrived = self._hook(INPUT, ("mangle", "filter", "security"), self._prerouting(looped))
        yield from ((each, decision) for each in arrived)

    def _prerouting(self, branches: Iterable[Branch]) -> list[Branch]:
        raw = self._hook(PREROUTING, ("raw",), branches)
        return self._hook(PREROUTING, ("mangle", "nat"), map(self._tracked, raw))

    def _tracked(self, branch: Branch) -> Branch:
        """The branch after conntrack has looked at it, which it does unless the raw table told it not to."""
        if branch.state.tracking is not None:
            return branch
        return branch.but(state=branch.state.but(tracking=self._context.packet.ctstate))

    def _hook(self, hook: str, tables: tuple[str, ...], branches: Iterable[Branch]) -> list[Branch]:
        """The branches that get through the tables of a hook; the others are finished."""
        passed = [each if each.state.hook == hook else each.but(state=each.state.but(hook=hook)) for each in branches]
        for table in tables:
            passed = [after for each in passed for after in self._table(table, each)]
        return passed

    def _table(self, table: str, branch: Branch) -> Iterator[Branch]:
        # nat is for the first packet of a connection, and for the first time that it passes (`nf_nat_inet_fn`).
        if table == "nat" and (branch.state.looped or branch.state.tracking is not ConnectionState.NEW):
            yield branch
            return
        for verdict, after in self._chains.traverse(table, branch):
            if verdict is RuleVerdict.ACCEPT:
                yield after
            elif verdict is RuleVerdict.UNDECIDED:
                self._finish(after, Verdict.UNDECIDED, TraceEnds(_last_step(after).event))
            else:
                self._finish(after, _VERDICTS[verdict], _refusal(_last_step(after), after.state, self._context))

    def _routed(self, branches: Iterable[Branch]) -> Iterator[tuple[Branch, RoutingDecision]]:
        """Make routing decisions; packets that cannot go anywhere are finished."""
        packet = self._context.packet
        for branch in branches:
            for each, local in self._located(branch):
                decision = self._context.router.decide(
                    each.state.destination,
                    local=local,
                    from_node=packet.from_node,
                    interface=packet.out_interface,
                    source=each.state.source,
                )
                target = self._context.address_text(each.state.destination)
                routed = each.then(_routing_step(each, _routed(decision, target, each.state, packet)))
                if decision.failure is not None:
                    cause = Unreachable(target, decision.failure)
                    self._finish(routed, _ROUTING_VERDICTS[decision.result], cause)
                else:
                    yield routed, decision

    def _located(self, branch: Branch) -> Iterator[tuple[Branch, bool]]:
        """The branch, and whether its destination is the node itself; a branch for each answer if that is not known."""
        number = branch.state.destination
        kind = self._context.address_types.type_of(number)
        if kind is AddressType.MULTICAST:
            unknown = MulticastUnknown()
            self._finish(branch.then(_routing_step(branch, unknown)), Verdict.UNDECIDED, TraceEnds(unknown))
        elif kind is not None:
            yield branch, kind in (AddressType.LOCAL, AddressType.BROADCAST)
        else:
            question = Undecided(IsLocalAddress(self._context.address_text(number)), lasting=True)
            known = branch.known(question)
            sides = None if known is not None else self._splitter.split(branch, question)
            if known is not None:
                yield branch, known
            elif sides is None:
                self._finish(branch, Verdict.UNDECIDED, Undecidable(question.question))
            else:
                yield sides[0], True
                yield sides[1], False

    def _finish(self, branch: Branch, verdict: Verdict, cause: Cause) -> None:
        state = branch.state
        path = branch.path
        if isinstance(cause, Arrives):
            path = path.then(_routing_step(branch, cause.event, Action.ACCEPT))
        self.finished.append(
            FinishedBranch(
                result=BranchResult(
                    verdict=verdict, dnat=state.dnat, masquerade=state.masquerade, snat=state.snat, cause=cause
                ),
                probability=branch.weight,
                assumptions=branch.assumptions,
                path=path,
            )
        )


def _leaving(branch: Branch, decision: RoutingDecision) -> Branch:
    return branch.but(state=branch.state.but(out_interface=decision.interface, gateway=decision.gateway))


def _last_step(branch: Branch) -> Step:
    return next(branch.path.backwards())


def _refusal(step: Step, state: State, context: TraceContext) -> Cause:
    """Why a packet was dropped or rejected at its last step."""
    if isinstance(step.event, PolicyApplied):
        return PolicyDrops(step.table, step.chain)
    return RuleRefuses(
        table=step.table,
        chain=step.chain,
        position=step.position,
        rule=step.rule,
        comment=step.comment,
        is_rejected=step.action is Action.REJECT,
        callers=step.callers[1:],
        source=None if state.source is None else context.address_text(state.source),
    )


def _arrival(state: State, context: TraceContext, *, local: bool) -> Delivered | Sent:
    """The event of a packet that gets through."""
    is_redirected = state.dnat is not None
    target = context.destination_text(state) if state.dnat is None else state.dnat
    if local:
        return Delivered(target, is_redirected=is_redirected)
    return Sent(target, state.gateway, state.out_interface, is_redirected=is_redirected)


def _routed(decision: RoutingDecision, target: str, state: State, packet: Packet) -> Event:
    """The event of a routing decision about a packet to `target`."""
    if decision.failure is not None:
        return RoutingFailed(target, decision.failure)
    if decision.result is RoutingResult.LOCAL:
        return RoutedLocally(target)
    return RoutedElsewhere(
        target,
        decision.gateway,
        decision.interface,
        is_forwarded=not packet.from_node,
        is_redirected=state.dnat is not None,
    )


def _routing_step(branch: Branch, event: Event, action: Action = Action.ROUTE) -> Step:
    return Step(hook=_ROUTING, action=action, event=event, probability=branch.weight)
