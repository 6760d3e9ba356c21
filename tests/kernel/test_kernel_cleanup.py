"""`cleanup`: what kube-proxy's own `--cleanup` leaves, and nothing else is missing."""

from pathlib import Path

from tests.corpus import CANARY, GOLDEN
from tests.kernel.machine import KINDS, Kind, Machine, wait_until, why_without
from tests.kernel.objects import cluster_ip, entry_chain, web, write

CANARIES = "".join(
    f"*{table}\n:{CANARY} - [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n" for table in ("mangle", "filter", "nat")
)
FOREIGN = "*filter\n-A INPUT -s {} -j DROP\nCOMMIT\n"


def test_what_is_left_of_kube_proxys_rules(machine: Machine, kind: Kind) -> None:
    machine.load(kind, (GOLDEN / "dual-stack" / f"{kind.family.lower()}.save").read_text())
    machine.load(kind, CANARIES)
    address = "9.9.9.9/32" if kind.mask == "/32" else "2001:db8::9/128"
    machine.load(kind, FOREIGN.format(address))
    firewall = machine.chain(kind, "filter", "KUBE-FIREWALL")

    first = machine.pykubeproxy("cleanup", *kind.flags)
    assert first.returncode == 0, first.stderr
    live = machine.rules(kind)
    left = {
        table: sorted(live.tables[table].chains.keys() - live.tables[table].policies.keys()) for table in live.tables
    }
    assert left == {"filter": ["KUBE-FIREWALL", "KUBE-KUBELET-CANARY"], "mangle": ["KUBE-KUBELET-CANARY"]} | {
        "nat": ["KUBE-KUBELET-CANARY"]
    }
    assert live.lines("filter", "KUBE-FIREWALL") == firewall
    assert live.lines("filter", "INPUT") == ("-A INPUT -j KUBE-FIREWALL", f"-A INPUT -s {address} -j DROP")
    assert live.lines("filter", "OUTPUT") == ("-A OUTPUT -j KUBE-FIREWALL",)
    assert live.lines("filter", "FORWARD") == ()
    assert live.tables["nat"].rule_count() == live.tables["mangle"].rule_count() == 0

    second = machine.pykubeproxy("cleanup", *kind.flags)
    assert (second.returncode, second.stdout) == (0, f"{kind.family} ({kind.backend}): nothing to remove\n")


def test_every_family_and_backend_is_cleaned(machine: Machine) -> None:
    kinds = [kind for kind in KINDS if not why_without(kind)]
    for kind in kinds:
        machine.load(kind, (GOLDEN / "dual-stack" / f"{kind.family.lower()}.save").read_text())
    done = machine.pykubeproxy("cleanup")
    assert done.returncode == 0
    assert {line.partition(":")[0] for line in done.stdout.splitlines()} == {
        f"{kind.family} ({kind.backend})" for kind in kinds
    }
    for kind in kinds:
        assert "KUBE-SERVICES" not in machine.dump(kind)


def test_rules_in_a_tree_go_as_well(machine: Machine, kind: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", *(web(kind.family, number) for number in range(60)))
    assert machine.once(source, *kind.flags, "--dispatch", "tree").returncode == 0
    assert machine.pykubeproxy("cleanup", *kind.flags).returncode == 0
    chains = {chain for table in machine.rules(kind).tables.values() for chain in table.chains}
    assert {chain for chain in chains if chain.startswith("KUBE-")} == {"KUBE-FIREWALL"}


def test_chains_that_others_use_are_emptied_and_named(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind4.family, 1))
    assert machine.once(source, *kind4.flags).returncode == 0
    chain = entry_chain(machine.rules(kind4), cluster_ip(kind4.family, 1))
    machine.iptables(kind4, "-t", "nat", "-A", "PREROUTING", "-p", "udp", "-j", chain)
    machine.iptables(kind4, "-t", "nat", "-A", "OUTPUT", "-p", "udp", "-j", "KUBE-SERVICES")
    done = machine.pykubeproxy("cleanup", *kind4.flags)
    assert done.returncode == 0
    assert f"emptied, but in use by other rules: KUBE-SERVICES, {chain}\n" in done.stdout
    live = machine.rules(kind4)
    assert live.lines("nat", "KUBE-SERVICES") == live.lines("nat", chain) == ()
    assert live.lines("nat", "OUTPUT") == ("-A OUTPUT -p udp -j KUBE-SERVICES",)


def test_a_dry_run_removes_nothing(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind4.family, 1))
    assert machine.once(source, *kind4.flags).returncode == 0
    before = machine.dump(kind4, "-t", "nat")
    would = machine.pykubeproxy("cleanup", "--dry-run", *kind4.flags)
    assert (would.returncode, machine.dump(kind4, "-t", "nat")) == (1, before)
    assert would.stdout.endswith("nothing was removed: this was a dry run\n")
    done = machine.pykubeproxy("cleanup", *kind4.flags)
    assert (done.returncode, done.stdout) == (0, would.stdout.splitlines(keepends=True)[0])
    again = machine.pykubeproxy("cleanup", "--dry-run", *kind4.flags)
    assert (again.returncode, again.stdout) == (0, f"{kind4.family} ({kind4.backend}): nothing to remove\n")


def test_beside_a_running_proxy_it_stops(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind4.family, 1))
    machine.start(source, tmp_path / "log", *kind4.flags)
    wait_until(lambda: "KUBE-SVC-" in machine.dump(kind4), "the first sync")
    refused = machine.pykubeproxy("cleanup", *kind4.flags)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.endswith(") would put the rules back: end it first, or give --force\n")
    assert "KUBE-SVC-" in machine.dump(kind4)
    assert machine.pykubeproxy("cleanup", "--force", *kind4.flags).returncode == 0
