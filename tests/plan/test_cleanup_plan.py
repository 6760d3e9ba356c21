"""Taking everything away again: docs/reference/iptables-execution.md section 10, docs/reference/test-scenarios.md
section 4."""

import pytest

from pykubeproxy.plan.cleanup import cleanup
from pykubeproxy.plan.payload import Payload
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.parse import parse
from pykubeproxy.rules.ruleset import Ruleset, render
from tests.builders import options, port, service, slice_of, snapshot
from tests.corpus import GOLDEN, Example, examples
from tests.memory_host import MemoryHost

FOREIGN = """\
*mangle
:KUBE-IPTABLES-HINT - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-PROXY-CANARY - [0:0]
COMMIT
*filter
:DOCKER-USER - [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
-A INPUT -i lo -j ACCEPT
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -j RETURN
COMMIT
"""


def cleaned(host: MemoryHost) -> Ruleset:
    plan = cleanup(host.save(tables=("filter", "nat", "mangle")))
    assert plan.kept == ()
    host.restore(Payload(plan))
    return host.ruleset


def remains(ruleset: Ruleset) -> list[str]:
    """Chains and rules, without built-in chains."""
    return [line for line in render(ruleset) if line.startswith(("-A", ":")) and " ACCEPT [" not in line]


@pytest.mark.parametrize("dispatch", Dispatch)
def test_what_we_made_goes_and_what_others_made_stays(dispatch: Dispatch) -> None:
    objects = [service(f"ns/s{i}", f"10.0.0.{i}", ports=(port(node_port=30000 + i),)) for i in range(1, 40)]
    slices = [slice_of(f"ns/s{i}", "10.1.0.1") for i in range(1, 30)]
    host = MemoryHost()
    host.restore(FOREIGN.splitlines())
    host.restore(render(compile_ruleset(snapshot(*objects, *slices), options(dispatch=dispatch))))
    assert remains(cleaned(host)) == [
        ":KUBE-IPTABLES-HINT - [0:0]",
        ":KUBE-KUBELET-CANARY - [0:0]",
        ":DOCKER-USER - [0:0]",
        ":KUBE-FIREWALL - [0:0]",
        ":KUBE-KUBELET-CANARY - [0:0]",
        "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -j KUBE-FIREWALL",
        "-A FORWARD -j DOCKER-USER",
        "-A OUTPUT -j KUBE-FIREWALL",
        "-A DOCKER-USER -j RETURN",
        (
            "-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "
            '"block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP'
        ),
    ]


@pytest.mark.parametrize("example", examples(GOLDEN), ids=str)
def test_what_kube_proxy_made_goes_too(example: Example) -> None:
    host = MemoryHost(parse(example.saved("ipv4").splitlines()))
    assert [line for line in remains(cleaned(host)) if "KUBE-FIREWALL" not in line] == []


def test_a_jump_that_is_there_twice_goes_twice() -> None:
    jump = '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES\n'
    host = MemoryHost(parse(f"*nat\n:KUBE-SERVICES - [0:0]\n{jump}{jump}COMMIT".splitlines()))
    assert remains(cleaned(host)) == []


def test_a_chain_that_others_use_is_emptied_and_kept() -> None:
    text = "*nat\n:KUBE-SERVICES - [0:0]\n:MINE - [0:0]\n-A MINE -j KUBE-SERVICES\n-A KUBE-SERVICES -j DROP\nCOMMIT"
    host = MemoryHost(parse(text.splitlines()))
    plan = cleanup(host.save())
    assert plan.kept == (("nat", "KUBE-SERVICES"),)
    host.restore(Payload(plan))
    assert host.ruleset.lines("nat", "KUBE-SERVICES") == ()
    assert cleanup(host.save()).is_empty


@pytest.mark.parametrize("between", ["KUBE-PROXY-CANARY", "KUBE-SVC-AAAAAAAAAAAAAAAA", "KUBE-NODEPORTS"])
def test_chains_that_go_do_not_keep_each_other(between: str) -> None:
    text = f"*nat\n:KUBE-SERVICES - [0:0]\n:{between} - [0:0]\n-A {between} -j KUBE-SERVICES\nCOMMIT"
    assert remains(cleaned(MemoryHost(parse(text.splitlines())))) == []


def test_on_a_clean_node_there_is_nothing_to_do() -> None:
    assert cleanup(Ruleset(tables={})).is_empty
    assert cleanup(parse(FOREIGN.replace(":KUBE-PROXY-CANARY - [0:0]\n", "").splitlines())).is_empty
