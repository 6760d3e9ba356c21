"""A node is taken over from kube-proxy, and given back: no connection through a Service fails."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from e2e.cluster import RUN
from pykubeproxy.rules.parse import parse
from tests.apiserver import testing
from tests.apiserver.objects import JsonObject
from tests.chaos.bed import NODE, Bed, with_path
from tests.kernel.kube_proxy import as_kube_proxy_leaves_it
from tests.kernel.stand_ins import StandIns

OF_A_SERVICE = re.compile(r"KUBE-(?:SVC|SEP|FW|EXT|XLB)-")


def test_the_tree_takes_over_and_kube_proxy_takes_the_node_back(bed: Bed, tmp_path: Path) -> None:
    """That the linear layout takes over without a write is shown in tests/kernel."""
    tools = StandIns(tmp_path / "bin").watching()
    bed.api.load(more())
    theirs = kube_proxys(bed)
    restore(bed, {tool: as_kube_proxy_leaves_it(rules, seed=tool) for tool, rules in theirs.items()})
    with bed.unharmed():
        bed.start("--dispatch=tree", program=with_path(tools.path, *RUN))
        bed.wait_in_sync("--dispatch=tree")
        assert tools.calls != []
        bed.cluster.stop(NODE)
        starting = {tool: as_kube_proxy_starts(theirs[tool], bed.dump(tool)) for tool in bed.tools}
        assert "-X KUBE-SVC-10.96." in starting[bed.tools[0]], "the tree's chains are stale to kube-proxy"
        restore(bed, starting)
    bed.node.exec([sys.executable, "-m", "pykubeproxy", "cleanup"])
    assert not any("KUBE-SVC-" in bed.dump(tool) for tool in bed.tools)


def more() -> Iterator[JsonObject]:
    """So many Services that the tree of nat has branches."""
    for number in range(60):
        yield testing.service(f"more-{number}", clusterIP=f"10.96.{number % 5 + 2}.{number + 1}")
        if number % 6:
            yield testing.endpoint_slice(f"more-{number}", "10.244.0.11", "10.244.1.12")


def kube_proxys(bed: Bed) -> dict[str, str]:
    """The rules that kube-proxy has for the objects in the API, by tool; the golden corpus proves it."""
    command = [sys.executable, "-m", "pykubeproxy", "render", "--source=api", *bed.flags, "--dispatch=linear"]
    parts = re.split(r"^# ipv[46]\n", bed.node.exec(command).stdout, flags=re.MULTILINE)
    return dict(zip(bed.tools, parts[1:], strict=True))


def restore(bed: Bed, documents: dict[str, str]) -> None:
    """Feed rules to iptables-restore, by tool; what is there stays."""
    for tool, document in documents.items():
        bed.node.exec([f"{tool}-restore", "--noflush"], stdin=document)


def as_kube_proxy_starts(wanted: str, live: str) -> str:
    """What kube-proxy writes at its start over rules that it finds: all its chains, each with all its rules.

    And chains whose names are those of Services, but of none that it knows, are deleted.
    """
    found = parse(live.splitlines()).tables["nat"].chains
    text = []
    for table in wanted.split("COMMIT\n"):
        lines = [line for line in table.splitlines() if not re.match(r":[A-Z]+ |-A [A-Z]+ ", line)]
        declared = {line.split()[0][1:] for line in lines if line.startswith(":")}
        stale = [each for each in found if "*nat" in lines and OF_A_SERVICE.match(each) and each not in declared]
        heads = [line for line in lines if not line.startswith("-A ")]
        rules = [line for line in lines if line.startswith("-A ")]
        if heads:
            gone = [f":{chain} - [0:0]" for chain in stale]
            text += [*heads, *gone, *rules, *(f"-X {chain}" for chain in stale), "COMMIT"]
    return "".join(f"{line}\n" for line in text)
