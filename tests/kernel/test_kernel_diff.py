"""`diff` and the log of `run`: exit statuses, and a payload that does exactly what `run` would do."""

import json
import os
import pty
import subprocess

import pytest

from tests.kernel.machine import COMMAND
from tests.kernel.node import Node

SAME = "No changes. The node matches the cluster.\n"


def test_exit_statuses(node4: Node) -> None:
    node4.write(node4.web(1))
    different = node4.diff()
    assert different.returncode == 1
    assert "\nPlan: " in different.stdout
    node4.sync()
    same = node4.diff()
    assert (same.returncode, same.stdout) == (0, SAME)
    assert node4.ask("diff", "-f", "/no/such").returncode > 1


def test_the_payload_loaded_by_hand_does_what_run_would_do(node: Node) -> None:
    node.write(node.web(1), node.web(2))
    node.sync()
    node.write(node.web(2, endpoints=(1, 2, 3)), node.web(3))
    node.iptables("-D", "FORWARD", "1")
    before = node.dump()
    by_hand = node.diff("--output", "restore")
    assert (by_hand.returncode, node.dump()) == (1, before), "nothing is written"
    node.load(by_hand.stdout, "--counters")
    assert node.diff().stdout == SAME
    assert node.diff("--output", "restore").stdout == ""
    loaded = node.dump()
    node.sync()
    assert node.dump() == loaded


def test_what_render_prints_is_complete_for_a_node_that_has_nothing(node4: Node) -> None:
    node4.write(*(node4.web(number) for number in range(30)))
    rendered = node4.machine.pykubeproxy("render", "-f", str(node4.source), "--family", node4.family.lower())
    node4.load(rendered.stdout)
    assert node4.diff().stdout == SAME


def test_a_dump_of_the_node_tells_the_same_as_the_node(node4: Node) -> None:
    node4.write(node4.web(1))
    node4.sync()
    dump = node4.folder / "dump"
    dump.write_text(node4.machine.exec([f"{node4.kind.program}-save", "-c"]).stdout)
    for objects in (node4.web(1), node4.web(2)):
        node4.write(objects)
        from_node = node4.diff()
        from_dump = node4.machine.pykubeproxy("diff", "-f", str(node4.source), "--live", str(dump))
        assert (from_dump.returncode, from_dump.stdout) == (from_node.returncode, from_node.stdout)


ESCAPE = b"\x1b["


@pytest.mark.parametrize(
    ("setting", "is_coloured"), [((), True), (("NO_COLOR=1",), False)], ids=["default", "NO_COLOR"]
)
def test_the_log_is_coloured_at_a_terminal(node4: Node, setting: tuple[str, ...], *, is_coloured: bool) -> None:
    node4.write(node4.web())
    run = [*COMMAND, "run", "--once", "--source", str(node4.source), *node4.kind.flags]
    command = node4.machine.argv(["env", "-u", "NO_COLOR", "TERM=xterm", *setting, *run])
    ours, theirs = pty.openpty()
    try:
        subprocess.run(command, stderr=theirs, stdout=subprocess.DEVNULL, check=True)
        said = os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"synced" in said
    assert (ESCAPE in said) is is_coloured
    elsewhere = node4.sync()
    assert (ESCAPE.decode() in elsewhere.stderr, elsewhere.stdout) == (False, "")


def test_the_log_as_json(node4: Node) -> None:
    node4.write(*(node4.web(number) for number in range(1, 6)))
    flags = ("--log-format", "json", "--hostname-override", "node-a", "--host-address", "192.0.2.1", "-v", "4")
    first, *others = map(json.loads, node4.sync(*flags).stderr.splitlines())
    assert first["version"].startswith("pykubeproxy ")
    expected = {
        "event": "starting",
        "backend": f"{node4.family} {node4.kind.backend}",
        "layout": "tree",
        "node": "node-a",
        "addresses": "192.0.2.1",
        "source": str(node4.source),
    }
    assert {name: first[name] for name in expected} == expected
    synced = next(entry for entry in others if entry["event"] == "synced")
    assert (synced["level"], synced["family"]) == ("info", "IPv4")
    assert synced["plan"].endswith(" rules")
    assert synced["services"] == "default/web-1, default/web-2, default/web-3 and 2 more"
    chains = [entry["chain"] for entry in others if (entry["event"], entry.get("action")) == ("chain", "added")]
    assert "KUBE-SERVICES" in chains
