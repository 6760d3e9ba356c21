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
        ("--version=true", "Kubernetes v1.37.0\n"),
        ("--version=v1.2.3", "Kubernetes v1.2.3\n"),
    ],
)
def test_version(flag: str, expected: str) -> None:
    told = kube_proxy(flag)
    assert (told.exit_code, told.stdout) == (0, expected)


def test_raw_version() -> None:
    told = kube_proxy("--version=raw")
    assert told.exit_code == 0
    assert told.stdout.startswith('version.Info{Major:"1", Minor:"37", GitVersion:"v1.37.0+pykubeproxy.')


def test_the_configuration_is_written_and_nothing_else_done(tmp_path: Path) -> None:
    path = tmp_path / "config"
    assert kube_proxy(f"--write-config-to={path}").exit_code == 0
    assert path.read_text() == (CONFIG / "defaults.yaml").read_text()
    again = tmp_path / "again"
    assert kube_proxy(f"--config={path}", f"--write-config-to={again}").exit_code == 0
    assert again.read_text() == path.read_text()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--no-such-flag"], "No such option '--no-such-flag'"),
        (["surplus"], "unexpected extra argument (surplus)"),
        (["--proxy-mode=userspace"], "failed validate: KubeProxyConfiguration.Mode.ProxyMode: Invalid value: "),
        (["--config=/no/such"], "failed complete: /no/such: No such file or directory"),
        (["--write-config-to=/no/such/file"], "--write-config-to: /no/such/file: No such file or directory"),
        (["--kubeconfig=/no/such", "--family=ipv7"], "'ipv7' is not one of 'ipv4', 'ipv6'"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_status_1(arguments: list[str], expected: str) -> None:
    refused = kube_proxy(*arguments)
    assert refused.exit_code == 1
    assert refused.stdout == ""
    (line,) = refused.stderr.splitlines()
    assert line.startswith("Error: ")
    assert expected in line


def test_all_flags_that_cannot_be_read_are_told() -> None:
    (line,) = kube_proxy("--bind-address=here", "--masquerade-all=perhaps", "--v=x").stderr.splitlines()
    assert "'--bind-address': \"here\" is not a valid IP address" in line
    assert "'--masquerade-all': \"perhaps\" is not true or false" in line
    assert '"x" is not an integer from 0 to 4294967295' in line


def test_everything_that_is_wrong_with_a_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config"
    fields = "iptables: {masqueradeBit: 32}\noomScoreAdj: 2000\nmetricsBindAddress: here\ndetectLocalMode: Guess\n"
    path.write_text(f"apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n{fields}")
    refused = kube_proxy(f"--config={path}")
    assert refused.exit_code == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith("Error: failed validate: [")
    for expected in (
        "KubeProxyConfiguration.KubeProxyIPTablesConfiguration.MasqueradeBit: Invalid value: 32: must be",
        "KubeProxyConfiguration.KubeProxyLinuxConfiguration.OOMScoreAdj: Invalid value: 2000: must be within",
        'KubeProxyConfiguration.MetricsBindAddress: Invalid value: "here": must be IP:port',
        'KubeProxyConfiguration.DetectLocalMode: Unsupported value: "Guess": supported values: "ClusterCIDR", "',
    ):
        assert expected in line
