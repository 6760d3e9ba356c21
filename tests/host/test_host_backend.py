"""Which of the two kinds of iptables tools is used."""

from pathlib import Path

import pytest

from pykubeproxy.host import backend as backends
from pykubeproxy.host import table_info
from pykubeproxy.host.backend import Backend, DetectedBackend, detect, find_tools, has_match, is_in_use
from pykubeproxy.host.errors import BackendConflict, ToolMissing
from pykubeproxy.model.ip import Family
from tests.host.fake_tools import VERSIONS, FakeTools

NFT, LEGACY = Backend.NFT, Backend.LEGACY
HINT = {"mangle": "*mangle\n:PREROUTING ACCEPT [0:0]\n:KUBE-IPTABLES-HINT - [0:0]\nCOMMIT\n"}
PROXY = {"nat": "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\nCOMMIT\n"}
ONLY_LOOKS_LIKE_ONE = {"nat": "*nat\n:KUBE-SERVICES-OF-MINE - [0:0]\n-A PREROUTING -j KUBE-SERVICES\nCOMMIT\n"}
NO_TABLE = "echo 'iptables-legacy-save v1.8.9 (legacy): Cannot initialize: {}' >&2; exit 1"
TABLE_GONE = "Table does not exist (do you need to insmod?)"


@pytest.fixture(autouse=True)
def _kernel(tools: FakeTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the kernel the legacy backend's tables are loaded, and the nft one's are what the tools tell."""

    def chains_in(_: Family, table: str, chains: tuple[str, ...]) -> set[str]:
        dump = tools.folder / f"iptables-nft-{table}"
        return {chain for chain in chains if dump.exists() and f"\n:{chain} " in dump.read_text()}

    load(tmp_path, "nat", "mangle", "filter")
    monkeypatch.setattr(table_info, "_PROC_NET", tmp_path)
    monkeypatch.setattr(backends, "has_nftables", lambda: True)
    monkeypatch.setattr(backends, "existing_chains", chains_in)


def load(proc: Path, *tables: str) -> None:
    """Have the kernel tell of these legacy tables, for both families."""
    for name in ("ip_tables_names", "ip6_tables_names"):
        (proc / name).write_text("".join(f"{table}\n" for table in tables))


def install(
    tools: FakeTools, nft: dict[str, str] | None = None, legacy: dict[str, str] | None = None, default: Backend = NFT
) -> None:
    dumps = {NFT: nft or {}, LEGACY: legacy or {}}
    for backend in Backend:
        tools.install(f"iptables-{backend}", VERSIONS[backend], **dumps[backend])
    tools.install("iptables", VERSIONS[default], **dumps[default])


@pytest.mark.parametrize("default", Backend)
@pytest.mark.parametrize(
    ("nft", "legacy", "expected"),
    [
        ({}, HINT, LEGACY),
        (HINT, {}, NFT),
        ({}, PROXY, LEGACY),
        (PROXY, {}, NFT),
        (HINT, PROXY, NFT),
        (HINT, HINT | PROXY, LEGACY),
        (HINT, HINT, None),
        (ONLY_LOOKS_LIKE_ONE, {}, None),
        ({}, {}, None),
    ],
)
def test_the_hint_counts_before_existing_chains_and_those_before_the_default(
    tools: FakeTools, nft: dict[str, str], legacy: dict[str, str], expected: Backend | None, default: Backend
) -> None:
    install(tools, nft, legacy, default)
    assert detect(Family.IPV4) == DetectedBackend(backend=expected or default)


def test_chains_of_a_proxy_in_both_are_a_conflict(tools: FakeTools) -> None:
    install(tools, PROXY | HINT, PROXY)
    with pytest.raises(BackendConflict, match=r"both iptables backends hold KUBE-\* chains \(IPv4\)"):
        detect(Family.IPV4)


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (TABLE_GONE, DetectedBackend(backend=NFT, instead_of=LEGACY)),
        ("Protocol not available", DetectedBackend(backend=NFT, instead_of=LEGACY)),
        ("Permission denied (you must be root)", DetectedBackend(backend=LEGACY)),
        ("", DetectedBackend(backend=LEGACY)),
    ],
)
def test_a_kernel_without_legacy_tables(tools: FakeTools, tmp_path: Path, said: str, instead: DetectedBackend) -> None:
    install(tools, default=LEGACY)
    if said:  # else the tool can load them
        tools.add("iptables-legacy-save", body=NO_TABLE.format(said))
    load(tmp_path, "nat")
    assert detect(Family.IPV4) == DetectedBackend(backend=LEGACY), "what is loaded is there"
    load(tmp_path)
    assert detect(Family.IPV4) == instead
    assert detect(Family.IPV4, may_load=False) == DetectedBackend(backend=LEGACY), "who only looks does not ask"


def test_a_kernel_without_nftables(tools: FakeTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tools)
    monkeypatch.setattr(backends, "has_nftables", lambda: False)
    assert detect(Family.IPV4) == DetectedBackend(backend=LEGACY, instead_of=NFT)
    assert not is_in_use(find_tools(Family.IPV4, NFT)), "cleanup finds nothing to do there"
    load(tmp_path)
    tools.add("iptables-legacy-save", body=NO_TABLE.format(TABLE_GONE))
    assert detect(Family.IPV4) == DetectedBackend(backend=NFT), "it is left to the default tools"


def test_where_there_is_one_kind_it_may_have_the_plain_name_only(tools: FakeTools) -> None:
    with pytest.raises(ToolMissing, match="ip6tables is not installed: install the iptables package"):
        detect(Family.IPV6)
    tools.install("ip6tables", VERSIONS[LEGACY])
    assert detect(Family.IPV6).backend is LEGACY
    found = find_tools(Family.IPV6, LEGACY)
    assert (found.save, found.restore) == ("ip6tables-save", "ip6tables-restore")
    with pytest.raises(ToolMissing, match="ip6tables with the nft backend is not installed"):
        find_tools(Family.IPV6, NFT)


@pytest.mark.parametrize(
    ("said", "version", "is_new_enough"),
    [
        ("iptables v1.8.11 (legacy)", (1, 8, 11), True),
        ("iptables v1.6.2", (1, 6, 2), True),
        ("iptables v1.6.1", (1, 6, 1), False),
        ("command not understood", (), False),
    ],
)
def test_what_a_version_can_do(tools: FakeTools, said: str, version: tuple[int, ...], *, is_new_enough: bool) -> None:
    tools.install("iptables", said)
    found = find_tools(Family.IPV4, LEGACY)
    assert (found.version, found.has_random_fully) == (version, is_new_enough)
    assert found.wait_flags(5) == (["-w", "5"] if is_new_enough else [])


@pytest.mark.parametrize(
    ("complaint", "status", "expected"),
    [
        ("", 0, True),
        ("Couldn't load match `nfacct':No such file or directory\n", 2, False),
        ("Warning: Extension nfacct revision 0 not supported, missing kernel module?\n", 0, False),
    ],
)
def test_a_match_that_tool_and_kernel_know(tools: FakeTools, complaint: str, status: int, *, expected: bool) -> None:
    install(tools)
    its = find_tools(Family.IPV4, NFT)
    body = '[ "$*" = "-m nfacct --help" ] || exit 9'
    tools.add("iptables-nft", "usage\n", complaint=complaint, status=status, body=body)
    assert has_match(its, "nfacct") is expected
