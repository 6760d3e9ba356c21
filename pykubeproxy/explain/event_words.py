"""The words for what netfilter and routing do to a packet, and for questions that cannot be decided."""

from typing import assert_never

from pykubeproxy.model.route import RouteKind
from pykubeproxy.netfilter.events import (
    Assumed,
    CircularJump,
    ConnectionMarked,
    Counted,
    Delivered,
    DestinationChanged,
    DestinationChosen,
    Event,
    HasNoConnection,
    InterfaceAddressUnknown,
    Jumped,
    Limit,
    LimitReached,
    Marked,
    Masqueraded,
    MayMatch,
    MulticastUnknown,
    NetworkChanged,
    NotTracked,
    PolicyApplied,
    Rejected,
    RoutedElsewhere,
    RoutedLocally,
    RoutingFailed,
    Sent,
    SourceChanged,
    TargetApplied,
    TargetAssumed,
)
from pykubeproxy.netfilter.questions import (
    AllHold,
    ArrivesBy,
    HasAddressType,
    IsLocalAddress,
    MatchHolds,
    Question,
    TargetLetsPass,
)
from pykubeproxy.netfilter.routing import ForwardingIsOff, HasNoRoute, LoopbackMayNotLeave, RouteRefuses, RoutingFailure
from pykubeproxy.rules import names

_LIMITS = {Limit.QUESTIONS: "questions that cannot be decided", Limit.BRANCHES: "branches"}


def event_text(event: Event) -> str:  # noqa: C901, PLR0911, PLR0912  one case for each kind of event
    """What happens to a packet, in a few words."""
    match event:
        case Jumped(chain):
            return jump_text(chain)
        case Marked():
            return f"mark {marks_text(event)}"
        case ConnectionMarked():
            return f"connection mark {marks_text(event)}"
        case HasNoConnection():
            return "no connection to mark"
        case DestinationChanged(before, after):
            return f"destination {before} → {after}"
        case DestinationChosen(count, addresses):
            return f"destination becomes one of {count} addresses, {addresses}"
        case InterfaceAddressUnknown(interface):
            return f"redirected to this node, address of interface {interface or 'unknown'} is not known"
        case SourceChanged(source, after):
            return f"source {'unknown' if source is None else source} → {after}"
        case NetworkChanged(after):
            return f"source → {after}"
        case Masqueraded():
            return "masquerade: the source becomes this node's address"
        case NotTracked():
            return "not tracked: nat does not apply"
        case TargetApplied(target):
            return target
        case TargetAssumed(target, passes):
            return f"-j {target} {'lets the packet pass' if passes else 'does not let the packet pass'}"
        case Counted():
            return "counted"
        case MayMatch(target):
            return f"for some packets: {target or 'counted'}"
        case Rejected(answer):
            return f"refused: {answer or 'port unreachable'}"
        case PolicyApplied(policy, chain):
            return f"policy {policy} of {chain}"
        case Assumed(question, holds):
            return f"cannot decide: {question_text(question)}; here: {'yes' if holds else 'no'}"
        case LimitReached(limit):
            return f"given up: too many {_LIMITS[limit]}"
        case CircularJump(chain):
            return f"chain {chain} jumps in a circle, which no kernel accepts"
        case RoutedLocally(target):
            return f"{target} is an address of this node"
        case RoutedElsewhere(is_redirected=is_redirected):
            return f"{_routed_text(event)} ({'a pod or another machine' if is_redirected else 'not this node'})"
        case RoutingFailed(target, why):
            return routing_failure_text(target, why)
        case MulticastUnknown():
            return "where multicast packets go cannot be decided"
        case Delivered(target):
            return f"delivered to {target} on this node itself"
        case Sent(target, gateway, interface, is_redirected):
            unchanged = "" if is_redirected else ", as no rule redirects it"
            return f"sent to {target}{_along(gateway, interface)}{unchanged}"
        case _:
            assert_never(event)


def short_event_text(event: Event) -> str:
    """What happens in a few words, with short names of chains, where there is such a form; else empty."""
    match event:
        case Jumped(chain):
            return jump_text(names.shortened(chain))
        case Masqueraded():
            return "masquerade"
        case DestinationChanged(after=after):
            return f"DNAT → {after}"
        case RoutedElsewhere():
            return _routed_text(event)
        case _:
            return ""


def _routed_text(event: RoutedElsewhere) -> str:
    done = "forwarded" if event.is_forwarded else "sent"
    return f"{done} to {event.target}{_along(event.gateway, event.interface)}"


def jump_text(chain: str) -> str:
    """A jump to a chain."""
    return f"→ {chain}"


def marks_text(event: Marked | ConnectionMarked) -> str:
    """The mark before and after, as `0x0 → 0x4000`."""
    return f"{_mark(event.before)} → {_mark(event.after)}"


def question_text(question: Question) -> str:
    """A question in its positive form, to follow the word `if`."""
    match question:
        case MatchHolds(match):
            return match
        case ArrivesBy(interface):
            return f"-i {interface}"
        case IsLocalAddress(address, interface):
            whose = "the packet's interface" if interface is None else "this node"
            where = f" on {interface}" if interface else ""
            return f"{_address(address)}{where} is an address of {whose}"
        case HasAddressType(address, types):
            return f"the type of {_address(address)} is among {','.join(types)}"
        case TargetLetsPass(target):
            return f"-j {target} lets the packet pass"
        case AllHold(parts):
            return " and ".join(f"{'not ' if each.inverted else ''}{question_text(each.question)}" for each in parts)
        case _:
            assert_never(question)


def routing_failure_text(target: str, why: RoutingFailure) -> str:
    """Why routing finds no way to a destination."""
    return f"{target} cannot be reached: {_why(why)}"


def _why(why: RoutingFailure) -> str:
    match why:
        case LoopbackMayNotLeave():
            return "packets from 127.0.0.0/8 must not leave this node (net.ipv4.conf.all.route_localnet is 0)"
        case ForwardingIsOff():
            return "this node does not forward packets (ip_forward is 0)"
        case HasNoRoute():
            return "there is no route to it"
        case RouteRefuses(destination, RouteKind.BLACKHOLE):
            return f"the route to {destination} is a blackhole"
        case RouteRefuses(destination, kind):
            return f"the route to {destination} is marked {kind}"
        case _:
            assert_never(why)


def _along(gateway: str | None, interface: str | None) -> str:
    """The words of `ip route`."""
    return (f" via {gateway}" if gateway else "") + (f" dev {interface}" if interface else "")


def _address(address: str | None) -> str:
    return "the address used for masquerading" if address is None else address


def _mark(number: int | None) -> str:
    return "unknown" if number is None else f"{number:#x}"
