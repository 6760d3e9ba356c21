"""Where the program cannot work it says why, in one line, and ends; nothing is changed."""

import os
from pathlib import Path

import pytest

from pykubeproxy.host.backend import Backend
from pykubeproxy.model.ip import Family
from tests.kernel.machine import COMMAND, Kind, Machine

EXAMPLES = str(Path(__file__).parents[2] / "examples")
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")

# Every command that needs the node's rules.
COMMANDS = (
    ("run", "--source", EXAMPLES),
    ("run", "--once", "--source", EXAMPLES),
    ("diff", "-f", EXAMPLES),
    ("cleanup",),
    ("top", "--once"),
)
ADVICE = {
    "diff": "diff reads this node's rules: run it with sudo, or give --live FILE; ",
    "cleanup": "cleanup reads this node's rules: run it with sudo; ",
    "top": "top reads this node's rules: run it with sudo; ",
}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_iptables(machine: Machine, command: tuple[str, ...], tmp_path: Path) -> None:
    refused = machine.exec(["/usr/bin/env", f"PATH={tmp_path}", *COMMAND, *command], check=False)
    assert refused.returncode == 2
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
    assert refused.returncode == 2
    complaint = only_line(refused.stderr)
    advice = ADVICE.get(command[0], "")
    assert complaint.startswith(tuple(f"Error: {advice}{kind4.program}-{tool}: " for tool in ("save", "restore")))
    assert "Permission denied" in complaint
    assert complaint.endswith(": run as root, or with CAP_NET_ADMIN and CAP_NET_RAW")


DUAL_STACK = ("run", "--once", "--source", EXAMPLES, "--hostname-override=node-x")


@pytest.mark.parametrize(
    ("broken", "address", "refusal"),
    [
        ("iptables", "fd00:99::1", None),
        ("iptables", "10.99.0.1", 'no support for primary IP family "IPv4"'),
        ("ip6tables", "10.99.0.1", None),
        ("ip6tables", "fd00:99::1", 'no support for primary IP family "IPv6"'),
    ],
)
def test_tools_that_do_not_work_are_done_without_if_they_are_not_of_the_primary_family(
    machine: Machine, tmp_path: Path, broken: str, address: str, refusal: str | None
) -> None:
    for name in (f"{broken}-nft-restore", f"{broken}-restore", f"{broken}-legacy-restore"):
        (tmp_path / name).write_text("#!/bin/sh\necho no such table >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    path = f"PATH={tmp_path}:{os.environ['PATH']}"
    told = machine.exec(["/usr/bin/env", path, *COMMAND, *DUAL_STACK, "--host-address", address], check=False)
    family, other = ("IPv4", "IPv6") if broken == "iptables" else ("IPv6", "IPv4")
    assert f"without={family}" in told.stderr
    if refusal is None:
        assert told.returncode == 0, told.stderr
        assert f"family={other}" in told.stderr
        assert f"family={family}" not in told.stderr
    else:
        assert told.returncode == 2
        assert told.stderr.splitlines()[-1] == f"Error: {refusal}"
        assert "KUBE-" not in machine.dump(Kind(family=Family(other), backend=Backend.NFT))
    asked_for = [*COMMAND, *DUAL_STACK, "--host-address", address, "--family", family.lower()]
    refused = machine.exec(["/usr/bin/env", path, *asked_for], check=False)
    assert refused.returncode == 2
    assert "no such table" in only_line(refused.stderr)


def test_without_the_source(machine: Machine) -> None:
    refused = machine.pykubeproxy("run", "--once", "--source", "/no/such")
    assert refused.returncode == 2
    assert refused.stderr.endswith("Error: /no/such: no such file or folder\n")
    assert "Traceback" not in refused.stderr


def only_line(text: str) -> str:
    lines = text.splitlines()
    assert len(lines) == 1, text
    return lines[0]
