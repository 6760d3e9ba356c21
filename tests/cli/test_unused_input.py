"""What of the input was not read or not used is said, and can be made an error."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.main import main
from pykubeproxy.model.ip import Family
from tests.corpus import GOLDEN
from tests.kernel.objects import web, write

EMPTY = "no manifest in this folder (.yaml, .yml, .json; folders in it are not looked into)"
PENDING = "kind: Service\napiVersion: v1\nmetadata: {name: pending}\nspec: {ports: [{port: 80}]}\n"
UNUSED = "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: web}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a Service that can be used."""
    (tmp_path / "manifests").mkdir()
    write(tmp_path / "manifests" / "web.json", web(Family.IPV4))
    return tmp_path / "manifests"


@pytest.fixture
def dump(folder: Path, tmp_path: Path) -> Path:
    """The rules of a node that serves what is in the folder."""
    dump = tmp_path / "dump"
    dump.write_text(run("render", "-f", str(folder), "--family", "ipv4").stdout)
    return dump


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def ask(command: str, folder: Path, dump: Path, *more: str) -> Result:
    return run(command, "-f", str(folder), *(("--live", str(dump)) if command == "diff" else ()), *more)


@pytest.mark.parametrize("command", ["render", "diff"])
def test_what_cannot_be_used_is_told_and_no_mistake_unless_strict(command: str, folder: Path, dump: Path) -> None:
    (folder / "unused.yaml").write_text(UNUSED)
    assert ask(command, folder, dump, "--strict").exit_code == 0, "it is of no use to a proxy"
    (folder / "gone.yaml").symlink_to(folder / "none")
    (folder / "pending.yaml").write_text(PENDING)
    found, strict = ask(command, folder, dump), ask(command, folder, dump, "--strict")
    assert found.exit_code == 0
    assert found.stderr.splitlines() == [
        f"{folder}/gone.yaml: cannot be read: No such file or directory",
        f"{folder}/unused.yaml: document 1: Deployment is not used here; skipped",
        "left out: Service default/pending, it has no clusterIP yet",
    ]
    assert (strict.exit_code, strict.stdout) == (2, "")
    assert strict.stderr == f"{found.stderr}Error: --strict: 2 things of the input could not be used\n"


@pytest.mark.parametrize("command", ["render", "diff"])
def test_an_empty_folder_is_told_and_alone_an_error(command: str, folder: Path, dump: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    beside = ask(command, folder, dump, "-f", str(empty))
    assert (beside.exit_code, beside.stderr) == (0, f"{empty}: {EMPTY}\n")
    alone = ask(command, empty, dump)
    assert (alone.exit_code, alone.stdout) == (2, "")
    assert alone.stderr == f"Error: nothing to work with: {empty}: {EMPTY}\n"


def test_rules_of_all_services_go_only_if_that_is_asked_for(folder: Path, dump: Path) -> None:
    (folder / "web.json").unlink()
    (folder / "unused.yaml").write_text(UNUSED)
    refused = ask("diff", folder, dump)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.splitlines()[-1] == (
        "Error: no Service was read: the rules of 1 port of Services would go; give --allow-empty if that is meant"
    )
    allowed = ask("diff", folder, dump, "--allow-empty")
    assert (allowed.exit_code, "default/web-1:http: removed" in allowed.stdout) == (1, True)
    (folder / "unused.yaml").unlink()
    assert ask("diff", folder, dump, "--allow-empty").exit_code == 1


@pytest.fixture
def dropping() -> Iterator[str]:
    """The address of a server whose kernel drops all that comes: nothing accepts, and its queue is full."""
    with socket.socket() as full, socket.socket() as waits:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waits.connect(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}"


@pytest.mark.parametrize(
    ("command", "can_do_without", "is_silent"),
    [
        ("render", False, False),
        ("render", False, True),
        ("diff --live {dump}", False, False),
        ("trace --live {dump} --from=10.244.0.9 --to=ns1/np --in-interface=eth0", True, False),
        ("services --live {dump}", True, True),
    ],
)
def test_without_an_api_server_only_rules_can_be_asked(
    command: str, dropping: str, *, can_do_without: bool, is_silent: bool
) -> None:
    server = dropping if is_silent else "http://127.0.0.1:1"
    problem = f"cannot list objects: {server}: {'no connection in time' if is_silent else 'Connection refused'}"
    words = command.format(dump=GOLDEN / "nodeport" / "ipv4.save").split()
    result = run(*words, "--source=api", f"--master={server}", "--cluster-cidr=10.244.0.0/16")
    if can_do_without:
        assert (result.exit_code, result.stderr) == (0, f"note: {problem}; what follows is by the rules alone\n")
        assert "ns1/np:http" in result.stdout
    else:
        assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {problem}\n")
