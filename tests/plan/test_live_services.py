"""Services are read back from rules in either layout, and can be kept to while their objects are unknown."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Service
from pykubeproxy.model.snapshot import Object
from pykubeproxy.plan.diff import diff
from pykubeproxy.plan.live_services import live_services
from pykubeproxy.rules.compile import Compiler, compile_ruleset, in_print_order
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.parse import parse
from tests.builders import options, service, slice_of, snapshot
from tests.clusters import serving_clusters, small_parts
from tests.corpus import GOLDEN, Example, examples
from tests.strategies import clusters, rule_options


@settings(max_examples=settings().max_examples * 12 // 5)
@given(rule_options(), st.data())
@small_parts()
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
    one = compile_ruleset(snapshot(web, first), options(dispatch=dispatch))
    known, compiler = snapshot(web), Compiler(options(dispatch=dispatch))
    compiler.hold(live_services(one))
    for _ in range(2):
        compiler.update(known, [web.key])
        assert in_print_order(compiler.ruleset) == one


def test_a_tree_that_another_program_has_made_a_circle_is_read_to_its_end() -> None:
    tree = "KUBE-SVC-10.96.0.0/12"
    circle = f"*nat\n:KUBE-SERVICES - [0:0]\n:{tree} - [0:0]\n-A KUBE-SERVICES -j {tree}\n-A {tree} -j {tree}\nCOMMIT"
    assert live_services(parse(circle.splitlines())) == {}


def test_what_is_known_again_is_as_the_objects_say() -> None:
    """What is seen to change changes, what is new is added, and what nothing is known of stays."""
    gone, web, new = (service(f"ns/{name}", f"10.96.0.{number}") for number, name in enumerate(("gone", "web", "new")))
    its: list[Object] = [gone, slice_of("ns/gone", "10.0.0.7"), web]
    live = compile_ruleset(snapshot(*its, slice_of("ns/web", "10.0.0.1", "10.0.0.2")), options())
    known, compiler = snapshot(web), Compiler(options())
    compiler.update(known, known.services)
    compiler.hold(live_services(live))
    for addresses in (["10.0.0.1"], ["10.0.0.22"]):
        later: list[Object] = [slice_of("ns/web", *addresses), new, slice_of("ns/new", "10.0.0.3")]
        for obj in later:
            compiler.update(known, known.put(obj))
        assert in_print_order(compiler.ruleset) == compile_ruleset(snapshot(*its, *later), options())
    compiler.update(known, {gone.key, web.key})
    assert in_print_order(compiler.ruleset) == compile_ruleset(known, options(), live_services(live))
    assert "10.0.0.7:80" in str(compiler.ruleset)
