"""How a packet finds its Service: the dispatch chains, in one of two layouts.

With linear dispatch, as in kube-proxy, a dispatch chain has the rules of all Services one after the other, and a new
connection may have to pass every one of them. With tree dispatch (`pykubeproxy.rules.tree`) it passes only those near
its destination.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Protocol

from pykubeproxy.model.ip import Family, number_of
from pykubeproxy.model.service import ServiceKey, cluster_ip_of
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules.fragment import DispatchChain, DispatchRule
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.ruleset import ChainId, Lines
from pykubeproxy.rules.skeleton import last_rules
from pykubeproxy.rules.tree import TreeDispatch

# What a change of dispatch rules makes of the shared chains; None for a chain that is no more.
ChainUpdates = dict[ChainId, Lines | None]


class DispatchLayout(Protocol):
    """The dispatch chains, kept up to date with the dispatch rules of all Services."""

    def chains(self) -> ChainUpdates:
        """All chains as they are now."""

    def change(self, removed: Iterable[DispatchRule], added: Iterable[DispatchRule]) -> ChainUpdates:
        """Take dispatch rules out and put others in; return the chains that this may have changed."""


def make_dispatch(options: RuleOptions) -> DispatchLayout:
    """The layout that the options ask for, without any dispatch rule."""
    return TreeDispatch(options) if options.dispatch is Dispatch.TREE else LinearDispatch(options)


def in_dispatch_order(services: Iterable[ServiceKey], snapshot: Snapshot, family: Family) -> list[ServiceKey]:
    """The given Services by the number of their cluster IP, as a tree leads to them; those without one come first."""

    def number(key: ServiceKey) -> int:
        service = snapshot.services.get(key)
        address = cluster_ip_of(service, family) if service is not None else None
        return number_of(address) if address is not None else -1

    return sorted(services, key=number)


class LinearDispatch:
    """Each dispatch chain has all of its rules, ServicePort by ServicePort, and its last rules after them.

    kube-proxy's order among ServicePorts is arbitrary; here they are sorted by name, so that the same cluster gives the
    same chain. The order within each is kube-proxy's (`docs/reference/iptables-rules.md` section 16). Rules without
    an address come after all others: they are the last of their ServicePort anyway, and so both layouts agree which of
    two Services wins if one's node port is the port of the other's external IP.
    """

    def __init__(self, options: RuleOptions) -> None:
        self._lists = {dispatch_chain: (_List(), _List()) for dispatch_chain in DispatchChain}
        self._last = {dispatch_chain: last_rules(dispatch_chain, options) for dispatch_chain in DispatchChain}

    def chains(self) -> ChainUpdates:
        """All chains as they are now."""
        return self._chains(DispatchChain)

    def change(self, removed: Iterable[DispatchRule], added: Iterable[DispatchRule]) -> ChainUpdates:
        """Take dispatch rules out and put others in; return the chains that this may have changed.

        A ServicePort's dispatch rules come and go together, and are added in the order that they keep.
        """
        touched: dict[DispatchChain, tuple[_Groups, _Groups]] = {}
        for rule in removed:
            _group(touched, rule)
        for rule in added:
            _group(touched, rule).append(rule.line(rule.dispatch_chain.chain))
        for dispatch_chain, groups in touched.items():
            for its, changed in zip(self._lists[dispatch_chain], groups, strict=True):
                its.replace(changed)
        return self._chains(touched)

    def _chains(self, dispatch_chains: Iterable[DispatchChain]) -> ChainUpdates:
        updates: ChainUpdates = {}
        for dispatch_chain in dispatch_chains:
            by_address, by_port = self._lists[dispatch_chain]
            updates[dispatch_chain.id] = (*by_address.lines, *by_port.lines, *self._last[dispatch_chain])
        return updates


# The rules of ServicePorts, by name.
_Groups = dict[str, list[str]]


class _List:
    """Rules in the order of their ServicePorts' names: `names` has that of each of `lines`."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.lines: list[str] = []

    def replace(self, groups: _Groups) -> None:
        """Put these rules in the place of those that the same ServicePorts had."""
        for name in sorted(groups):
            start = bisect_left(self.names, name)
            end = bisect_right(self.names, name, lo=start)
            self.lines[start:end] = groups[name]
            self.names[start:end] = [name] * len(groups[name])


def _group(touched: dict[DispatchChain, tuple[_Groups, _Groups]], rule: DispatchRule) -> list[str]:
    """The rules of one ServicePort in one dispatch chain: those with an address, or those without, as `rule` is."""
    by_address, by_port = touched.setdefault(rule.dispatch_chain, ({}, {}))
    return (by_address if rule.address else by_port).setdefault(rule.title, [])
