"""Where the program cannot work it says why, in one line, and ends; nothing is changed."""

from pathlib import Path

import pytest

from tests.kernel.machine import COMMAND, Kind, Machine

EXAMPLES = str(Path(__file__).parents[2] / "examples")
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
FAILED = {"run": 1, "diff": 2, "cleanup": 2}

# Every command that needs the node's rules.
COMMANDS = (
    ("run", "--source", EXAMPLES),
    ("run", "--once", "--source", EXAMPLES),
    ("diff", "-f", EXAMPLES),
    ("cleanup",),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_iptables(machine: Machine, command: tuple[str, ...], tmp_path: Path) -> None:
    refused = machine.exec(["/usr/bin/env", f"PATH={tmp_path}", *COMMAND, *command], check=False)
    assert refused.returncode == FAILED[command[0]]
    assert only_line(refused.stderr).startswith("Error: iptables is not installed: ")
    assert refused.stdout == ""


def test_without_iptables_the_version_is_told_all_the_same(machine: Machine, tmp_path: Path) -> None:
    told = machine.exec(["/usr/bin/env", f"PATH={tmp_path}", *COMMAND, "version"])
    assert "IPv4 backend in use: unknown: iptables is not installed" in told.stdout
    assert told.stderr == ""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_rights(machine: Machine, kind4: Kind, command: tuple[str, ...]) -> None:
    if machine.exec([*NOBODY, *COMMAND, "version"], check=False).returncode:
        pytest.skip("this project's folder or its Python cannot be read by other users")
    machine.load(kind4, "*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n")
    refused = machine.exec([*NOBODY, *COMMAND, *command, *kind4.flags], check=False)
    assert refused.returncode == FAILED[command[0]]
    complaint = only_line(refused.stderr)
    assert complaint.startswith((f"Error: {kind4.program}-save: ", f"Error: {kind4.program}-restore: "))
    assert "Permission denied" in complaint
    assert complaint.endswith(": run as root, or with CAP_NET_ADMIN and CAP_NET_RAW")


def test_without_the_source(machine: Machine) -> None:
    refused = machine.pykubeproxy("run", "--once", "--source", "/no/such")
    assert refused.returncode == 1
    assert refused.stderr.endswith("Error: /no/such: no such file or folder\n")
    assert "Traceback" not in refused.stderr


def only_line(text: str) -> str:
    lines = text.splitlines()
    assert len(lines) == 1, text
    return lines[0]
