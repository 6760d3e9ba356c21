"""Which processes of a machine are Service proxies, from a /proc that the test makes."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from pykubeproxy.explain.status.node_state import ProxyProcess
from pykubeproxy.host.processes import other_service_proxies, service_proxies

COMMANDS = {
    str(os.getpid()): ("pykubeproxy", "run"),
    "11": ("/usr/local/bin/kube-proxy", "--config=x"),
    "12": ("/usr/bin/python3", "/opt/bin/pykubeproxy", "run", "--source", "x"),
    "13": ("/usr/bin/python3", "/opt/bin/pykubeproxy", "top"),
    "14": ("vi", "-R", "notes", "kube-proxy"),
    "15": (),
}
BOOTED, TICKS = 1_700_000_000, 5_000


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Some processes, and a kube-proxy of another network namespace."""
    (tmp_path / "thread-self/ns").mkdir(parents=True)
    (tmp_path / "thread-self/ns/net").touch()
    (tmp_path / "stat").write_text(f"cpu 1 2 3\nbtime {BOOTED}\n")
    for pid, command in COMMANDS.items():
        add(tmp_path, pid, command)
        (tmp_path / pid / "ns/net").hardlink_to(tmp_path / "thread-self/ns/net")
    add(tmp_path, "16", ["kube-proxy"])
    (tmp_path / "16/ns/net").touch()
    (tmp_path / "17").mkdir()
    (tmp_path / "11/stat").write_text(f"11 (kube (proxy) S) {'0 ' * 19}{TICKS} 0\n")
    return tmp_path


def add(proc: Path, pid: str, command: Iterable[str]) -> None:
    (proc / pid / "ns").mkdir(parents=True)
    (proc / pid / "cmdline").write_text("".join(f"{word}\0" for word in command))


def test_the_service_proxies_of_this_network(proc: Path) -> None:
    assert other_service_proxies(proc) == (
        "/usr/local/bin/kube-proxy --config=x (pid 11)",
        "/usr/bin/python3 /opt/bin/pykubeproxy run --source x (pid 12)",
    )


def test_what_is_known_of_each(proc: Path) -> None:
    kube_proxy, ours = service_proxies(proc)
    assert (kube_proxy.pid, kube_proxy.name, kube_proxy.is_here) == (11, "kube-proxy", True)
    assert kube_proxy.started_at == BOOTED + TICKS / os.sysconf("SC_CLK_TCK")
    assert (ours.pid, ours.name, ours.started_at) == (12, "pykubeproxy", None)


def test_without_root_the_network_of_others_is_not_known(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = Path.stat

    def refusing(path: Path) -> os.stat_result:
        if path.name == "net" and path.parts[-3] != "thread-self":
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path)

    monkeypatch.setattr(Path, "stat", refusing)
    assert [(process.pid, process.is_here) for process in service_proxies(proc)] == [(11, None), (12, None), (16, None)]
    assert other_service_proxies(proc) == ()


@pytest.mark.parametrize(
    ("command", "value"),
    [
        (("kube-proxy", "--config=/c"), "/c"),
        (("kube-proxy", "--config", "/c", "-v", "2"), "/c"),
        (("kube-proxy", "--config=/a", "--config=/b"), "/b"),
        (("kube-proxy", "--config-sync-period=1s"), None),
        (("kube-proxy", "--config"), ""),
    ],
)
def test_a_flag_of_a_command_line(command: tuple[str, ...], value: str | None) -> None:
    assert ProxyProcess(pid=1, name="kube-proxy", command=command).value_of("config") == value


def test_flags_may_have_underscores_as_in_kube_proxy() -> None:
    command = ("kube-proxy", "--metrics_bind_address=1.2.3.4:5_6")
    process = ProxyProcess(pid=1, name="kube-proxy", command=command)
    assert process.value_of("metrics-bind-address") == "1.2.3.4:5_6"
