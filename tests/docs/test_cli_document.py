"""docs/cli.md, docs/kubectl-plugin.md, docs/metrics.md: screens are what is printed, and tables have all there is."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli import errors
from pykubeproxy.cli.kube_proxy import main as kube_proxy
from pykubeproxy.cli.kubectl_output import Statuses, status_lines
from pykubeproxy.cli.kubectl_plugin import main as plugin
from pykubeproxy.cli.main import main
from pykubeproxy.cli.status_output import as_json, as_text
from pykubeproxy.explain.node_answers import NodeStatus, NoSuchProgram, read_status
from pykubeproxy.explain.status.assessment import assess
from pykubeproxy.explain.status.node_state import NodeState
from pykubeproxy.model.ip import Family
from pykubeproxy.observe.metrics import Metrics
from tests.documented import DOCS
from tests.explain.status.nodes import TROUBLED, WELL
from tests.kernel.objects import web, write

OF_PLUGIN = (DOCS / "kubectl-plugin.md").read_text()
DOCUMENT = (DOCS / "cli.md").read_text()
ROOT = DOCS.parent
PROGRAMS = (*main.list_commands(click.Context(main)), "kube-proxy")
OF_KUBECTL = tuple(f"kubectl {command}" for command in plugin.list_commands(click.Context(plugin)))
START = "from pykubeproxy import __main__; __main__.{}()"

# Sends SIGINT while a module is being loaded, which takes most of the first 300 ms.
INTERRUPT = """
import os, signal, sys
class Finder:
    @staticmethod
    def find_spec(name, *_):
        if name == MODULE:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder)
"""
# Has SIGINT arrive in a finalizer, just before the program opens the last of its arguments.
IN_FINALIZER = """
import os, signal, sys
class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
def audit(event, arguments):
    if event == "open" and arguments[0] == sys.argv[-1]:
        Finalized()
sys.addaudithook(audit)
"""
EMPTY_DUMP = "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n"

# What needs no node of its own; the others are tried in tests/kernel and tests/daemon.
CASES = {
    "diff -f {objects} --live {dump}": 1,
    "diff -f {objects} --live {same}": 0,
    "diff -f /no/such --live {dump}": 2,
    "trace --from 10.244.9.9 --to default/web-1 -f {objects}": 0,
    "trace --from 10.244.9.9 --to default/web-2 -f {objects}": 1,
    "trace --from nobody --to default/web-1 -f {objects}": 2,
    "services --live {same}": 0,
    "services -f {objects} --live {same}": 0,
    "services -f {objects} --live {dump}": 1,
    "services default/none --live {same}": 1,
    "services --live /no/such": 2,
    "render -f {objects}": 0,
    "render -f /no/such": 2,
    "version": 0,
    "completion fish": 0,
    "completion tcsh": 2,
    "verison": 2,
}


def invoke(program: str, *arguments: str) -> Result:
    """Run `kube-proxy`, or a command of `pykubeproxy` or of the kubectl plugin."""
    if program in OF_KUBECTL:
        return CliRunner().invoke(plugin, [program.split()[1], *arguments])
    if program == "kube-proxy":
        return CliRunner().invoke(kube_proxy, arguments)
    return CliRunner().invoke(main, [program, *arguments])


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """Files to work with, with a Service that is served and one that is refused."""
    objects = write(tmp_path / "objects.json", web(Family.IPV4, 1), web(Family.IPV4, 2, endpoints=()))
    (tmp_path / "dump").write_text(EMPTY_DUMP)
    same = CliRunner().invoke(main, ["render", "-f", str(objects), "--family", "ipv4"])
    (tmp_path / "same").write_text(same.stdout)
    return {"objects": str(objects), **{name: str(tmp_path / name) for name in ("dump", "same")}}


def reported(state: NodeState) -> NodeStatus:
    return read_status(as_json(state, assess(state)).encode())


STATUSES: Statuses = {
    "node-a": reported(WELL),
    "node-b": reported(TROUBLED),
    "node-c": NoSuchProgram(pod="kube-proxy-x7k2p", image="registry.k8s.io/kube-proxy:v1.37.0"),
    "node-d": reported(WELL),
}


@pytest.mark.parametrize(
    ("document", "lines"),
    [(DOCUMENT, as_text(TROUBLED, assess(TROUBLED))), (OF_PLUGIN, status_lines(STATUSES))],
    ids=["cli.md", "kubectl-plugin.md"],
)
def test_the_screen_is_what_status_prints(document: str, lines: Iterable[str]) -> None:
    shown = re.search(r"<!-- status -->\n```\n(.*?)```", document, re.DOTALL)
    assert shown is not None
    assert shown[1] == click.unstyle("\n".join(lines)) + "\n"


def test_every_series_is_on_the_page() -> None:
    page = (DOCS / "metrics.md").read_text()
    names = {family.name for family in Metrics().registry.collect() if family.name.startswith("pykubeproxy_")}
    assert len(names) > 10
    assert {name for name in names if name not in page} == set()


def test_every_command_is_in_the_table_of_exit_states() -> None:
    rows = "".join(line.split("|")[1] for line in DOCUMENT.splitlines() if line.startswith("| `"))
    for command in PROGRAMS:
        assert f"`{command}`" in rows
    for command in plugin.list_commands(click.Context(plugin)):
        assert f"| `kubectl pykubeproxy {command}" in OF_PLUGIN


@pytest.mark.parametrize(("arguments", "status"), CASES.items(), ids=CASES.keys())
def test_how_commands_exit(arguments: str, status: int, places: dict[str, str]) -> None:
    result = CliRunner().invoke(main, arguments.format(**places).split())
    assert result.exit_code == status, result.output
    assert result.stderr.startswith("Error: ") == (status == 2), result.stderr


def test_ctrl_c_is_no_answer(places: dict[str, str], tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "pykubeproxy", "diff", "-f", places["objects"], "--live", str(fifo)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # It is open as soon as the program reads.
    with process, fifo.open("w"):
        process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=30)
    assert (process.returncode, said, complained.strip()) == (130, "", "Error: interrupted")


def test_ctrl_c_in_a_finalizer_is_not_lost(places: dict[str, str], tmp_path: Path) -> None:
    """Python drops what is raised there. The program then waits for somebody to write to its input."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    program = [sys.executable, "-c", f"{IN_FINALIZER}{START.format('main')}"]
    command = [*program, "diff", "-f", places["objects"], "--live", str(fifo)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert (run.returncode, run.stdout, run.stderr.strip()) == (130, "", "Error: interrupted")


@pytest.mark.parametrize("command", [*PROGRAMS, "kubectl-plugin"])
def test_ctrl_c_while_a_program_is_loaded(command: str) -> None:
    module = command.replace("-", "_")
    start = START.format("main" if module == command else module)
    program = [sys.executable, "-c", f"MODULE = 'pykubeproxy.cli.{module}'{INTERRUPT}{start}", command, "--help"]
    run = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "Error: interrupted\n")


@pytest.mark.parametrize("command", [*PROGRAMS, *OF_KUBECTL])
def test_ctrl_c_in_every_command(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(errors, "raise_interrupts", interrupt)
    required = {"trace": ("--from", "node", "--to", "default/web"), "completion": ("bash",)}
    required["kubectl trace"] = ("--from", "node")
    result = invoke(command, *required.get(command, ()))
    assert (result.exit_code, result.stdout, result.stderr.strip()) == (130, "", "Error: interrupted")


@pytest.mark.parametrize("command", [*PROGRAMS, *OF_KUBECTL])
def test_a_mistake_in_every_command(command: str) -> None:
    """The plugin hands on options that it does not know."""
    result = invoke(command, "--timeout=0" if command in OF_KUBECTL else "--no-such")
    assert (result.exit_code, result.stdout) == (1 if command == "kube-proxy" else 2, "")
    assert result.stderr.startswith(("Error: No such option '--no-such'", "Error: Invalid value for '--timeout'"))


@pytest.mark.parametrize(
    "arguments",
    [
        "main",
        "main render -f {objects}",
        "main diff -f {objects} --live {dump}",
        "main trace --from 10.244.9.9 --to default/web-1 -f {objects}",
        "main services --live {same}",
        *(f"main {command}" for command in ("version", "status", "check", "completion bash")),
        *(f"main {command} --help" for command in ("run", "top", "cleanup")),
        "kube_proxy --version",
        "kubectl_plugin --help",
    ],
)
def test_output_that_nobody_reads(arguments: str, places: dict[str, str]) -> None:
    program, *words = arguments.format(**places).split()
    command = [sys.executable, "-c", START.format(program), *words]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        run = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)
    assert (run.returncode, run.stderr) == (141, "")
