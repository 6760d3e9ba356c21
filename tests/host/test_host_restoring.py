from pathlib import Path

import pytest

from pykubeproxy.host.errors import LockTimeout, NotPermitted, RestoreError, ToolMissing
from tests.host.fake_tools import FakeTools

LINES = ["*filter", ":A - [0:0]", "COMMIT", "*nat", ":B - [0:0]", "-A B -p tcp -m tcp --dport 99999 -j A", "COMMIT"]
SIXTH = "restore failed at line 6 (-A B -p tcp -m tcp --dport 99999 -j A): "

USAGE = "Try `iptables-restore -h' or 'iptables-restore --help' for more information.\n"
BAD_PORT = (
    "iptables-nft-restore v1.8.9 (nf_tables): invalid port/service `99999' specified\nError occurred at line: 6\n"
)
NO_TARGET = "iptables-restore v1.8.9 (legacy): Couldn't load target `A':No such file or directory\n\n"

# What versions 1.8.9 of both backends say (`docs/reference/iptables-execution.md` section 7, and measured).
REFUSALS = {
    "nft, bad rule": (BAD_PORT + USAGE, 2, SIXTH + "invalid port/service `99999' specified"),
    "nft, missing chain": (
        "iptables-nft-restore: line 6 failed: No chain/target/match by that name.\n",
        1,
        SIXTH + "line 6 failed: No chain/target/match by that name.",
    ),
    "nft, refused by the kernel": (
        "iptables-nft-restore v1.8.9 (nf_tables): \nline 6: RULE_APPEND failed (Too many links): rule in chain B\n",
        4,
        SIXTH + "line 6: RULE_APPEND failed (Too many links): rule in chain B",
    ),
    "legacy, bad rule": (
        NO_TARGET + "Error occurred at line: 6\n" + USAGE,
        2,
        SIXTH + "Couldn't load target `A':No such file or directory",
    ),
    "legacy, refused": ("iptables-restore: line 6 failed\n", 1, SIXTH + "line 6 failed"),
    "a word": ("Bad argument `rubbish'\nError occurred at line: 6\n", 2, SIXTH + "Bad argument `rubbish'"),
    "no line": ("iptables-restore v1.8.9 (legacy): oh no\n", 1, "restore failed: oh no"),
    "a line beyond the end": ("iptables-restore: COMMIT expected at line 99\n", 1, "restore failed at line 99 (): "),
    "nothing": ("", 7, "restore failed: exit status 7"),
}


@pytest.fixture(name="tools")
def fixture_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTools:
    return FakeTools(tmp_path / "bin", monkeypatch)


@pytest.mark.parametrize(("complaint", "status", "expected"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal_names_line_and_text_in_one_line(
    tools: FakeTools, complaint: str, status: int, expected: str
) -> None:
    tools.add("restore", complaint=complaint, status=status, body="/bin/cat >/dev/null")
    with pytest.raises(RestoreError) as caught:
        tools.host().restore(LINES)
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)
    if "line 6" in expected:
        assert (caught.value.line, caught.value.text) == (6, LINES[5])


@pytest.mark.parametrize(
    "complaint",
    [
        "Another app is currently holding the xtables lock. Stopped waiting after 5s.\n",
        "Another app is currently holding the xtables lock; still 4s 0us time ahead to have a chance to grab it...\n",
    ],
)
def test_the_lock(tools: FakeTools, complaint: str) -> None:
    tools.add("restore", complaint=complaint, status=4, body="/bin/cat >/dev/null")
    with pytest.raises(LockTimeout, match=r"^restore failed: another program has held the xtables lock for 5 s$"):
        tools.host().restore(LINES)


def test_missing_rights(tools: FakeTools) -> None:
    complaint = (
        "iptables-restore v1.8.9 (legacy): iptables-restore: unable to initialize table 'nat': Permission denied\n"
    )
    tools.add("restore", complaint=complaint, status=3, body="/bin/cat >/dev/null")
    with pytest.raises(
        NotPermitted, match=r"^restore: unable to initialize table 'nat': Permission denied: run as root"
    ):
        tools.host().restore(LINES)


def test_a_missing_tool(tools: FakeTools) -> None:
    with pytest.raises(ToolMissing, match=r"^restore is not installed"):
        tools.host().restore(LINES)


def test_the_tool_is_fed_everything_as_kube_proxy_feeds_it(tools: FakeTools, tmp_path: Path) -> None:
    tools.add("restore", body=f"echo $* >{tmp_path}/arguments\n/bin/cat >{tmp_path}/input")
    tools.host().restore(LINES)
    assert (tmp_path / "arguments").read_text() == "-w 5 --noflush --counters\n"
    assert (tmp_path / "input").read_text().splitlines() == LINES


def test_nothing_is_run_for_nothing(tools: FakeTools, tmp_path: Path) -> None:
    tools.add("restore", body=f": >{tmp_path}/run")
    tools.host().restore([])
    assert not (tmp_path / "run").exists()


def test_a_tool_that_does_not_read_its_input_is_not_waited_for(tools: FakeTools) -> None:
    tools.add("restore", complaint="iptables-restore: line 1 failed\n", status=1)
    with pytest.raises(RestoreError) as caught:
        tools.host().restore([f":C{number} - [0:0]" for number in range(50_000)])
    assert caught.value.text == ":C0 - [0:0]"
