"""A State as the program takes it: through the decoder of watch events, the Snapshot, the settings and the compiler."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import msgspec

from fuzz.shapes import Object
from fuzz.states import ADDRESSES, NODE, PRIMARY, State
from pykubeproxy.cluster.resources import ENDPOINT_SLICES, SERVICES, own_node
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.cluster.tracker import Tracker
from pykubeproxy.config.completed import Completed, check, complete
from pykubeproxy.config.flag_table import FLAG_BY_NAME
from pykubeproxy.daemon.setup.rule_options import NodeFacts, rule_options
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.model.ip import IP, Family, parse_ip
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import ObjectId, Snapshot
from pykubeproxy.rules import compile as compiling
from pykubeproxy.rules import spread, tree, trie
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.ruleset import ChainId, Lines, Ruleset

_SMALL: tuple[tuple[Any, str, int], ...] = (
    (compiling, "LARGE_CLUSTER_ENDPOINTS", 12),
    (trie, "LEAF_SIZE", 2),
    (tree, "_INLINE", 0),
    (spread, "GROUPED_FROM", 4),
)


@contextmanager
def limits_of(state: State) -> Iterator[None]:
    """Trees, groups and large clusters as small as the state wants them, until this is left."""
    former = [(module, name, getattr(module, name)) for module, name, _ in _SMALL]
    try:
        for module, name, value in _SMALL if state.has_small_limits else ():
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in former:
            setattr(module, name, value)


class Intake:
    """The way of objects into a Snapshot, one Tracker for each kind as with a real API server."""

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self._own_node = own_node(NODE)
        self._trackers = {each.kind: Tracker(each) for each in (SERVICES, ENDPOINT_SLICES, self._own_node)}

    def put(self, obj: Object) -> None:
        """Tell of an object that is new or different."""
        if self._is_followed(obj):
            self._trackers[obj["kind"]].put(msgspec.json.encode(obj))

    def remove(self, obj: Object) -> None:
        """Tell of an object that is gone."""
        if self._is_followed(obj):
            self._trackers[obj["kind"]].remove(msgspec.json.encode(obj))

    def relist(self, objects: Iterable[Object]) -> None:
        """Tell of everything that there is, as after a watch that broke off."""
        for tracker in self._trackers.values():
            tracker.begin_list()
        for obj in objects:
            self.put(obj)
        for tracker in self._trackers.values():
            tracker.end_list()

    def take(self) -> frozenset[ServiceKey]:
        """Carry what was told over into the Snapshot; return the Services whose rules may change."""
        touched: set[ServiceKey] = set()
        for tracker in self._trackers.values():
            change: ObjectChanges = tracker.take()
            for obj in change.put:
                touched |= self.snapshot.put(obj)
            for name in change.removed:
                # As in the daemon: the own node's last state stays in force.
                if name != ObjectId("Node", "", NODE):
                    touched |= self.snapshot.remove(name)
        return frozenset(touched)

    @property
    def node(self) -> Node | None:
        """This node, as it was last told."""
        return self.snapshot.nodes.get(NODE)

    @staticmethod
    def _is_followed(obj: Object) -> bool:
        return bool(obj["kind"] != "Node" or obj["metadata"]["name"] == NODE)


def snapshot_of(objects: Iterable[Object]) -> Snapshot:
    """The Snapshot of a cluster that never was any different."""
    intake = Intake()
    intake.relist(objects)
    intake.take()
    return intake.snapshot


def options_for(flags: tuple[str, ...], node: Node | None, family: Family, dispatch: Dispatch) -> RuleOptions:
    """What flags and a Node object amount to."""
    facts = NodeFacts(node=node, host_addresses=_ips(ADDRESSES), own_ips=_ips(PRIMARY))
    return rule_options(_completed(flags), facts, family, OwnOptions(dispatch=dispatch))


def compiled(state: State, family: Family, dispatch: Dispatch) -> Ruleset:
    """The rules of a state, compiled afresh."""
    snapshot = snapshot_of(state.objects)
    return compile_ruleset(snapshot, options_for(state.flags, snapshot.nodes.get(NODE), family, dispatch))


def chains_of(ruleset: Ruleset) -> dict[ChainId, Lines]:
    """All chains with their rules."""
    return {(name, chain): lines for name, table in ruleset.tables.items() for chain, lines in table.chains.items()}


@cache
def _completed(flags: tuple[str, ...]) -> Completed:
    given: dict[str, object] = {}
    for word in flags:
        name, _, text = word.removeprefix("--").partition("=")
        type_ = FLAG_BY_NAME[name].type
        given[name] = type_.combine([type_.read(text or type_.bare or "")])
    completed = complete(given, None, NODE)
    check(completed)
    return completed


@cache
def _ips(texts: tuple[str, ...]) -> tuple[IP, ...]:
    found = tuple(map(parse_ip, texts))
    assert None not in found
    return tuple(ip for ip in found if ip is not None)
