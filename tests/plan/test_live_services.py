"""Services are read back from rules in either layout, and can be kept to while their objects are unknown."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Service
from pykubeproxy.plan.diff import diff
from pykubeproxy.plan.live_services import live_services
from pykubeproxy.rules import spread, tree, trie
from pykubeproxy.rules.compile import Compiler, compile_ruleset, in_print_order
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.parse import parse
from tests.builders import options, service, slice_of, snapshot
from tests.clusters import serving_clusters
from tests.corpus import GOLDEN, Example, examples
from tests.strategies import clusters, rule_options


@pytest.fixture(name="_small_parts", scope="module")
def fixture_small_parts() -> Iterator[None]:
    """Leaves and groups so small that few Services and endpoints make large trees."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trie, "LEAF_SIZE", 2)
        patch.setattr(tree, "_INLINE", 0)
        patch.setattr(spread, "GROUPED_FROM", 2)
        yield


@pytest.mark.usefixtures("_small_parts")
@settings(max_examples=60)
@given(rule_options(), st.data())
def test_services_whose_objects_are_unknown_stay_as_they_are(its: RuleOptions, data: st.DataObject) -> None:
    everything = data.draw(st.one_of(serving_clusters(its.family), clusters))
    full = snapshot(*everything)
    live = compile_ruleset(full, its)
    lost_services = data.draw(st.sets(st.sampled_from(sorted(full.services))) if full.services else st.just(set()))
    known = snapshot(*(obj for obj in everything if not (isinstance(obj, Service) and obj.key in lost_services)))
    assert compile_ruleset(known, its, live_services(live)) == live
    compiler = Compiler(its)
    compiler.update(known, known.services)
    compiler.hold(live_services(live))
    compiler.release(known)
    assert in_print_order(compiler.ruleset) == compile_ruleset(known, its)


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("example", examples(GOLDEN), ids=str)
def test_of_what_kube_proxy_wrote_nothing_is_removed(example: Example, family: Family) -> None:
    live = parse(example.saved(family.lower()).splitlines())
    desired = compile_ruleset(snapshot(), options(family, dispatch=Dispatch.LINEAR), live_services(live))
    for change in diff(desired, live).chains:
        if change.chain.startswith(("KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-FW-", "KUBE-SEP-")):
            assert change.before == change.after, change
        for line in change.before or ():
            assert "--dport" not in line or line in (change.after or ()), line


@pytest.mark.parametrize("dispatch", Dispatch)
def test_a_service_whose_slices_are_unknown_keeps_its_endpoints(dispatch: Dispatch) -> None:
    web = service("ns/web", "10.96.0.1")
    first, second = slice_of("ns/web", "10.0.0.1", part="a"), slice_of("ns/web", "10.0.0.2", part="b")
    live = compile_ruleset(snapshot(web, first, second), options(dispatch=dispatch))
    for known in (snapshot(web), snapshot(web, first), snapshot(first, second)):
        assert compile_ruleset(known, options(dispatch=dispatch), live_services(live)) == live


def test_what_is_seen_to_change_later_changes() -> None:
    web, other = service("ns/web", "10.96.0.1"), service("ns/other", "10.96.0.2")
    both = slice_of("ns/web", "10.0.0.1", "10.0.0.2")
    live = compile_ruleset(snapshot(web, other, both), options())
    known = snapshot(web)
    compiler = Compiler(options())
    compiler.update(known, known.services)
    compiler.hold(live_services(live))
    compiler.update(known, known.put(slice_of("ns/web", "10.0.0.1")))
    assert in_print_order(compiler.ruleset) == compile_ruleset(
        snapshot(web, other, slice_of("ns/web", "10.0.0.1")), options()
    )
    compiler.update(known, {web.key, other.key})
    assert "10.96.0.2/32" in str(compiler.ruleset), "nothing is known of it yet"


def test_a_new_service_is_added_and_a_changed_one_changed() -> None:
    live = compile_ruleset(
        snapshot(
            service("ns/gone", "10.96.0.1"),
            slice_of("ns/gone", "10.0.0.1"),
            service("ns/known", "10.96.0.2"),
            slice_of("ns/known", "10.0.0.2"),
        ),
        options(),
    )
    known = snapshot(
        service("ns/known", "10.96.0.2"),
        slice_of("ns/known", "10.0.0.22"),
        service("ns/new", "10.96.0.3"),
        slice_of("ns/new", "10.0.0.3"),
    )
    text = str(compile_ruleset(known, options(), live_services(live)))
    for address in ("10.96.0.1/32", "10.0.0.1:80", "10.0.0.22:80", "10.96.0.3/32", "10.0.0.3:80"):
        assert address in text
    assert "10.0.0.2:80" not in text
