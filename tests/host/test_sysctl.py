"""Reading and writing settings: in a folder that stands for the machine, and in a real namespace."""

from pathlib import Path

import pytest

from pykubeproxy.host.errors import NotPermitted, ReadOnly
from pykubeproxy.host.sysctl import SysctlError, Sysctls
from pykubeproxy.plan.sysctls import ROUTE_LOCALNET, ConntrackSettings, Sysctl
from tests.host.namespace import namespace, needs_root

NETFILTER = "proc/sys/net/netfilter"
HASH_SIZE = "sys/module/nf_conntrack/parameters/hashsize"
MAX = "nf_conntrack_max"
ESTABLISHED = "nf_conntrack_tcp_timeout_established"


def machine(root: Path, **values: int) -> Path:
    """A machine with these settings of netfilter, `hashsize` among them."""
    folder = root / NETFILTER
    folder.mkdir(parents=True)
    (root / HASH_SIZE).parent.mkdir(parents=True)
    (root / HASH_SIZE).write_text(f"{values.pop('hashsize', 65536)}\n")
    for name, value in values.items():
        (folder / name).write_text(f"{value}\n")
    return root


def values(root: Path) -> dict[str, str]:
    return {path.name: path.read_text().strip() for path in [*(root / NETFILTER).iterdir(), root / HASH_SIZE]}


ONLY_MAX = ConntrackSettings(tcp_established_timeout=0, tcp_close_wait_timeout=0)


def test_a_value_is_written_only_when_it_differs(tmp_path: Path) -> None:
    root = machine(tmp_path, nf_conntrack_max=5)
    setting = Sysctl("net/netfilter/nf_conntrack_max", 7)
    assert Sysctls(root).ensure(setting)
    assert values(root)[MAX] == "7"
    (root / NETFILTER / MAX).chmod(0o444)
    before = (root / NETFILTER / MAX).stat().st_mtime_ns
    assert not Sysctls(root).ensure(setting)
    assert (root / NETFILTER / MAX).stat().st_mtime_ns == before
    assert Sysctls(root).read(setting.name) == "7"


def test_conntrack_settings_and_their_hash_table(tmp_path: Path) -> None:
    root = machine(tmp_path, nf_conntrack_max=1, nf_conntrack_tcp_timeout_established=86400, hashsize=100)
    changes = Sysctls(root).ensure_conntrack(ConntrackSettings(tcp_close_wait_timeout=0), cpus=2)
    assert changes == (Sysctl("net/netfilter/nf_conntrack_max", 131072), Sysctl(HASH_SIZE, 32768))
    assert values(root) == {MAX: "131072", ESTABLISHED: "86400", "hashsize": "32768"}


def test_a_large_hash_table_stays(tmp_path: Path) -> None:
    root = machine(tmp_path, nf_conntrack_max=131072)
    assert Sysctls(root).ensure_conntrack(ONLY_MAX, cpus=2) == ()
    assert values(root)["hashsize"] == "65536"


def test_a_missing_setting(tmp_path: Path) -> None:
    with pytest.raises(SysctlError, match="nf_conntrack_max: there is no such setting; is the kernel module loaded"):
        Sysctls(machine(tmp_path)).ensure_conntrack(ONLY_MAX, cpus=2)


def test_a_hash_size_that_is_none(tmp_path: Path) -> None:
    root = machine(tmp_path, nf_conntrack_max=131072)
    (root / HASH_SIZE).write_text("many\n")
    with pytest.raises(SysctlError, match="hashsize: 'many' is not a number"):
        Sysctls(root).ensure_conntrack(ONLY_MAX, cpus=2)


def test_read_only(tmp_path: Path) -> None:
    root = machine(tmp_path, nf_conntrack_max=1)
    with pytest.raises(ReadOnly, match="was not set to 131072"):
        Sysctls(root, read_only=True).ensure_conntrack(ONLY_MAX, cpus=2)
    assert values(root)[MAX] == "1"


@needs_root
def test_in_a_namespace() -> None:
    """Settings of the network belong to a namespace; some may only be made in the machine's own."""
    with namespace() as node:
        assert node.run(lambda: Sysctls().ensure(ROUTE_LOCALNET))
        assert not node.run(lambda: Sysctls().ensure(ROUTE_LOCALNET))
        assert node.exec("cat", "/proc/sys/net/ipv4/conf/all/route_localnet") == "1\n"
        with pytest.raises(NotPermitted, match="run --init-only in a privileged init container"):
            node.run(lambda: Sysctls().ensure(Sysctl("net/netfilter/nf_conntrack_max", 12345)))
