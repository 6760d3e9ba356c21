"""What a refused rule tells, and options that do without what is missing."""

from typing import Any

import pytest

from pykubeproxy.model.service import ServiceKey
from pykubeproxy.plan.refused import ADDRTYPE, RANDOM_FULLY, RECENT, SCTP, Blame, Extension, suspect, without
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import RejectUnused
from tests.builders import NODE_IPS, options, service, slice_of, snapshot

MASQUERADE = "-A KUBE-POSTROUTING -j MASQUERADE --random-fully"
IN_SEP = '-A KUBE-SEP-NEW -p sctp -m comment --comment "b/new:p80" -m sctp -j DNAT --to-destination 10.0.0.1:80'


@pytest.mark.parametrize(
    ("complaint", "line", "missing"),
    [
        ('Extension "recent" revision 0 not supported', "COMMIT", RECENT),
        ("Couldn't load match `sctp'", "COMMIT", SCTP),
        ("Invalid argument", MASQUERADE, RANDOM_FULLY),
        ("Invalid argument", IN_SEP, None),
        ("missing kernel module?", IN_SEP, SCTP),
        ("missing kernel module?", "COMMIT", None),
    ],
)
def test_the_extension_that_is_missing(complaint: str, line: str, missing: Extension | None) -> None:
    assert suspect(complaint, line) is missing


OWN, ALL, CLUSTER_IPS = (NODE_IPS[options().family],), RejectUnused.ALL, RejectUnused.CLUSTER_IPS


@pytest.mark.parametrize(
    ("missing", "given", "changed"),
    [
        ([SCTP, RECENT], {"reject_unused": ALL}, {}),
        ([RANDOM_FULLY], {"reject_unused": ALL}, {"random_fully": False}),
        ([ADDRTYPE], {"reject_unused": ALL}, {"node_port_addresses": OWN, "reject_unused": CLUSTER_IPS}),
        ([ADDRTYPE], {"reject_unused": CLUSTER_IPS}, {"node_port_addresses": OWN}),
        ([ADDRTYPE], {"reject_unused": RejectUnused.NONE, "node_ip": None}, {"node_port_addresses": ()}),
        ([ADDRTYPE], {"node_port_addresses": ("10.9.9.9",)}, {}),
    ],
)
def test_options_that_do_without(missing: list[Extension], given: dict[str, Any], changed: dict[str, Any]) -> None:
    assert without(options(**given), missing) == options(**given | changed)


def test_whose_a_line_is() -> None:
    before = compile_ruleset(snapshot(service("a/gone"), slice_of("a/gone", "10.0.0.1")), options())
    old = next(chain for chain in before.tables["nat"].chains if chain.startswith("KUBE-SEP-"))
    blame, gone, new = (
        Blame({"KUBE-SVC-NEW": ServiceKey("b", "new")}, before),
        ServiceKey("a", "gone"),
        ServiceKey("b", "new"),
    )
    lines = {
        ":KUBE-SVC-NEW - [0:0]": new,
        "-A KUBE-SVC-NEW -j KUBE-SEP-NEW": new,
        "-X KUBE-SVC-NEW": new,
        IN_SEP: new,
        f"-X {old}": gone,
        f":{old} - [0:0]": gone,
        MASQUERADE: None,
        "COMMIT": None,
    }
    assert {line: blame.service(line) for line in lines} == lines
