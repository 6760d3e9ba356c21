"""Reading and writing settings: in a folder that stands for the machine, and in a real namespace."""

import sys
from functools import partial
from pathlib import Path

import pytest

from pykubeproxy.host.sysctl import InitialNamespaceOnly, SysctlError, Sysctls
from pykubeproxy.plan.sysctls import CONNTRACK_MAX, HASH_SIZE, ROUTE_LOCALNET, Sysctl
from tests.host.namespace import namespace, needs_root

NETFILTER = "proc/sys/net/netfilter"
MAX = "nf_conntrack_max"
ESTABLISHED = "nf_conntrack_tcp_timeout_established"
MAX_SETTING = Sysctl(CONNTRACK_MAX, 131072, only_raised=True)


def machine(root: Path, **values: int) -> Path:
    """A machine with these settings of netfilter, `hashsize` among them."""
    folder = root / NETFILTER
    folder.mkdir(parents=True)
    (root / HASH_SIZE[1:]).parent.mkdir(parents=True)
    (root / HASH_SIZE[1:]).write_text(f"{values.pop('hashsize', 65536)}\n")
    for name, value in values.items():
        (folder / name).write_text(f"{value}\n")
    return root


def values(root: Path) -> dict[str, str]:
    return {path.name: path.read_text().strip() for path in [*(root / NETFILTER).iterdir(), root / HASH_SIZE[1:]]}


def test_a_value_is_written_only_when_it_differs(tmp_path: Path) -> None:
    root = machine(tmp_path, nf_conntrack_tcp_timeout_established=5)
    setting = Sysctl(f"net/netfilter/{ESTABLISHED}", 7)
    assert Sysctls(root).ensure(setting)
    assert values(root)[ESTABLISHED] == "7"
    before = (root / NETFILTER / ESTABLISHED).stat().st_mtime_ns
    assert not Sysctls(root).ensure(setting)
    assert (root / NETFILTER / ESTABLISHED).stat().st_mtime_ns == before
    assert Sysctls(root).read(setting.name) == "7"


@pytest.mark.parametrize(("is_now", "will_be"), [(1, 131072), (131072, 131072), (262144, 262144)])
def test_the_sizes_of_the_table_are_only_raised(tmp_path: Path, is_now: int, will_be: int) -> None:
    root = machine(tmp_path, nf_conntrack_max=is_now, hashsize=is_now)
    for setting in (MAX_SETTING, Sysctl(HASH_SIZE, 131072, only_raised=True)):
        assert Sysctls(root).ensure(setting) == (is_now != will_be)
    assert values(root) == {MAX: str(will_be), "hashsize": str(will_be)}


def test_a_missing_setting(tmp_path: Path) -> None:
    with pytest.raises(SysctlError, match="nf_conntrack_max: there is no such setting; is the kernel module loaded"):
        Sysctls(machine(tmp_path)).ensure(MAX_SETTING)


def test_a_setting_that_is_no_number(tmp_path: Path) -> None:
    root = machine(tmp_path)
    (root / HASH_SIZE[1:]).write_text("many\n")
    with pytest.raises(SysctlError, match="hashsize: 'many' is not a number"):
        Sysctls(root).ensure(Sysctl(HASH_SIZE, 5))


def test_read_only(tmp_path: Path) -> None:
    root = machine(tmp_path, nf_conntrack_max=1)
    assert Sysctls(root, read_only=True).ensure(MAX_SETTING)
    assert values(root)[MAX] == "1"


@needs_root
def test_in_a_namespace() -> None:
    """Settings of the network belong to a namespace; some may only be made in the machine's own."""
    with namespace() as node:
        assert node.run(lambda: Sysctls().ensure(ROUTE_LOCALNET))
        assert not node.run(lambda: Sysctls().ensure(ROUTE_LOCALNET))
        assert node.exec("cat", "/proc/sys/net/ipv4/conf/all/route_localnet") == "1\n"
        for setting in (CONNTRACK_MAX, HASH_SIZE):
            larger = Sysctl(setting, int(Sysctls().read(setting)) + 1)
            with pytest.raises(InitialNamespaceOnly, match="only be done in the machine's first network namespace"):
                node.run(partial(Sysctls().ensure, larger))


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
def test_in_a_container_that_is_not_privileged() -> None:
    """Where /proc/sys is mounted read-only, what will do is no error, and what will not says what to do."""
    protect = "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys"
    with namespace() as node:
        # Programs that `ip netns exec` starts have mounts of their own.
        told = node.exec("sh", "-c", f'{protect} && exec "$0" -c "$1"', sys.executable, _ASKING_FOR_TWO_VALUES)
    will_do, will_not = told.splitlines()
    assert will_do == "False"
    assert "route_localnet from 0 to 1: Read-only file system: set it beforehand, or run --init-only" in will_not
