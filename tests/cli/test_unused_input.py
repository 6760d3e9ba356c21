"""What of the input was not read or not used is said, and can be made an error."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.inputs import read_objects
from pykubeproxy.cli.main import main
from pykubeproxy.cluster.input_notes import FileBesideApi
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.config.completed import complete
from pykubeproxy.model.ip import Family
from tests.kernel.objects import web, write

EMPTY = "no manifest in this folder (.yaml, .yml, .json; folders in it are not looked into)"
PENDING = "kind: Service\napiVersion: v1\nmetadata: {name: pending}\nspec: {ports: [{port: 80}]}\n"
UNUSED = "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: web}\n"


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Path:
    """A folder with a Service that can be used."""
    (tmp_path / "manifests").mkdir()
    write(tmp_path / "manifests" / "web.json", web(Family.IPV4))
    return tmp_path / "manifests"


@pytest.fixture(name="dump")
def fixture_dump(folder: Path, tmp_path: Path) -> Path:
    """The rules of a node that serves what is in the folder."""
    dump = tmp_path / "dump"
    dump.write_text(run("render", "-f", str(folder), "--family", "ipv4").stdout)
    return dump


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def ask(command: str, folder: Path, dump: Path, *more: str) -> Result:
    return run(command, "-f", str(folder), *(("--live", str(dump)) if command == "diff" else ()), *more)


@pytest.mark.parametrize("command", ["render", "diff"])
def test_a_service_without_cluster_ip_is_left_out(command: str, folder: Path, dump: Path) -> None:
    (folder / "pending.yaml").write_text(PENDING)
    said = ask(command, folder, dump)
    assert (said.exit_code, said.stderr) == (0, "left out: Service default/pending, it has no clusterIP yet\n")
    strict = ask(command, folder, dump, "--strict")
    assert (strict.exit_code, strict.stdout) == (2, "")
    assert strict.stderr == f"{said.stderr}Error: --strict: 1 thing of the input could not be used\n"


@pytest.mark.parametrize("command", ["render", "diff"])
def test_a_link_that_leads_nowhere(command: str, folder: Path, dump: Path) -> None:
    (folder / "gone.yaml").symlink_to(folder / "none")
    said = ask(command, folder, dump)
    assert (said.exit_code, said.stderr) == (0, f"{folder}/gone.yaml: cannot be read: No such file or directory\n")
    assert ask(command, folder, dump, "--strict").exit_code == 2


@pytest.mark.parametrize("command", ["render", "diff"])
def test_what_is_of_no_use_to_a_proxy_is_no_mistake(command: str, folder: Path, dump: Path) -> None:
    (folder / "unused.yaml").write_text(UNUSED)
    assert ask(command, folder, dump, "--strict").exit_code == 0


@pytest.mark.parametrize("command", ["render", "diff"])
def test_an_empty_folder_alone_is_an_error(command: str, folder: Path, dump: Path) -> None:
    folder = folder / "below"
    folder.mkdir()
    said = ask(command, folder, dump)
    assert (said.exit_code, said.stdout) == (2, "")
    assert said.stderr == f"Error: nothing to work with: {folder}: {EMPTY}\n"


def test_an_empty_folder_beside_others_is_told(folder: Path, dump: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = ask("diff", folder, dump, "-f", str(tmp_path / "empty"))
    assert (said.exit_code, said.stderr) == (0, f"{tmp_path}/empty: {EMPTY}\n")


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


def test_an_empty_stdin_is_no_cluster_without_services(dump: Path) -> None:
    """A command whose output should have come in has failed, perhaps."""
    arguments = ["diff", "-f", "-", "--live", str(dump)]
    refused = CliRunner().invoke(main, arguments, input="")
    assert (refused.exit_code, refused.stderr) == (2, "Error: nothing to work with: stdin: empty: nothing came in\n")
    assert CliRunner().invoke(main, [*arguments, "--allow-empty"], input="").exit_code == 1


def test_files_beside_the_api_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pykubeproxy.daemon.watch.api_source.list_objects", lambda _: ObjectChanges())
    read = read_objects(("web.yaml", "api"), complete({}, None, "node-a"))
    assert read.notes == (FileBesideApi(path=Path("web.yaml")),)
