"""What a user did wrong is told in one line on stderr, and the exit status is not 0.

Only of commands that change nothing: `run` and `cleanup` are tried in a namespace (tests/kernel).
"""

import errno
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.main import main
from pykubeproxy.daemon.cleanup import CleanupResult
from pykubeproxy.host.backend import Backend, Tools
from pykubeproxy.host.errors import NotPermitted
from pykubeproxy.model.ip import Family
from tests.kernel.objects import web, write

# What is wrong on the command line, and what the line must say.
MISTAKES = {
    "unknown flag": (["render", "--no-such"], "No such option '--no-such'"),
    "unknown command": (["rendre"], "No such command 'rendre'"),
    "value missing": (["render", "-f"], "'-f' requires an argument"),
    "no objects": (["render"], "no objects given: name a file or folder with -f"),
    "family": (["render", "-f", "-", "--family", "ipv5"], "'ipv5' is not one of 'ipv4', 'ipv6'"),
    "unused ports, linear": (
        ["render", "-f", "-", "--dispatch", "linear", "--reject-unused-ports", "all"],
        "--reject-unused-ports needs --dispatch tree",
    ),
    "dispatch": (["render", "-f", "-", "--dispatch", "round"], "'round' is not one of 'linear', 'tree'"),
    "backend": (["diff", "-f", "-", "--backend", "ebpf"], "'ebpf' is not one of 'auto', 'nft', 'legacy'"),
    "address": (["render", "-f", "-", "--host-address", "1.2.3"], "'1.2.3' is not an IP address"),
    "number": (["render", "-f", "-", "--iptables-masquerade-bit", "many"], "--iptables-masquerade-bit"),
    "range": (["render", "-f", "-", "--iptables-masquerade-bit", "99"], "asquerade"),
    "mode": (["render", "-f", "-", "--proxy-mode", "ipvs"], "ipvs"),
    "argument": (["render", "-f", "-", "surplus"], "surplus"),
    "missing path": (["render", "-f", "/no/such"], "/no/such: no such file or folder"),
    "missing configuration": (["render", "-f", "-", "--config", "/no/such"], "/no/such"),
    "missing dump": (
        ["diff", "-f", "examples", "--live", "/no/such"],
        "/no/such: cannot be read: No such file or directory",
    ),
}


@pytest.mark.parametrize(("arguments", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_in_one_line(arguments: list[str], expected: str) -> None:
    result = CliRunner().invoke(main, arguments, input="")
    assert result.exit_code > 0
    assert_one_error(result)
    assert expected in result.stderr


@pytest.mark.parametrize("command", ["diff"])
def test_an_error_of_diff_is_no_difference(command: str) -> None:
    for arguments, _ in MISTAKES.values():
        if arguments[0] == command:
            assert CliRunner().invoke(main, arguments, input="").exit_code > 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<html></html>\n", "line 1: '<html></html>' is not a line of iptables-save"),
        ("*nat\n:A - [0:0]", "line 2: the dump ends inside table nat: there is no COMMIT"),
        ("*nat\n-A A -j B\nCOMMIT\n", "line 2: '-A A -j B' is not a rule of a chain of table nat"),
        ("*nat\nCOMMIT\n*nat\nCOMMIT\n", "line 4: table nat is there twice; one dump is of one family"),
        ("", "no table in it"),
    ],
)
def test_a_dump_that_is_none(text: str, expected: str, tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    dump.write_text(text)
    result = CliRunner().invoke(main, ["diff", "-f", "examples", "--live", str(dump)], input="")
    assert result.exit_code == 2
    assert_one_error(result)
    assert result.stderr.startswith(f"Error: {dump}: {expected}")


def test_a_dump_of_arbitrary_bytes(tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    dump.write_bytes(bytes(range(255, -1, -1)))
    result = CliRunner().invoke(main, ["diff", "-f", "examples", "--live", str(dump)], input="")
    assert result.exit_code == 2
    assert_one_error(result)


def test_a_folder_is_no_dump(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["diff", "-f", "examples", "--live", str(tmp_path)], input="")
    assert result.exit_code == 2
    assert result.stderr == f"Error: {tmp_path}: cannot be read: Is a directory\n"


def test_a_broken_document_names_its_place_and_the_others_are_used(tmp_path: Path) -> None:
    good = write(tmp_path / "good.json", web(Family.IPV4)).read_text()
    manifest = tmp_path / "objects.yaml"
    manifest.write_text(f"a: [\n---\n{good}\n---\nkind: Service\napiVersion: v1\nmetadata: {{name: bad}}\nspec: 3\n")
    result = CliRunner().invoke(main, ["render", "-f", str(manifest), "--family", "ipv4"])
    first, second = result.stderr.splitlines()
    assert first.startswith(f"{manifest}: document 1: not valid YAML: ")
    assert second.startswith(f"{manifest}: document 3: Service default/bad: spec: ")
    assert "default/web-1:http" in result.stdout


@pytest.mark.parametrize("content", [b"\xff\xfe", b"kind: [\n", b"# Words\n\nmore: of: them\n", b"just words\n"])
@pytest.mark.parametrize("command", ["render", "diff", "trace"])
def test_mistakes_alone_are_no_empty_cluster(content: bytes, command: str, tmp_path: Path) -> None:
    """`diff` would say that all rules have to go."""
    path, dump = tmp_path / "objects.yaml", tmp_path / "dump"
    path.write_bytes(content)
    dump.write_text("*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n")
    more = {"render": [], "diff": ["--live", str(dump)], "trace": ["--from", "node", "--to", "default/web"]}
    result = CliRunner().invoke(main, [command, "-f", str(path), *more[command]])
    assert result.exit_code == 2
    assert_one_error(result)
    assert result.stderr.startswith(f"Error: nothing to work with: {path}: ")


def test_a_mistake_in_the_configuration_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    for text, problem in (("mode: 1", "failed complete: "), ("mode: ipvs", "failed validate: ")):
        path.write_text(f"apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n{text}\n")
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
    assert result.exit_code == 2
    assert result.stderr == "Error: ZeroDivisionError: no way (-v 4 tells more)\n"
    assert isinstance(CliRunner().invoke(main, [*arguments, "-v", "4"]).exception, ZeroDivisionError)


@pytest.mark.parametrize("arguments", [["render", "-f", "{source}"], ["version"], ["run", "--help"]])
def test_output_that_cannot_be_written(arguments: list[str], tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(Family.IPV4))
    command = [sys.executable, "-m", "pykubeproxy", *(each.format(source=source) for each in arguments)]
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            command, cwd=Path(__file__).parents[2], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert run.returncode == 2
    assert run.stderr.startswith("Error: [Errno 28] No space left on device")
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"])
def test_an_error_that_cannot_be_told_has_its_exit_status(stderr: str) -> None:
    script = f"exec {shlex.quote(sys.executable)} -m pykubeproxy diff -f /no/such {stderr}"
    assert subprocess.run(["sh", "-c", script], cwd=Path(__file__).parents[2], check=False).returncode == 2


@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(closed: str, tmp_path: Path) -> None:
    """No file that is opened later gets their numbers, and with them what is written there."""
    dump, objects = tmp_path / "dump", write(tmp_path / "objects.json", web(Family.IPV4))
    dump.write_text("*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n")
    arguments = f"diff -f {shlex.quote(str(objects))} --live {shlex.quote(str(dump))} --ipvs-strict-arp"
    script = f"exec {shlex.quote(sys.executable)} -m pykubeproxy {arguments} {closed}"
    run = subprocess.run(
        ["sh", "-c", script], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True, check=False
    )
    assert run.returncode == 1
    assert ("Plan: " in run.stdout) is (">&-" not in closed.replace("2>&-", ""))


def test_a_cleanup_that_cannot_be_told_cleans_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned = []

    def clean_all(_: object, *, is_dry: bool) -> Iterator[CleanupResult]:
        for family in Family:
            cleaned.append(family)
            yield CleanupResult(
                tools=Tools(family=family, backend=Backend.NFT, save="save", restore="restore", version=(1, 8, 9))
            )

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pykubeproxy.cli.cleanup.service_proxies", tuple)
    monkeypatch.setattr("pykubeproxy.cli.cleanup.clean_all", clean_all)
    monkeypatch.setattr("pykubeproxy.cli.cleanup.click.echo", fail)
    assert CliRunner().invoke(main, ["cleanup"]).exit_code == 2
    assert cleaned == list(Family)


@pytest.mark.parametrize(
    ("command", "place", "advice"),
    [
        (("top", "--once"), "top.find_tools", "top reads this node's rules: run it with sudo; "),
        (("cleanup", "--dry-run"), "cleanup.clean_leftovers", "cleanup reads this node's rules: run it with sudo; "),
        (
            ("diff", "-f", "examples"),
            "diff.find_tools",
            "diff reads this node's rules: run it with sudo, or give --live FILE; ",
        ),
    ],
)
def test_who_is_not_root_is_told_how_to_be(
    command: tuple[str, ...], place: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotPermitted("iptables-save: Permission denied")

    monkeypatch.setattr(f"pykubeproxy.cli.{place}", refuse)
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"Error: {advice}iptables-save: Permission denied"
    assert result.stderr.count("Error") == 1


def assert_one_error(result: Result) -> None:
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["diff", "render"])
def test_a_reader_who_has_had_enough_is_given_no_answer(command: str, tmp_path: Path) -> None:
    (tmp_path / "empty.save").write_text("*filter\nCOMMIT\n*nat\nCOMMIT\n")
    live = ("--live", str(tmp_path / "empty.save")) if command == "diff" else ()
    process = subprocess.Popen(
        [sys.executable, "-m", "pykubeproxy", command, "-f", "examples", "--family", "ipv4", *live],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr:
        said = process.stderr.read()
    assert (process.wait() > 1, said) == (True, "")
