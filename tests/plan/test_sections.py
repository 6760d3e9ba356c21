"""Sectioned commits: wherever a restore is interrupted, every packet fares as before or as after."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pykubeproxy.host.memory import MemoryHost, copy
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Object
from pykubeproxy.plan.diff import Plan, diff
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.sections import sections
from pykubeproxy.rules import spread, tree, trie
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch, RuleOptions
from tests.builders import snapshot
from tests.clusters import served
from tests.packets import CLIENTS, UNRELATED, Walk, destinations
from tests.strategies import rule_options


@pytest.fixture(autouse=True, scope="module")
def _small_parts() -> Iterator[None]:
    """Leaves and groups so small that few Services and endpoints make large trees."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trie, "LEAF_SIZE", 2)
        patch.setattr(tree, "_INLINE", 0)
        patch.setattr(spread, "GROUPED_FROM", 3)
        yield


@st.composite
def changes(draw: st.DrawFn, family: Family) -> tuple[list[Object], list[Object]]:
    """A cluster before and after: of its Services, some stay, some change, some come, some go."""
    before: list[Object] = []
    after: list[Object] = []
    for number in range(draw(st.integers(4, 9))):
        its = served(ServiceKey("ns", f"s{number}"), family)
        old = draw(its)
        what = draw(st.sampled_from(["stays", "changes", "changes", "comes", "goes"]))
        new = draw(its) if what == "changes" else old
        before += old if what != "comes" else ()
        after += new if what != "goes" else ()
    return before, after


def commits(plan: Plan) -> Iterator[list[str]]:
    """The restore input of a Plan, COMMIT by COMMIT."""
    part: list[str] = []
    for line in Payload(plan):
        part.append(line)
        if line == "COMMIT":
            yield part
            part = []
    assert not part


@settings(max_examples=30)
@given(rule_options(), st.sampled_from(Dispatch), st.integers(1, 12), st.data())
def test_old_or_new(its: RuleOptions, former: Dispatch, size: int, data: st.DataObject) -> None:
    before, after = data.draw(changes(its.family))
    old = compile_ruleset(snapshot(*before), replace(its, dispatch=former))
    new = compile_ruleset(snapshot(*after), its)
    named = {*destinations(old, its.family), *destinations(new, its.family), *UNRELATED[its.family]}
    clients = CLIENTS[its.family]
    was, will = Walk(old).fates(named, clients), Walk(new).fates(named, clients)
    host = MemoryHost(copy(old))
    for section in sections(diff(new, host.save()), size):
        for part in commits(section):
            host.restore(part)
            now = Walk(host.ruleset).fates(named, clients)
            wrong = {packet: fate for packet, fate in now.items() if fate not in (was[packet], will[packet])}
            assert not wrong, [(packet, was[packet], now[packet], will[packet]) for packet in wrong][:1]
    assert diff(new, host.save()).is_empty
