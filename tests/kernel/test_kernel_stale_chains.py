"""Chains that no Service needs any more go, unless somebody else's rules lead there."""

import itertools
from pathlib import Path

from tests.kernel.machine import Kind, Machine, wait_until
from tests.kernel.objects import cluster_ip, entry_chain, web, write


def test_nothing_is_left_of_a_service_that_is_gone(machine: Machine, kind: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind.family, 1))
    assert machine.once(source, *kind.flags).returncode == 0
    expected = machine.dump(kind)
    write(source, web(kind.family, 1, endpoints=(1, 2, 3)), web(kind.family, 2))
    assert machine.once(source, *kind.flags).returncode == 0
    assert machine.dump(kind) != expected
    write(source, web(kind.family, 1))
    assert machine.once(source, *kind.flags).returncode == 0
    assert machine.dump(kind) == expected


def test_every_kind_of_stale_chain_goes_but_only_where_a_proxy_has_chains(
    machine: Machine, kind4: Kind, tmp_path: Path
) -> None:
    stale = [f"KUBE-{what}-AAAAAAAAAAAAAAAA" for what in ("SVC", "SVL", "SEP", "FW", "EXT")]
    chains = "".join(f":{chain} - [0:0]\n" for chain in stale)
    rules = "".join(f"-A {chain} -j {following}\n" for chain, following in itertools.pairwise(stale))
    machine.load(kind4, "".join(f"*{table}\n{chains}{rules}COMMIT\n" for table in ("mangle", "filter", "nat")))
    assert machine.once(write(tmp_path / "objects.json", []), *kind4.flags).returncode == 0
    live = machine.rules(kind4)
    assert not set(stale) & set(live.tables["nat"].chains)
    assert not set(stale) & set(live.tables["filter"].chains)
    assert set(stale) <= set(live.tables["mangle"].chains)


def test_a_stale_chain_in_use_by_others_is_emptied_and_goes_later(machine: Machine, kind: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind.family, 1), web(kind.family, 2))
    assert machine.once(source, *kind.flags).returncode == 0
    chain = entry_chain(machine.rules(kind), cluster_ip(kind.family, 2))
    foreign = ("-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", "9", "-j", chain)
    machine.iptables(kind, *foreign)

    write(source, web(kind.family, 1))
    assert machine.once(source, *kind.flags).returncode == 0
    live = machine.rules(kind)
    assert live.lines("nat", chain) == ()
    assert f"-A PREROUTING -p tcp -m tcp --dport 9 -j {chain}" in (live.lines("nat", "PREROUTING") or ())
    assert not [other for other in live.tables["nat"].chains if other.startswith("KUBE-SVC-") and other != chain][1:]
    assert machine.pykubeproxy("diff", "-f", str(source), *kind.flags).returncode == 0

    machine.iptables(kind, *(word if word != "-A" else "-D" for word in foreign))
    assert machine.once(source, *kind.flags).returncode == 0
    assert machine.chain(kind, "nat", chain) is None


def test_a_service_that_goes_while_others_use_its_chain_holds_nothing_up(
    machine: Machine, kind4: Kind, tmp_path: Path
) -> None:
    source = write(tmp_path / "objects.json", web(kind4.family, 1), web(kind4.family, 2))
    machine.start(source, tmp_path / "log", *kind4.flags)
    wait_until(lambda: machine.chain(kind4, "nat", "KUBE-SERVICES"), "the first sync")
    chain = entry_chain(machine.rules(kind4), cluster_ip(kind4.family, 2))
    machine.iptables(kind4, "-t", "nat", "-A", "PREROUTING", "-j", chain)
    write(source, web(kind4.family, 1), web(kind4.family, 3))
    wait_until(lambda: f" -d {cluster_ip(kind4.family, 3)}/32 " in machine.dump(kind4), "the new Service")
    assert machine.chain(kind4, "nat", chain) == ()
