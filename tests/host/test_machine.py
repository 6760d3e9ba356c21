"""The machine's settings, CPUs, processes and listening sockets: in folders that stand for it, and in namespaces."""

import os
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from pykubeproxy.explain.status.node_state import EndedProcess
from pykubeproxy.host.listeners import listening_ports
from pykubeproxy.host.machine import OomScoreError, online_cpus, set_oom_score_adj
from pykubeproxy.host.processes import ended_proxies, other_service_proxies, process_at, service_proxies
from pykubeproxy.host.sysctl import SysctlError, Sysctls
from pykubeproxy.plan.sysctls import CONNTRACK_MAX, HASH_SIZE, Sysctl
from tests.host.namespace import Namespace, needs_root

MAX = Sysctl(CONNTRACK_MAX, 131072, only_raised=True)
HASHES = Sysctl(HASH_SIZE, 131072, only_raised=True)


def path_of(root: Path, setting: Sysctl) -> Path:
    return root / (setting.name[1:] if setting.name.startswith("/") else f"proc/sys/{setting.name}")


def machine(root: Path, **values: object) -> Path:
    """A machine with a value of each of these settings."""
    for setting, value in zip((MAX, HASHES), values.values(), strict=False):
        path_of(root, setting).parent.mkdir(parents=True)
        path_of(root, setting).write_text(f"{value}\n")
    return root


@pytest.mark.parametrize(("is_now", "will_be"), [(1, 131072), (131072, 131072), (262144, 262144)])
def test_sizes_are_only_raised_and_seldom_written(tmp_path: Path, is_now: int, will_be: int) -> None:
    root = machine(tmp_path, limit=is_now, hashes=is_now)
    for setting in (MAX, HASHES):
        path = path_of(root, setting)
        assert Sysctls(root, read_only=True).ensure(setting) is (is_now != will_be)
        assert path.read_text() == f"{is_now}\n"
        assert Sysctls(root).ensure(setting) is (is_now != will_be)
        before = path.stat().st_mtime_ns
        assert not Sysctls(root).ensure(setting)
        assert (path.stat().st_mtime_ns, Sysctls(root).read(setting.name)) == (before, str(will_be))
    assert Sysctls(root).ensure(Sysctl(CONNTRACK_MAX, 7)), "others are also lowered"


def test_settings_that_are_missing_or_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(SysctlError, match="nf_conntrack_max: there is no such setting; is the kernel module loaded"):
        Sysctls(tmp_path).ensure(MAX)
    machine(tmp_path, limit="many")
    with pytest.raises(SysctlError, match="nf_conntrack_max: 'many' is not a number"):
        Sysctls(tmp_path).ensure(MAX)


_ASKING_FOR_TWO_VALUES = """
from pykubeproxy.host.errors import NotPermitted
from pykubeproxy.host.sysctl import Sysctls
from pykubeproxy.plan.sysctls import Sysctl
for value in (0, 1):
    try:
        print(Sysctls().ensure(Sysctl("net/ipv4/conf/all/route_localnet", value)))
    except NotPermitted as error:
        print(error)
"""


@needs_root
def test_settings_in_a_container_that_is_not_privileged(node: Namespace) -> None:
    """Where /proc/sys is mounted read-only, what will do is no error, and what will not says what to do."""
    protect = "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys"
    # Programs that `ip netns exec` starts have mounts of their own.
    told = node.exec("sh", "-c", f'{protect} && exec "$0" -c "$1"', sys.executable, _ASKING_FOR_TWO_VALUES)
    will_do, will_not = told.splitlines()
    assert will_do == "False"
    assert "route_localnet from 0 to 1: Read-only file system: set it beforehand, or run --init-only" in will_not


@pytest.mark.parametrize(
    ("text", "cpus"), [("0\n", 1), ("0-3,8,10-11\n", 7), (None, os.cpu_count()), ("", os.cpu_count())]
)
def test_online_cpus(tmp_path: Path, text: str | None, cpus: int) -> None:
    """Those of the process, where the machine's are not known."""
    if text is not None:
        (tmp_path / "online").write_text(text)
    assert online_cpus(tmp_path / "online") == cpus


def test_the_oom_score(tmp_path: Path) -> None:
    set_oom_score_adj(-998, tmp_path / "oom_score_adj")
    assert (tmp_path / "oom_score_adj").read_text() == "-998\n"
    with pytest.raises(OomScoreError, match=r"cannot set .*: Is a directory: CAP_SYS_RESOURCE is needed"):
        set_oom_score_adj(-999, tmp_path)


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
    """A /proc of some processes, and a kube-proxy of another network namespace."""
    (tmp_path / "thread-self/ns").mkdir(parents=True)
    (tmp_path / "thread-self/ns/net").touch()
    (tmp_path / "stat").write_text(f"cpu 1 2 3\nbtime {BOOTED}\n")
    for pid, command in COMMANDS.items():
        add(tmp_path, pid, command)
        (tmp_path / pid / "ns/net").hardlink_to(tmp_path / "thread-self/ns/net")
    add(tmp_path, "16", ["kube-proxy"])
    (tmp_path / "16/ns/net").touch()
    (tmp_path / "17").mkdir()
    add(tmp_path, "18", [])
    (tmp_path / "18/comm").write_text("kube-proxy\n")
    (tmp_path / "18/stat").write_text("18 (kube-proxy) Z 14 18 18 0\n")
    (tmp_path / "14/comm").write_text("vi\n")
    (tmp_path / "11/stat").write_text(f"11 (kube (proxy) S) T {'0 ' * 18}{TICKS} 0\n")
    return tmp_path


def add(proc: Path, pid: str, command: Iterable[str]) -> None:
    (proc / pid / "ns").mkdir(parents=True)
    (proc / pid / "cmdline").write_text("".join(f"{word}\0" for word in command))


def test_the_service_proxies_of_this_network(proc: Path) -> None:
    assert other_service_proxies(proc) == (
        "/usr/local/bin/kube-proxy --config=x (pid 11)",
        "/usr/bin/python3 /opt/bin/pykubeproxy run --source x (pid 12)",
    )
    started = BOOTED + TICKS / os.sysconf("SC_CLK_TCK")
    assert [(each.pid, each.name, each.is_stopped, each.started_at) for each in service_proxies(proc)] == [
        (11, "kube-proxy", True, started),
        (12, "pykubeproxy", False, None),
    ]
    assert ended_proxies(proc) == (EndedProcess(pid=18, name="kube-proxy", parent_pid=14, parent_name="vi"),)
    its = process_at(11, started + 2, proc)
    assert its is not None
    assert its.pid == 11
    assert process_at(11, started + 100, proc) is process_at(12, started, proc) is process_at(99, started, proc) is None


def test_a_socket_that_waits_for_anybody(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        tcp, udp = server.getsockname()[1], datagrams.getsockname()[1]
        assert tcp in listening_ports("tcp")
        assert udp in listening_ports("udp")
        with socket.create_connection(("127.0.0.1", tcp)) as client:
            assert client.getsockname()[1] not in listening_ports("tcp"), "it waits for nobody else"
    assert tcp not in listening_ports("tcp")
    assert listening_ports("tcp", tmp_path) == listening_ports("sctp") == frozenset(), "they cannot be read"
