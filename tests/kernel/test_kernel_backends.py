"""Which iptables tools are used: those that the node's other programs use, and never a silent second set."""

import json
from pathlib import Path

import pytest

from pykubeproxy.host.backend import Backend
from pykubeproxy.model.ip import Family
from tests.kernel.machine import Kind, Machine, why_without
from tests.kernel.objects import web, write

PROXY = "*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n"
HINT = "*mangle\n:KUBE-IPTABLES-HINT - [0:0]\nCOMMIT\n"


@pytest.fixture(name="both", autouse=True)
def fixture_both() -> dict[Backend, Kind]:
    kinds = {backend: Kind(family=Family.IPV4, backend=backend) for backend in Backend}
    for kind in kinds.values():
        if lack := why_without(kind):
            pytest.skip(lack)
    return kinds


@pytest.mark.parametrize("backend", Backend)
@pytest.mark.parametrize("document", [HINT, PROXY], ids=["kubelets-hint", "chains-of-a-proxy"])
def test_the_backend_in_use_is_found_and_the_other_one_left_alone(
    machine: Machine, both: dict[Backend, Kind], backend: Backend, document: str, tmp_path: Path
) -> None:
    machine.load(both[backend], document)
    assert f"IPv4 backend in use: {backend}\n" in machine.pykubeproxy("version").stdout
    assert machine.once(write(tmp_path / "objects.json", web(Family.IPV4)), "--family", "ipv4").returncode == 0
    assert "10.244.0.1:8080" in machine.dump(both[backend])
    if backend is Backend.NFT:
        assert machine.loaded_tables() == ""
    else:
        assert "KUBE-" not in machine.dump(both[Backend.NFT])


def test_a_hint_counts_for_more_than_the_default(machine: Machine, both: dict[Backend, Kind]) -> None:
    machine.load(both[Backend.LEGACY], HINT)
    versions = machine.pykubeproxy("version").stdout
    assert "IPv4 backend in use: legacy\n" in versions
    assert "IPv6 backend in use: nft\n" in versions


def test_looking_loads_no_legacy_tables(machine: Machine, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(Family.IPV4))
    for command in (["version"], ["diff", "-f", str(source)], ["run", "--once", "--source", str(source)], ["cleanup"]):
        assert machine.pykubeproxy(*command).returncode in (0, 1)
        assert machine.loaded_tables() == "", command


@pytest.mark.parametrize("command", ["run", "diff"])
def test_two_proxies_with_two_backends_are_refused(
    machine: Machine, both: dict[Backend, Kind], command: str, tmp_path: Path
) -> None:
    for kind in both.values():
        machine.load(kind, PROXY)
    refused = machine.pykubeproxy(command, "--source", str(write(tmp_path / "objects.json", [])))
    assert refused.returncode == 2
    assert refused.stderr.startswith("Error: both iptables backends hold KUBE-* chains (IPv4): ")
    assert refused.stderr.count("\n") == 1
    assert "cleanup --backend legacy" in refused.stderr


@pytest.mark.parametrize("command", ["run", "diff"])
@pytest.mark.parametrize("chosen", Backend)
def test_a_backend_beside_the_one_in_use_is_refused(
    machine: Machine, both: dict[Backend, Kind], chosen: Backend, command: str, tmp_path: Path
) -> None:
    used = next(kind for backend, kind in both.items() if backend is not chosen)
    machine.load(used, PROXY)
    source = str(write(tmp_path / "objects.json", web(Family.IPV4)))
    refused = machine.pykubeproxy(command, "--source", source, *both[chosen].flags)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"Error: the {used.backend} backend holds KUBE-* chains (IPv4)")
    assert refused.stderr.count("\n") == 1
    assert f"use --backend {used.backend}, " in refused.stderr
    assert "KUBE-" not in machine.dump(both[chosen])


@pytest.mark.parametrize("chosen", Backend)
def test_after_the_advised_cleanup_the_chosen_backend_is_accepted(
    machine: Machine, both: dict[Backend, Kind], chosen: Backend, tmp_path: Path
) -> None:
    used = next(kind for backend, kind in both.items() if backend is not chosen)
    machine.load(used, PROXY)
    assert machine.pykubeproxy("cleanup", "--backend", used.backend).returncode == 0
    source = write(tmp_path / "objects.json", web(Family.IPV4))
    assert machine.once(source, *both[chosen].flags).returncode == 0
    assert "10.244.0.1:8080" in machine.dump(both[chosen])


def test_a_kernel_without_legacy_tables_is_served_by_the_nft_tools(
    machine: Machine, both: dict[Backend, Kind], tmp_path: Path
) -> None:
    """CONFIG_NETFILTER_XTABLES_LEGACY is off, and the plain names stand for the legacy tools."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in ("iptables", "ip6tables"):
        _program(folder / program, f'exec {program}-legacy "$@"')
        for tool in ("save", "restore"):
            complaint = f"{program}-{tool}: Cannot initialize: Table does not exist (do you need to insmod?)"
            _program(folder / f"{program}-legacy-{tool}", f"echo '{complaint}' >&2; exit 1")
    source = write(tmp_path / "objects.json", web(Family.IPV4))
    # Asked for by name, they are not replaced by others.
    refused = machine.once(source, *both[Backend.LEGACY].flags, path=str(folder))
    assert refused.returncode == 2
    assert "Table does not exist" in refused.stderr
    done = machine.once(source, "--conntrack-max-per-core=0", path=str(folder))
    assert done.returncode == 0, done.stderr
    said = (done.stdout + done.stderr).splitlines()
    assert len([line for line in said if "the kernel does not support the default iptables tools" in line]) == len(
        Family
    )
    assert "10.244.0.1:8080" in machine.dump(both[Backend.NFT])
    asked = ("diff", "-f", str(source), "--output", "json")
    assert json.loads(machine.pykubeproxy(*asked, path=str(folder)).stdout)["changed"] is False
    assert "IPv4 backend in use: nft\n" in machine.pykubeproxy("version", path=str(folder)).stdout


def _program(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
