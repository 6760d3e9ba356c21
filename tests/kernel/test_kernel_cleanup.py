"""`cleanup`: what kube-proxy's own `--cleanup` leaves, and nothing else is missing."""

from tests.corpus import CANARY, GOLDEN
from tests.kernel.machine import KINDS, Machine, why_without
from tests.kernel.node import Node

CANARIES = "".join(
    f"*{table}\n:{CANARY} - [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n" for table in ("mangle", "filter", "nat")
)
FOREIGN = "*filter\n-A INPUT -s {} -j DROP\nCOMMIT\n"


def test_what_is_left_of_kube_proxys_rules(node: Node) -> None:
    node.load((GOLDEN / "dual-stack" / f"{node.family.lower()}.save").read_text())
    node.load(CANARIES)
    address = "9.9.9.9/32" if node.kind.mask == "/32" else "2001:db8::9/128"
    node.load(FOREIGN.format(address))
    firewall = node.chain("filter", "KUBE-FIREWALL")

    first = node.ask("cleanup")
    assert first.returncode == 0, first.stderr
    live = node.rules()
    left = {name: sorted(table.chains.keys() - table.policies.keys()) for name, table in live.tables.items()}
    assert left == {
        "filter": ["KUBE-FIREWALL", "KUBE-KUBELET-CANARY"],
        "mangle": ["KUBE-KUBELET-CANARY"],
        "nat": ["KUBE-KUBELET-CANARY"],
    }
    assert live.lines("filter", "KUBE-FIREWALL") == firewall
    assert live.lines("filter", "INPUT") == ("-A INPUT -j KUBE-FIREWALL", f"-A INPUT -s {address} -j DROP")
    assert live.lines("filter", "OUTPUT") == ("-A OUTPUT -j KUBE-FIREWALL",)
    assert live.lines("filter", "FORWARD") == ()
    assert live.tables["nat"].rule_count() == live.tables["mangle"].rule_count() == 0
    assert node.ask("cleanup").stdout == f"{node.family} ({node.kind.backend}): nothing to remove\n"


def test_every_family_and_backend_is_cleaned(machine: Machine) -> None:
    kinds = [kind for kind in KINDS if not why_without(kind)]
    for kind in kinds:
        machine.load(kind, (GOLDEN / "dual-stack" / f"{kind.family.lower()}.save").read_text())
    done = machine.pykubeproxy("cleanup")
    assert done.returncode == 0
    told = {line.partition(":")[0] for line in done.stdout.splitlines()}
    assert told == {f"{kind.family} ({kind.backend})" for kind in kinds}
    assert not [kind for kind in kinds if "KUBE-SERVICES" in machine.dump(kind)]


# Ends with the status of a command that prints for nobody.
NOBODY_READS = ("bash", "-c", '"$@" | :; exit "${PIPESTATUS[0]}"', "-")


def test_rules_in_a_tree_go_but_not_in_a_dry_run_nor_beside_a_running_proxy(node: Node) -> None:
    node.write(*(node.web(number) for number in range(1, 60)))
    process = node.start("--dispatch", "tree")
    node.wait_for(*range(1, 60))
    refused = node.ask("cleanup")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.endswith(") would put the rules back: end it first, or give --force\n")
    process.terminate()
    assert process.wait(20) == 0
    before = node.dump("-t", "nat")
    would = node.ask("cleanup", "--dry-run")
    assert (would.returncode, node.dump("-t", "nat")) == (1, before)
    assert would.stdout.endswith("nothing was removed: this was a dry run\n")
    for command in ("cleanup --dry-run", "top --once --interval 100ms"):
        unread = node.machine.pykubeproxy(*command.split(), *node.kind.flags, before=NOBODY_READS)
        assert (unread.returncode, unread.stderr) == (141, ""), command
    done = node.ask("cleanup")
    assert (done.returncode, done.stdout) == (0, would.stdout.splitlines(keepends=True)[0])
    chains = {chain for table in node.rules().tables.values() for chain in table.chains}
    assert {chain for chain in chains if chain.startswith("KUBE-")} == {"KUBE-FIREWALL"}
    assert node.ask("cleanup", "--dry-run").returncode == 0
