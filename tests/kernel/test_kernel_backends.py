"""Which iptables tools are used: those that the node's other programs use, and never a silent second set."""

import shutil
from pathlib import Path

import pytest

from pykubeproxy.host.backend import Backend
from pykubeproxy.model.ip import Family
from tests.kernel.machine import IPV4_KINDS, Kind, Machine, why_without
from tests.kernel.objects import web, write
from tests.kernel.stand_ins import put_script

PROXY = "*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n"
HINT = "*mangle\n:KUBE-IPTABLES-HINT - [0:0]\nCOMMIT\n"
BOTH = {kind.backend: kind for kind in IPV4_KINDS}


@pytest.fixture(name="source")
def fixture_source(tmp_path: Path) -> Path:
    for kind in BOTH.values():
        if lack := why_without(kind):
            pytest.skip(lack)
    return write(tmp_path / "objects.json", web(Family.IPV4))


@pytest.mark.parametrize("backend", Backend)
@pytest.mark.parametrize("document", [HINT, PROXY], ids=["kubelets-hint", "chains-of-a-proxy"])
def test_the_backend_in_use_is_found_and_the_other_one_left_alone(
    machine: Machine, backend: Backend, document: str, source: Path
) -> None:
    machine.load(BOTH[backend], document)
    versions = machine.pykubeproxy("version").stdout
    assert f"IPv4 backend in use: {backend}\n" in versions
    assert "IPv6 backend in use: nft\n" in versions
    assert machine.once(source, "--family", "ipv4").returncode == 0
    assert "10.244.0.1:8080" in machine.dump(BOTH[backend])
    if backend is Backend.NFT:
        assert machine.loaded_tables() == ""
    else:
        assert "KUBE-" not in machine.dump(BOTH[Backend.NFT])


def test_looking_loads_no_legacy_tables(machine: Machine, source: Path) -> None:
    top = ["top", "--once", "--interval", "0.1"]
    commands = (["version"], top, ["diff", "-f", str(source)], ["run", "--once", "--source", str(source)], ["cleanup"])
    for command in commands:
        assert machine.pykubeproxy(*command).returncode in (0, 1)
        assert machine.loaded_tables() == "", command


@pytest.mark.parametrize("command", ["run", "diff"])
@pytest.mark.parametrize("chosen", Backend)
def test_a_backend_beside_the_one_in_use_is_refused_until_that_is_cleaned(
    machine: Machine, chosen: Backend, command: str, source: Path
) -> None:
    used = next(backend for backend in Backend if backend is not chosen)
    machine.load(BOTH[used], PROXY)
    refused = machine.pykubeproxy(command, "--source", str(source), *BOTH[chosen].flags)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"Error: the {used} backend holds KUBE-* chains (IPv4)")
    assert refused.stderr.count("\n") == 1
    assert f"use --backend {used}, " in refused.stderr
    assert "KUBE-" not in machine.dump(BOTH[chosen])
    assert machine.pykubeproxy("cleanup", "--backend", used).returncode == 0
    assert machine.once(source, *BOTH[chosen].flags).returncode == 0
    assert "10.244.0.1:8080" in machine.dump(BOTH[chosen])


def test_a_kernel_without_legacy_tables_is_served_by_the_nft_tools(
    machine: Machine, source: Path, tmp_path: Path
) -> None:
    """CONFIG_NETFILTER_XTABLES_LEGACY is off, and the plain names stand for the legacy tools."""
    folder = tmp_path / "bin"
    for program in ("iptables", "ip6tables"):
        put_script(folder / program, f'exec {shutil.which(f"{program}-legacy")} "$@"')
        for tool in ("save", "restore"):
            complaint = f"{program}-{tool}: Cannot initialize: Table does not exist (do you need to insmod?)"
            put_script(folder / f"{program}-legacy-{tool}", f"echo '{complaint}' >&2; exit 1")
    # Asked for by name, they are not replaced by others.
    refused = machine.once(source, *BOTH[Backend.LEGACY].flags, path=str(folder))
    assert refused.returncode == 2
    assert "Table does not exist" in refused.stderr
    done = machine.once(source, "--conntrack-max-per-core=0", path=str(folder))
    assert done.returncode == 0, done.stderr
    told = (done.stdout + done.stderr).count("the kernel does not support the default iptables tools")
    assert told == len(Family)
    assert "10.244.0.1:8080" in machine.dump(BOTH[Backend.NFT])
    assert machine.pykubeproxy("diff", "-f", str(source), path=str(folder)).returncode == 0
    assert "IPv4 backend in use: nft\n" in machine.pykubeproxy("version", path=str(folder)).stdout


# Every command that needs the node's rules, and what is advised to those who may not read them.
EXAMPLES = str(Path(__file__).parents[2] / "examples")
CAPABILITIES = "CAP_NET_ADMIN and CAP_NET_RAW"
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
COMMANDS = {
    ("run", "--source", EXAMPLES): "",
    ("run", "--once", "--source", EXAMPLES): "",
    ("diff", "-f", EXAMPLES): "diff reads this node's rules: {}, or give --live FILE; ",
    ("cleanup",): "cleanup reads this node's rules: {}; ",
    ("top", "--once"): "top reads this node's rules: {}; ",
    ("services",): "services reads this node's rules: {}, or give --live FILE; ",
}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_iptables(machine: Machine, command: tuple[str, ...], tmp_path: Path) -> None:
    refused = machine.pykubeproxy(*command, only_path=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert only_line(refused.stderr).startswith("Error: iptables is not installed: ")
    told = machine.pykubeproxy("version", only_path=tmp_path)
    assert "IPv4 backend in use: unknown: iptables is not installed" in told.stdout


@pytest.mark.parametrize("without", [NOBODY, ("setpriv", "--bounding-set", "-net_admin,-net_raw")])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_rights(machine: Machine, kind4: Kind, command: tuple[str, ...], without: tuple[str, ...]) -> None:
    if machine.pykubeproxy("version", before=without).returncode:
        pytest.skip("this project's folder or its Python cannot be read by other users")
    machine.load(kind4, PROXY)
    refused = machine.pykubeproxy(*command, *kind4.flags, before=without)
    assert (refused.returncode, refused.stdout) == (2, "")
    complaint = only_line(refused.stderr)
    advice = COMMANDS[command].format("run it with sudo" if without is NOBODY else f"it needs {CAPABILITIES}")
    expected = tuple(f"Error: {advice}{kind4.program}-{tool}: " for tool in ("save", "restore"))
    assert complaint.startswith(expected)
    assert complaint.endswith(f": run as root, or with {CAPABILITIES}") is not bool(advice)


@pytest.mark.parametrize("broken", Family)
@pytest.mark.parametrize("primary", Family)
def test_tools_that_do_not_work_are_done_without_if_they_are_not_of_the_primary_family(
    machine: Machine, tmp_path: Path, broken: Family, primary: Family
) -> None:
    program = Kind(family=broken, backend=Backend.NFT).program.removesuffix("-nft")
    for name in (f"{program}-nft-restore", f"{program}-restore", f"{program}-legacy-restore"):
        put_script(tmp_path / name, "echo no such table >&2; exit 1")
    address = "10.99.0.1" if primary is Family.IPV4 else "fd00:99::1"
    dual_stack = ("--hostname-override=node-x", "--host-address", address)
    told = machine.once(Path(EXAMPLES), *dual_stack, path=str(tmp_path))
    other = next(family for family in Family if family is not broken)
    assert f"without={broken}" in told.stderr
    if primary is not broken:
        assert told.returncode == 0, told.stderr
        assert f"family={other}" in told.stderr
        assert f"family={broken}" not in told.stderr
    else:
        assert told.returncode == 2
        assert told.stderr.splitlines()[-1] == f'Error: no support for primary IP family "{primary}"'
        assert "KUBE-" not in machine.dump(Kind(family=other, backend=Backend.NFT))
    refused = machine.once(Path(EXAMPLES), *dual_stack, "--family", broken.lower(), path=str(tmp_path))
    assert refused.returncode == 2
    assert "no such table" in only_line(refused.stderr)


def only_line(text: str) -> str:
    lines = text.splitlines()
    assert len(lines) == 1, text
    return lines[0]
