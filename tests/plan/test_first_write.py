"""A first write that begins while rules are being compiled: in the end it is what one Plan would have written."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.model.snapshot import Object
from pykubeproxy.plan import first_write as first_write_module
from pykubeproxy.plan.diff import diff
from pykubeproxy.plan.first_write import FirstWrite, has_no_services
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.sections import Split, sections, whole
from pykubeproxy.rules.compile import LARGE_CLUSTER_ENDPOINTS, Compiler, compile_ruleset
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.ruleset import Ruleset, Table, Unread
from tests.builders import options, service, slice_of, snapshot
from tests.memory_host import MemoryHost
from tests.plan.commits import commits
from tests.plan.test_plan_properties import contents
from tests.strategies import clusters, rule_options

DOCKER = {"PREROUTING": ("-A PREROUTING -j DOCKER",), "DOCKER": (), "KUBE-MARK-MASQ": ("-A KUBE-MARK-MASQ -j RETURN",)}


def foreign() -> Ruleset:
    """The rules of a node on which Docker, and somebody who knows KUBE-MARK-MASQ, have been at work."""
    return Ruleset(tables={"nat": Table(chains=dict(DOCKER)), "filter": Table(chains={"FORWARD": ()})})


def first_write(objects: list[Object], its: RuleOptions, split: Split) -> tuple[FirstWrite, Compiler, Ruleset]:
    """The write, what it compiles, and the live rules that follow it."""
    known, compiler, live = snapshot(*objects), Compiler(its), foreign()
    return FirstWrite(compiler.update_in_steps(known, known.services), compiler.ruleset, live, split), compiler, live


@pytest.mark.parametrize("split", [whole, sections])
@given(objects=clusters, its=rule_options(), size=st.integers(1, 8))
def test_it_is_what_one_plan_writes(split: Split, objects: list[Object], its: RuleOptions, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first_write_module, "PART_SIZE", size)
        patch.setattr(first_write_module, "SECTION_SIZE", size)
        write, compiler, live = first_write(objects, its, split)
        early, late = MemoryHost(foreign()), MemoryHost(foreign())
        early.restore(write)
    plan = diff(compile_ruleset(snapshot(*objects), its), foreign())
    late.restore(Payload(plan))
    assert write.plan == plan
    assert diff(compiler.ruleset, early.ruleset).is_empty
    assert contents(live) == contents(early.ruleset) == contents(late.ruleset)


def large_cluster() -> list[Object]:
    """So many endpoints that rules for them go without comments."""
    objects: list[Object] = []
    for number in range(LARGE_CLUSTER_ENDPOINTS // 3 + 9):
        where = f"{number >> 8}.{number & 255}"
        objects += [service(f"ns/s{number}", f"10.96.{where}"), slice_of(f"ns/s{number}", *addresses(where))]
    return objects


def addresses(where: str) -> list[str]:
    return [f"10.{second}.{where}" for second in (1, 2, 3)]


@pytest.mark.parametrize("split", [whole, sections])
def test_rules_that_were_written_with_comments_lose_them_once_the_cluster_is_large(split: Split) -> None:
    objects, its = large_cluster(), options(dispatch=Dispatch.TREE)
    write, compiler, _ = first_write(objects, its, split)
    host = MemoryHost(foreign())
    host.restore(write)
    assert diff(compile_ruleset(snapshot(*objects), its), host.ruleset).is_empty
    assert compiler.is_large
    assert write.plan == diff(compiler.ruleset, foreign())


def test_the_tool_gets_rules_before_all_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_write_module, "PART_SIZE", 300)
    objects, its = large_cluster(), options(dispatch=Dispatch.TREE)
    for split in (whole, sections):
        write, compiler, _ = first_write(objects, its, split)
        lines = iter(write)
        begin = list(islice(lines, 500))
        assert 0 < write.done_steps < len(objects) / 2
        parts = list(commits([*begin, *lines]))
        assert len(parts) == 2 if split is whole else len(parts) > 5
        assert write.done_steps == len(objects) / 2 + 1
        assert compiler.is_large


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (Ruleset(tables={}), True),
        (foreign(), True),
        (Ruleset(tables={"nat": Table(chains={"KUBE-SVC-AAAAAAAAAAAAAAAA": ()})}), False),
        (Ruleset(tables={}, unread={"nat": Unread(why="made with nft")}), False),
    ],
)
def test_where_it_is_possible(live: Ruleset, *, expected: bool) -> None:
    assert has_no_services(live) is expected
