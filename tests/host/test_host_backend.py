from pathlib import Path

import pytest

from pykubeproxy.host import backend as backends
from pykubeproxy.host import table_info
from pykubeproxy.host.backend import Backend, DetectedBackend, Tools, check, detect, find_tools, has_match, is_in_use
from pykubeproxy.host.errors import BackendConflict, ToolMissing
from pykubeproxy.model.ip import Family
from tests.host.fake_tools import VERSIONS, FakeTools

HINT = "*mangle\n:PREROUTING ACCEPT [0:0]\n:KUBE-IPTABLES-HINT - [0:0]\nCOMMIT\n"
PROXY = "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\nCOMMIT\n"
ONLY_LOOKS_LIKE_ONE = "*nat\n:KUBE-SERVICES-OF-MINE - [0:0]\n-A PREROUTING -j KUBE-SERVICES\nCOMMIT\n"


@pytest.fixture(name="tools")
def fixture_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTools:
    """No tools, and a kernel in which the legacy backend's tables are loaded."""
    load(tmp_path, "nat", "mangle", "filter")
    monkeypatch.setattr(table_info, "_PROC_NET", tmp_path)
    monkeypatch.setattr(backends, "has_nftables", lambda: True)
    fake = FakeTools(tmp_path / "bin", monkeypatch)
    monkeypatch.setattr(backends, "existing_chains", lambda _, table, chains: chains_in(fake, table) & set(chains))
    return fake


def load(proc: Path, *tables: str) -> None:
    """Have the kernel tell of these legacy tables, for both families."""
    for name in ("ip_tables_names", "ip6_tables_names"):
        (proc / name).write_text("".join(f"{table}\n" for table in tables))


def chains_in(tools: FakeTools, table: str) -> set[str]:
    """What the kernel would say of the nft backend's chains."""
    dump = tools.folder / f"iptables-nft-{table}"
    lines = dump.read_text().splitlines() if dump.exists() else []
    return {line[1:].split()[0] for line in lines if line.startswith(":")}


def install(tools: FakeTools, nft: dict[str, str], legacy: dict[str, str], default: Backend = Backend.NFT) -> None:
    tools.install("iptables-nft", VERSIONS[Backend.NFT], **nft)
    tools.install("iptables-legacy", VERSIONS[Backend.LEGACY], **legacy)
    tools.install("iptables", VERSIONS[default], **(nft if default is Backend.NFT else legacy))


@pytest.mark.parametrize("default", Backend)
@pytest.mark.parametrize(
    ("nft", "legacy", "expected"),
    [
        ({}, {"mangle": HINT}, Backend.LEGACY),
        ({"mangle": HINT}, {}, Backend.NFT),
        ({}, {"nat": PROXY}, Backend.LEGACY),
        ({"nat": PROXY}, {}, Backend.NFT),
        ({"mangle": HINT}, {"nat": PROXY}, Backend.NFT),
        ({"mangle": HINT}, {"mangle": HINT, "nat": PROXY}, Backend.LEGACY),
        ({"mangle": HINT}, {"mangle": HINT}, None),
        ({"nat": ONLY_LOOKS_LIKE_ONE}, {}, None),
        ({}, {}, None),
    ],
)
def test_the_hint_counts_before_existing_chains_and_those_before_the_default(
    tools: FakeTools, nft: dict[str, str], legacy: dict[str, str], expected: Backend | None, default: Backend
) -> None:
    install(tools, nft, legacy, default)
    assert detect(Family.IPV4) == DetectedBackend(backend=expected or default)


def test_chains_of_a_proxy_in_both_are_a_conflict(tools: FakeTools) -> None:
    install(tools, {"nat": PROXY, "mangle": HINT}, {"nat": PROXY})
    with pytest.raises(BackendConflict, match=r"both iptables backends hold KUBE-\* chains \(IPv4\)"):
        detect(Family.IPV4)


@pytest.mark.parametrize("chosen", Backend)
def test_a_choice_is_checked_against_the_other_backend(tools: FakeTools, chosen: Backend) -> None:
    other = next(backend for backend in Backend if backend is not chosen)
    dumps = {chosen: {"mangle": HINT}, other: {"nat": PROXY}}
    install(tools, dumps[Backend.NFT], dumps[Backend.LEGACY])
    check(find_tools(Family.IPV4, other))
    with pytest.raises(BackendConflict, match=f"the {other} backend holds .* use --backend {other}, "):
        check(find_tools(Family.IPV4, chosen))


def test_legacy_tables_that_are_not_loaded_are_not_asked_for(
    tools: FakeTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tools, {}, {})
    asked = tmp_path / "asked"
    tools.add("iptables-legacy-save", body=f": >{asked}")
    monkeypatch.setattr(table_info, "_PROC_NET", tmp_path / "no-such-folder")
    assert detect(Family.IPV4).backend is Backend.NFT
    legacy = find_tools(Family.IPV4, Backend.LEGACY)
    check(find_tools(Family.IPV4, Backend.NFT))
    assert not is_in_use(legacy)
    assert not asked.exists()


NO_TABLE = "iptables-legacy-save v1.8.9 (legacy): Cannot initialize: {}"


@pytest.mark.parametrize(
    ("said", "is_missing"),
    [
        ("Table does not exist (do you need to insmod?)", True),
        ("Protocol not available", True),
        ("Permission denied (you must be root)", False),
    ],
)
def test_a_kernel_without_legacy_tables(tools: FakeTools, tmp_path: Path, said: str, *, is_missing: bool) -> None:
    install(tools, {}, {}, Backend.LEGACY)
    tools.add("iptables-legacy-save", body=f"echo '{NO_TABLE.format(said)}' >&2; exit 1")
    load(tmp_path, "nat")
    assert detect(Family.IPV4) == DetectedBackend(backend=Backend.LEGACY), "what is loaded is there"
    load(tmp_path)
    instead = DetectedBackend(backend=Backend.NFT, instead_of=Backend.LEGACY)
    assert detect(Family.IPV4) == (instead if is_missing else DetectedBackend(backend=Backend.LEGACY))
    assert detect(Family.IPV4, may_load=False) == DetectedBackend(backend=Backend.LEGACY), "who only looks does not ask"


def test_legacy_tables_that_the_tools_can_load_are_used(tools: FakeTools, tmp_path: Path) -> None:
    install(tools, {}, {}, Backend.LEGACY)
    load(tmp_path)
    assert detect(Family.IPV4) == DetectedBackend(backend=Backend.LEGACY)


def test_a_kernel_without_nftables(tools: FakeTools, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tools, {}, {})
    monkeypatch.setattr(backends, "has_nftables", lambda: False)
    assert detect(Family.IPV4) == DetectedBackend(backend=Backend.LEGACY, instead_of=Backend.NFT)
    assert not is_in_use(find_tools(Family.IPV4, Backend.NFT)), "cleanup finds nothing to do there"


def test_a_kernel_without_either_is_left_to_the_default_tools(
    tools: FakeTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tools, {}, {})
    load(tmp_path)
    tools.add("iptables-legacy-save", body=f"echo '{NO_TABLE.format('Table does not exist')}' >&2; exit 1")
    monkeypatch.setattr(backends, "has_nftables", lambda: False)
    assert detect(Family.IPV4) == DetectedBackend(backend=Backend.NFT)


def test_where_there_is_one_kind_it_may_have_the_plain_name_only(tools: FakeTools) -> None:
    tools.install("ip6tables", VERSIONS[Backend.LEGACY])
    assert detect(Family.IPV6).backend is Backend.LEGACY
    found = find_tools(Family.IPV6, Backend.LEGACY)
    assert (found.save, found.restore) == ("ip6tables-save", "ip6tables-restore")
    with pytest.raises(ToolMissing, match="ip6tables with the nft backend is not installed"):
        find_tools(Family.IPV6, Backend.NFT)


def test_nothing_installed(tools: FakeTools) -> None:
    with pytest.raises(ToolMissing, match="iptables is not installed: install the iptables package"):
        detect(Family.IPV4)


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("iptables v1.8.11 (legacy)", (1, 8, 11)),
        ("iptables v1.6.2", (1, 6, 2)),
        ("iptables v1.6.1", (1, 6, 1)),
        ("command not understood", ()),
    ],
)
def test_what_a_version_can_do(tools: FakeTools, said: str, version: tuple[int, ...]) -> None:
    tools.install("iptables", said)
    found = find_tools(Family.IPV4, Backend.LEGACY)
    is_new_enough = version >= (1, 6, 2)
    assert found.version == version
    assert found.has_random_fully is is_new_enough
    assert found.wait_flags(5) == (["-w", "5"] if is_new_enough else [])


def test_comments_in_any_encoding_do_not_matter(tools: FakeTools) -> None:
    install(tools, {}, {})
    tools.add_raw("iptables-nft-save", b'*nat\n:A - [0:0]\n-A A -m comment --comment "caf\xe9" -j RETURN\nCOMMIT\n')
    assert detect(Family.IPV4).backend is Backend.NFT


@pytest.mark.parametrize(
    ("complaint", "status", "expected"),
    [
        ("", 0, True),
        ("Couldn't load match `nfacct':No such file or directory\n", 2, False),
        ("Warning: Extension nfacct revision 0 not supported, missing kernel module?\n", 0, False),
    ],
)
def test_a_match_is_there_if_both_the_tool_and_the_kernel_know_it(
    tools: FakeTools, complaint: str, status: int, *, expected: bool
) -> None:
    tools.add(
        "iptables-nft", "usage\n", complaint=complaint, status=status, body='[ "$*" = "-m nfacct --help" ] || exit 9'
    )
    its = Tools(
        family=Family.IPV4,
        backend=Backend.NFT,
        save="iptables-nft-save",
        restore="iptables-nft-restore",
        version=(1, 8, 9),
    )
    assert has_match(its, "nfacct") is expected
