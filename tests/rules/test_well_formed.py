"""What holds for the rules of any cluster: the kernel takes them, and none is there in vain."""

from hypothesis import given

from pykubeproxy.model.snapshot import Object, Snapshot
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.names import FIXED_CHAINS, LONGEST_NAME, is_stale_candidate
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.ruleset import is_builtin, render
from tests.builders import snapshot
from tests.memory_host import MemoryHost
from tests.strategies import clusters, rule_options


@given(clusters, rule_options())
def test_a_host_takes_them_and_every_chain_is_ours(objects: list[Object], its: RuleOptions) -> None:
    host, ruleset = MemoryHost(), compile_ruleset(snapshot(*objects), its)
    host.restore(render(ruleset))
    for name, table in ruleset.tables.items():
        assert {**host.ruleset.tables[name].chains, **table.chains} == host.ruleset.tables[name].chains
        for chain, lines in table.chains.items():
            assert is_builtin(name, chain) or chain in FIXED_CHAINS[name] or is_stale_candidate(name, chain)
            assert len(chain) <= LONGEST_NAME
            for line in lines:
                assert line.startswith(f"-A {chain} ")
                assert "\n" not in line
                assert "  " not in line


@given(clusters, rule_options())
def test_every_hashed_chain_is_led_to(objects: list[Object], its: RuleOptions) -> None:
    """Except KUBE-EXT- where the only way in is an external IP and those are switched off, as in kube-proxy."""
    for name, table in compile_ruleset(snapshot(*objects), its).tables.items():
        led_to = {line.split()[-1] for lines in table.chains.values() for line in lines}
        idle = {chain for chain in table.chains if is_stale_candidate(name, chain)} - led_to
        assert its.external_ips is False or not idle
        assert all(chain.startswith("KUBE-EXT-") for chain in idle)


@given(clusters, rule_options())
def test_the_same_cluster_gives_the_same_text(objects: list[Object], its: RuleOptions) -> None:
    forwards, backwards = Snapshot(), Snapshot()
    last = {(type(obj), obj.key): obj for obj in objects}  # type: ignore[union-attr]
    for obj in last.values():
        forwards.put(obj)
    for obj in reversed(last.values()):
        backwards.put(obj)
    assert [*render(compile_ruleset(forwards, its))] == [*render(compile_ruleset(backwards, its))]
