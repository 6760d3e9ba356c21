"""`diff` prints a payload that does exactly what `run` would do; and the log of `run` at a terminal."""

import os
import pty
import subprocess

import pytest

from tests.kernel.machine import COMMAND
from tests.kernel.node import Node

SAME = "No changes. The node matches the cluster.\n"


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


@pytest.mark.parametrize("unread", ['"$@" 2>&1 | :; exit "${PIPESTATUS[0]}"', '"$@" >&- 2>&-'], ids=["pipe", "closed"])
def test_a_sync_is_done_also_if_nobody_reads_its_log(node4: Node, unread: str) -> None:
    node4.write(node4.web())
    once = ("run", "--once", "-v", "4", "--source", str(node4.source), *node4.kind.flags)
    runs = [node4.machine.pykubeproxy(*once, *dry, before=("bash", "-c", unread, "-")) for dry in (("--dry-run",), ())]
    assert [run.returncode for run in (*runs, node4.once("--dry-run"))] == [1, 0, 0]
    assert [run.stderr for run in runs] == ["", ""]
