"""Tables of nftables beside the iptables rules: what `trace` and `diff` do not look at, they name."""

import json
from pathlib import Path

from pykubeproxy.host.backend import Backend
from pykubeproxy.model.ip import Family
from tests.kernel.machine import IPV4_KINDS, Kind, Machine
from tests.kernel.nftables import load, needs_nft
from tests.kernel.objects import web, write

pytestmark = needs_nft

FIREWALLD = """
table inet firewalld {
    chain filter_INPUT { type filter hook input priority 10; policy accept; ct state invalid drop; }
    chain filter_FORWARD { type filter hook forward priority 10; policy accept; ct state invalid drop; }
}
"""
DEBIANS_DEFAULT = """
table inet filter {
    chain input { type filter hook input priority filter; }
    chain forward { type filter hook forward priority filter; }
}
"""
NOTE = "not looked at: table inet firewalld (hooks forward, input)\n"


def served(machine: Machine, kind: Kind, folder: Path) -> Path:
    """A node with a way to pods, and rules for one Service."""
    machine.ip(["link set lo up", "link add eth0 type veth peer name pod0", "addr add 10.244.0.254/24 dev eth0"])
    machine.ip(["link set pod0 up", "link set eth0 up", "route add default via 10.244.0.1"])
    machine.set_sysctls(1, ["ipv4/ip_forward"])
    source = write(folder / "objects.json", web(Family.IPV4, endpoints=("10.244.0.7", "10.244.0.8")))
    assert machine.once(source, *kind.flags).returncode == 0
    return source


def test_trace_names_them_and_marks_what_they_could_change(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    served(machine, kind4, tmp_path)
    load(machine, FIREWALLD + DEBIANS_DEFAULT)
    load(machine, "table ip6 six {\n chain any {\n type filter hook forward priority 0; policy drop\n }\n}\n")
    forwarded = ("trace", "--from", "10.244.0.9", "--to", "default/web-1", "--in-interface", "eth0", *kind4.flags)
    told = machine.pykubeproxy(*forwarded)
    assert told.returncode == 0
    assert told.stderr == NOTE, "empty chains do nothing, and another family's tables see no packet of this one"
    assert told.stdout.count("; not looked at: table inet firewalld\n") == 2

    document = json.loads(machine.pykubeproxy(*forwarded, "--output", "json").stdout)
    firewalld = {"family": "inet", "table": "firewalld", "hooks": ["forward", "input"]}
    assert document["notLookedAt"] == [firewalld]
    assert [outcome["notLookedAt"] for outcome in document["outcomes"]] == [[firewalld], [firewalld]]

    # The node's own packets pass neither hook.
    own = machine.pykubeproxy("trace", "--from", "node", "--to", "default/web-1", *kind4.flags, "--output", "json")
    assert own.stderr == NOTE
    own_document = json.loads(own.stdout)
    assert own_document["notLookedAt"] == [firewalld]
    assert not any("notLookedAt" in outcome for outcome in own_document["outcomes"])


def test_a_packet_that_ends_before_their_hooks_is_not_marked(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    served(machine, kind4, tmp_path)
    load(machine, FIREWALLD)
    machine.set_sysctls(0, ["ipv4/ip_forward"])
    asked = ("trace", "--from", "10.244.0.9", "--to", "default/web-1", "--in-interface", "eth0", *kind4.flags)
    told = machine.pykubeproxy(*asked, "--output", "json")
    assert told.returncode == 1
    assert told.stderr == NOTE
    assert all("notLookedAt" not in outcome for outcome in json.loads(told.stdout)["outcomes"])


def test_diff_names_them_and_still_finds_no_difference(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = served(machine, kind4, tmp_path)
    load(machine, FIREWALLD)
    told = machine.pykubeproxy("diff", "-f", str(source), *kind4.flags)
    assert (told.returncode, told.stderr) == (0, NOTE)
    document = json.loads(machine.pykubeproxy("diff", "-f", str(source), *kind4.flags, "--output", "json").stdout)
    assert document["notLookedAt"] == [{"family": "inet", "table": "firewalld", "hooks": ["forward", "input"]}]


def test_of_a_dump_nothing_is_said(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = served(machine, kind4, tmp_path)
    load(machine, FIREWALLD)
    dump = tmp_path / "dump"
    dump.write_text(machine.dump(kind4))
    told = machine.pykubeproxy("diff", "-f", str(source), "--live", str(dump), "--family", "ipv4")
    assert "not looked at" not in told.stderr


def test_rules_of_the_nft_tools_are_not_looked_at_where_the_legacy_ones_are_used(
    machine: Machine, tmp_path: Path
) -> None:
    legacy = next(kind for kind in IPV4_KINDS if kind.backend is Backend.LEGACY)
    nft = next(kind for kind in IPV4_KINDS if kind.backend is Backend.NFT)
    served(machine, legacy, tmp_path)
    machine.iptables(nft, "-A", "FORWARD", "-j", "DROP")
    told = machine.pykubeproxy("trace", "--from", "node", "--to", "default/web-1", *legacy.flags)
    assert told.stderr == "not looked at: table ip filter (hook forward)\n"
