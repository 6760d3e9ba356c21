"""Packets to node ports on localhost are counted where kube-proxy counts them: by a counter of the kernel's nfacct."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pykubeproxy.host import nfacct
from pykubeproxy.host.netlink import NetlinkError
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.text import LOCALHOST_COUNTER
from tests.host.namespace import Namespace
from tests.kernel.machine import Kind, Machine
from tests.kernel.objects import Manifest, web, write
from tests.kernel.service_node import ServiceNode, service_node
from tests.kernel.stand_ins import StandIns

NODE_PORT = 30080
LOCALHOST, OUTSIDE = ("127.0.0.1", NODE_PORT), ("192.168.0.2", NODE_PORT)


@pytest.fixture
def node(machine: Machine) -> Iterator[ServiceNode]:
    try:
        Namespace(machine.name).run(partial(nfacct.ensure, "probe"))
    except NetlinkError as error:
        pytest.skip(f"this kernel has no nfacct: {error}")
    with service_node(machine, Family.IPV4) as its:
        yield its


def on_node_port() -> list[Manifest]:
    return web(Family.IPV4, 1, (1, 2), type="NodePort", port={"nodePort": NODE_PORT})


def counted(machine: Machine) -> int | None:
    return Namespace(machine.name).run(partial(nfacct.packets, LOCALHOST_COUNTER))


@pytest.mark.parametrize("dispatch", ["linear", "tree"])
def test_what_goes_to_localhost_is_counted_and_nothing_else(
    machine: Machine, node: ServiceNode, kind4: Kind, dispatch: str, tmp_path: Path
) -> None:
    source = write(tmp_path / "objects.json", on_node_port())
    flags = (*kind4.flags, "--dispatch", dispatch)
    done = machine.once(source, *flags)
    assert done.returncode == 0, done.stderr
    assert counted(machine) == 0
    for _ in range(3):
        assert node.ask([LOCALHOST])[LOCALHOST].startswith("10.244.0.")
    assert counted(machine) == 3
    assert node.ask([OUTSIDE])[OUTSIDE].startswith("10.244.0.")
    assert counted(machine) == 3
    before = machine.dump(kind4, "-c")
    again = machine.once(source, *flags)
    assert "in sync; nothing to write" in again.stderr
    assert machine.dump(kind4, "-c") == before, "it is read back as it was written"
    same = machine.pykubeproxy("diff", "--source", str(source), *flags)
    assert same.stdout.startswith("No changes."), same.stdout


def test_where_iptables_cannot_count_one_line_says_so(
    machine: Machine, node: ServiceNode, kind4: Kind, tmp_path: Path
) -> None:
    source = write(tmp_path / "objects.json", on_node_port())
    tools = StandIns(tmp_path / "bin")
    (tmp_path / "bin" / kind4.program).write_text(
        f'#!/bin/sh\n[ "$2" = nfacct ] && exit 2\nexec {shutil.which(kind4.program)} "$@"\n'
    )
    (tmp_path / "bin" / kind4.program).chmod(0o755)
    done = machine.once(source, *kind4.flags, path=tools.path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("packets to node ports on localhost are not counted") == 1
    assert "nfacct" not in machine.dump(kind4)
    assert node.ask([LOCALHOST])[LOCALHOST].startswith("10.244.0.")


def test_shadow_mode_makes_no_counter(machine: Machine, node: ServiceNode, kind4: Kind, tmp_path: Path) -> None:
    del node
    source = write(tmp_path / "objects.json", on_node_port())
    machine.once(source, "--dry-run", *kind4.flags)
    assert counted(machine) is None
