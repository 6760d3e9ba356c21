"""What a user did wrong is told in one line on stderr, and the exit status is not 0.

Only of commands that change nothing: `run` and `cleanup` are tried in a namespace (tests/kernel).
"""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.main import main
from pykubeproxy.host.errors import NotPermitted
from tests.kernel.objects import write

ROOT = Path(__file__).parents[2]
PROGRAM = f"exec {shlex.quote(sys.executable)} -m pykubeproxy"


def assert_one_error(result: Result) -> None:
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith("Error: ")


# What is wrong on the command line, and what the line must say.
MISTAKES = {
    "render --no-such": "No such option '--no-such'",
    "rendre": "No such command 'rendre'; did you mean render? (see 'main --help')",
    "render -f": "'-f' requires an argument",
    "render": "no objects given: name a file or folder with -f",
    # A command whose output should have come in has failed, perhaps.
    "render -f - --family ipv4": "nothing to work with: stdin: empty: nothing came in",
    "render -f - --family ipv5": "'ipv5' is not one of 'ipv4', 'ipv6'",
    "render -f - --dispatch linear --reject-unused-ports all": "--reject-unused-ports needs --dispatch tree",
    "render -f - --dispatch round": "'round' is not one of 'linear', 'tree'",
    "render -f - --host-address 1.2.3": "'1.2.3' is not an IP address",
    "render -f - --iptables-masquerade-bit 99": "asquerade",
    "render -f - --proxy-mode ipvs": "ipvs",
    "render -f /no/such": "/no/such: no such file or folder",
    "render -f - --config /no/such": "/no/such",
    "diff -f examples --live /no/such": "/no/such: cannot be read: No such file or directory",
    "diff -f examples --live examples": "examples: cannot be read: Is a directory",
    "check --metrics-bind-address nonsense": "Invalid value for '--metrics-bind-address'",
    "top --interval 0": "0 is not from 100ms to 1h",
    "top --interval nan": 'invalid duration "nan"',
    "top --limit 0": "0 is not in the range x>=1",
    "top default/web": "default/web",
}


@pytest.mark.parametrize(("arguments", "expected"), MISTAKES.items(), ids=MISTAKES.keys())
def test_a_mistake_is_told_in_one_line(arguments: str, expected: str) -> None:
    result = CliRunner().invoke(main, arguments.split(), input="")
    assert_one_error(result)
    assert expected in result.stderr


@pytest.mark.parametrize(
    ("dump", "expected"),
    [
        (b"<html></html>\n", "line 1: '<html></html>' is not a line of iptables-save"),
        (b"# Table `filter' is incompatible, use 'nft' tool.\n", "line 1: table filter is not in this dump"),
        (b"*nat\nCOMMIT\n*nat\nCOMMIT\n", "line 4: table nat is there twice; one dump is of one family"),
        (b"", "no table in it"),
        (bytes(range(255, -1, -1)), ""),
    ],
)
def test_a_dump_that_is_none(dump: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes(dump)
    result = CliRunner().invoke(main, ["diff", "-f", "examples", "--live", str(path)])
    assert_one_error(result)
    assert result.stderr.startswith(f"Error: {path}: {expected}")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"kind: [\n", b"# Words\n\nmore: of: them\n", b"just words\n"])
@pytest.mark.parametrize("command", ["render", "diff --live {}", "trace --from node --to default/web"])
def test_mistakes_alone_are_no_empty_cluster(content: bytes, command: str, tmp_path: Path) -> None:
    """`diff` would say that all rules have to go."""
    path, dump = tmp_path / "objects.yaml", tmp_path / "dump"
    path.write_bytes(content)
    dump.write_text("*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n")
    result = CliRunner().invoke(main, [*command.format(dump).split(), "-f", str(path)])
    assert_one_error(result)
    assert result.stderr.startswith(f"Error: nothing to work with: {path}: ")


@pytest.mark.parametrize(("mode", "problem"), [("1", "failed complete: "), ("ipvs", "failed validate: ")])
def test_a_mistake_in_the_configuration_names_the_file(mode: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: {mode}\n")
    result = CliRunner().invoke(main, ["render", "-f", "-", "--config", str(path)], input="")
    assert_one_error(result)
    assert result.stderr.startswith(f"Error: {problem}")
    assert result.stderr.endswith(f" (--config {path})\n")


def test_an_error_that_nobody_thought_of_is_one_line_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError("no\nway")

    monkeypatch.setattr("pykubeproxy.cli.render.render_lines", fail)
    arguments = ["render", "-f", str(write(tmp_path / "objects.json", [])), "--family", "ipv4"]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stderr) == (2, "Error: ZeroDivisionError: no way (-v 4 tells more)\n")
    assert isinstance(CliRunner().invoke(main, [*arguments, "-v", "4"]).exception, ZeroDivisionError)


@pytest.mark.parametrize("arguments", ["render -f examples/cluster-ip.yaml", "version", "run --help"])
def test_output_that_cannot_be_written(arguments: str) -> None:
    script = f"{PROGRAM} {arguments} >/dev/full"
    run = subprocess.run(["sh", "-c", script], cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.startswith("Error: [Errno 28] No space left on device")
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(closed: str, tmp_path: Path) -> None:
    """No file that is opened later gets their numbers, and with them what is written there."""
    dump = tmp_path / "dump"
    dump.write_text("*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n")
    script = f"{PROGRAM} diff -f examples/cluster-ip.yaml --live {shlex.quote(str(dump))} --ipvs-strict-arp {closed}"
    run = subprocess.run(["sh", "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 1
    assert ("Plan: " in run.stdout) is (" >&-" not in closed)


@pytest.mark.parametrize(
    ("command", "place", "advice"),
    [
        ("top --once", "top.find_tools", "run it with sudo; "),
        ("cleanup --dry-run", "cleanup.clean_leftovers", "run it with sudo; "),
        ("diff -f examples", "diff.find_tools", "run it with sudo, or give --live FILE; "),
    ],
)
def test_who_is_not_root_is_told_how_to_be(
    command: str, place: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotPermitted("iptables-save: Permission denied", "run as root")

    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(f"pykubeproxy.cli.{place}", refuse)
    result = CliRunner().invoke(main, command.split())
    assert (result.exit_code, result.stderr.count("Error")) == (2, 1)
    name = command.partition(" ")[0]
    last = f"Error: {name} reads this node's rules: {advice}iptables-save: Permission denied"
    assert result.stderr.splitlines()[-1] == last
