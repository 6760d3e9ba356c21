"""The `kube-proxy` command where it changes nothing on the node: versions, configuration files, mistakes."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.kube_proxy import main

CONFIG = Path(__file__).parents[1] / "config" / "data"


def kube_proxy(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--version", "Kubernetes v1.37.0\n"),
        ("--version=v1.2.3", "Kubernetes v1.2.3\n"),
        ("--version=raw", 'version.Info{Major:"1", Minor:"37", GitVersion:"v1.37.0+pykubeproxy.'),
    ],
)
def test_version(flag: str, expected: str) -> None:
    told = kube_proxy(flag)
    assert (told.exit_code, told.stdout[: len(expected)]) == (0, expected)


def test_the_configuration_is_written_and_nothing_else_done(tmp_path: Path) -> None:
    path, again = tmp_path / "config", tmp_path / "again"
    assert kube_proxy(f"--write-config-to={path}").exit_code == 0
    assert kube_proxy(f"--config={path}", f"--write-config-to={again}").exit_code == 0
    assert path.read_text() == again.read_text() == (CONFIG / "defaults.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--config=/no/such"], ["failed complete: /no/such: No such file or directory"]),
        (["--write-config-to=/no/such/file"], ["--write-config-to: /no/such/file: No such file or directory"]),
        (["--kubeconfig=/no/such", "--family=ipv7"], ["'ipv7' is not one of 'ipv4', 'ipv6'"]),
        (
            ["--bind-address=here", "--masquerade-all=perhaps"],
            ["'--bind-address': \"here\" is not a valid IP", "'--masquerade-all': \"perhaps\" is not true or false"],
        ),
        (
            ["--proxy-mode=userspace", "--oom-score-adj=2000"],
            ["failed validate: [", "KubeProxyConfiguration.Mode.ProxyMode: Invalid value: ", "OOMScoreAdj: Invalid"],
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_mistakes_are_one_line_and_status_1(arguments: list[str], expected: list[str]) -> None:
    refused = kube_proxy(*arguments)
    assert (refused.exit_code, refused.stdout) == (1, "")
    (line,) = refused.stderr.splitlines()
    assert line.startswith("Error: ")
    assert [words for words in expected if words not in line] == []
