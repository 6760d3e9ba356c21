"""The log of `run`: on stderr, coloured for people at a terminal who do not mind, or as JSON."""

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.kernel.machine import COMMAND, Kind, Machine
from tests.kernel.objects import web, write

ESCAPE = b"\x1b["


@pytest.mark.parametrize(("setting", "escapes"), [((), [ESCAPE]), (("NO_COLOR=1",), [])], ids=["default", "NO_COLOR"])
def test_colour_at_a_terminal(
    machine: Machine, kind4: Kind, setting: tuple[str, ...], escapes: list[bytes], tmp_path: Path
) -> None:
    source = write(tmp_path / "objects.json", web(kind4.family))
    ours, theirs = pty.openpty()
    command = ["env", "-u", "NO_COLOR", "TERM=xterm", *setting, *COMMAND, "run", "--once", "--source", str(source)]
    try:
        subprocess.run(machine.argv([*command, *kind4.flags]), stderr=theirs, stdout=subprocess.DEVNULL, check=True)
        said = os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"synced" in said
    assert [escape for escape in [ESCAPE] if escape in said] == escapes


def test_no_colour_where_there_is_no_terminal(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    run = machine.once(write(tmp_path / "objects.json", web(kind4.family)), *kind4.flags)
    assert "\x1b" not in run.stderr
    assert run.stdout == ""


def test_every_line_is_json(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind4.family))
    lines = machine.once(source, *kind4.flags, "--log-format", "json").stderr.splitlines()
    synced = next(entry for entry in map(json.loads, lines) if entry["event"] == "synced")
    assert (synced["level"], synced["family"]) == ("info", "IPv4")
    assert synced["plan"].endswith(" rules")
    assert synced["services"] == "default/web-1"


def test_the_first_line_says_what_starts(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", *(web(kind4.family, number) for number in range(1, 6)))
    flags = (*kind4.flags, "--log-format", "json", "--hostname-override", "node-a", "--host-address", "192.0.2.1")
    first, *others = map(json.loads, machine.once(source, *flags, "-v", "4").stderr.splitlines())
    assert first["event"] == "starting"
    assert first["version"].startswith("pykubeproxy ")
    assert {name: first[name] for name in ("backend", "layout", "node", "addresses", "source")} == {
        "backend": f"{kind4.family} {kind4.backend}",
        "layout": "tree",
        "node": "node-a",
        "addresses": "192.0.2.1",
        "source": str(source),
    }
    synced = next(entry for entry in others if entry["event"] == "synced")
    assert synced["services"] == "default/web-1, default/web-2, default/web-3 and 2 more"
    chains = [entry["chain"] for entry in others if (entry["event"], entry.get("action")) == ("chain", "added")]
    assert "KUBE-SERVICES" in chains
