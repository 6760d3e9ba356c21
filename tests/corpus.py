"""Folders of examples: objects, the flags they are compiled with, and what kube-proxy left in the kernel for them.

`tests/golden` holds measured dumps. Nothing of the project is used here but its command line, so that a mistake in
reading rules cannot hide one in writing them.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from pykubeproxy.cli.render import render

TESTS = Path(__file__).parent
GOLDEN = TESTS / "golden"
# A larger corpus may lie beside the project.
MORE_GOLDEN = TESTS.parents[1] / "shared" / "golden"

# The addresses of the node on which the corpus was measured.
GOLDEN_NODE = ("172.31.1.2", "fd00:31:1::2", "127.0.0.1", "::1")

BUILTIN = frozenset({"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"})
CANARY = "KUBE-PROXY-CANARY"
# Where the order among Services is arbitrary.
DISPATCH_CHAINS = frozenset({"KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES", "KUBE-PROXY-FIREWALL"})


@dataclass(frozen=True)
class Example:
    """One folder."""

    folder: Path

    def __str__(self) -> str:
        return self.folder.name

    @property
    def objects(self) -> str:
        """The path of its manifest."""
        return str(self.folder / "objects.yaml")

    @property
    def flags(self) -> tuple[str, ...]:
        """Command-line arguments, one per line in flags.txt."""
        return tuple((self.folder / "flags.txt").read_text().split())

    def saved(self, family: str) -> str:
        """What iptables-save (`ipv4`) or ip6tables-save (`ipv6`) printed."""
        return (self.folder / f"{family}.save").read_text()


def examples(*roots: Path) -> list[Example]:
    """All folders with a manifest, by name; the first of those with one name."""
    found: dict[str, Example] = {}
    for root in roots:
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            if (folder / "objects.yaml").exists():
                found.setdefault(folder.name, Example(folder))
    return list(found.values())


def rendered(example: Example, *arguments: str) -> dict[str, str]:
    """What `pykubeproxy render` prints for an example, by family."""
    result = CliRunner().invoke(render, ["-f", example.objects, *example.flags, *arguments])
    assert result.exit_code == 0, result.output
    parts = re.split(r"^# (ipv[46])\n", result.stdout, flags=re.MULTILINE)
    assert parts[0] == ""
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def host_addresses(addresses: Iterable[str]) -> tuple[str, ...]:
    """As flags."""
    return tuple(word for address in addresses for word in ("--host-address", address))


def canonical(dump: str) -> str:
    """A dump with tables and chains by name, without comments, canaries and the built-in chains' policies.

    The rules of each chain stay as they are and in their order.
    """
    return "\n".join(_canonical_lines(dump)) + "\n"


def chains_of(dump: str) -> dict[tuple[str, str], list[str]]:
    """The rules of every chain that is declared or has any, by (table, chain)."""
    chains: dict[tuple[str, str], list[str]] = {}
    table = ""
    for line in dump.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            chains.setdefault((table, line[1:].split()[0]), [])
        elif line.startswith("-A "):
            chains.setdefault((table, line.split()[1]), []).append(line)
        else:
            assert line in ("", "COMMIT") or line.startswith("#"), line
    return chains


def _canonical_lines(dump: str) -> Iterator[str]:
    declared = set(re.findall(r"^:(\S+) -", dump, flags=re.MULTILINE))
    for (table, chain), rules in sorted(chains_of(dump).items()):
        if chain == CANARY:
            continue
        assert chain in BUILTIN or chain in declared, f"{chain} has rules but is not declared"
        if rules or chain not in BUILTIN:
            yield f"{table} :{chain}"
        yield from rules


def sorted_dispatch(dump: str) -> str:
    """A dump with the rules of the chains that all Services share sorted, those that lead to the node ports last."""
    tables = dump.split("COMMIT\n")
    return "COMMIT\n".join(_sorted_table(table) for table in tables)


def _sorted_table(table: str) -> str:
    lines = table.splitlines()
    head = [line for line in lines if not line.startswith("-A ")]
    rules = [line for line in lines if line.startswith("-A ")]
    in_dispatch = sorted(
        (line for line in rules if line.split()[1] in DISPATCH_CHAINS),
        key=lambda line: (line.endswith("-j KUBE-NODEPORTS"), line),
    )
    rest = [line for line in rules if line.split()[1] not in DISPATCH_CHAINS]
    return "".join(f"{line}\n" for line in (*head, *rest, *in_dispatch))


def without_nfacct(dump: str) -> str:
    """A dump without nfacct matches, and without the rule that is there only to count."""
    kept = [line for line in dump.splitlines() if "localhost_nps_accepted_pkts" not in line]
    return "".join(f"{re.sub(r' -m nfacct --nfacct-name +[^ ]+', '', line)}\n" for line in kept)
