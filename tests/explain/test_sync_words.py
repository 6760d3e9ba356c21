from typing import get_args

import pytest

from pykubeproxy.explain.summary import Summary
from pykubeproxy.explain.sync_facts import (
    DriftRepaired,
    ExtensionMissing,
    NothingToWrite,
    PlanRefused,
    RulesWritten,
    ServicesAccepted,
    ServicesRefused,
    SyncFact,
    SyncFailed,
    TableUnread,
)
from pykubeproxy.explain.sync_words import log_line
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.plan.refused import ADDRTYPE, RANDOM_FULLY
from pykubeproxy.rules.ruleset import Unread

SERVICES = tuple(ServiceKey("ns", f"s{number}") for number in range(7))
FACTS: tuple[SyncFact, ...] = (
    SyncFailed(error="no", seconds=0.5),
    NothingToWrite(seconds=0.5, is_expected=True),
    RulesWritten(summary=Summary(), seconds=0.5),
    RulesWritten(summary=Summary(), seconds=0.5, is_shadow=True),
    DriftRepaired(by="firewalld", chains=(("nat", "KUBE-SERVICES"),), summary=Summary(), seconds=0.5),
    PlanRefused(error="no"),
    TableUnread(table="nat", unread=Unread(why="no")),
    ServicesRefused(services=SERVICES, error="no"),
    ExtensionMissing(extension=RANDOM_FULLY, error="no"),
    ExtensionMissing(extension=ADDRTYPE, error="no"),
    ServicesAccepted(services=SERVICES),
)


def test_every_kind_of_fact_has_words_of_its_own() -> None:
    assert {type(fact) for fact in FACTS} == set(get_args(SyncFact))
    lines = [log_line(fact) for fact in FACTS]
    assert len({line.message for line in lines}) == len(FACTS)
    assert {line.level for line in lines} <= {"debug", "info", "warning", "error"}


@pytest.mark.parametrize(
    ("count", "named"),
    [(1, "ns/s0"), (5, "ns/s0, ns/s1, ns/s2, ns/s3, ns/s4"), (7, "ns/s0, ns/s1, ns/s2, ns/s3, ns/s4 and 2 more")],
)
def test_only_a_few_services_are_named(count: int, named: str) -> None:
    assert log_line(ServicesAccepted(services=SERVICES[:count])).values == {"services": named}


def test_a_missing_module_is_named_only_if_it_is_known() -> None:
    assert "missing_module" not in log_line(ServicesRefused(services=SERVICES, error="no")).values
    known = log_line(ServicesRefused(services=SERVICES, error="no", module="xt_sctp")).values
    assert known["missing_module"] == "xt_sctp"
