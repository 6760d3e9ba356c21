"""Each fact of a sync has a line of its own in the log."""

from typing import get_args

import pytest

from pykubeproxy.explain import sync_facts as facts
from pykubeproxy.explain.summary import Summary
from pykubeproxy.explain.sync_facts import log_line
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.plan.refused import ADDRTYPE, RANDOM_FULLY
from pykubeproxy.rules.ruleset import Unread

SERVICES = tuple(ServiceKey("ns", f"s{number}") for number in range(7))
FACTS: tuple[facts.SyncFact, ...] = (
    facts.SyncFailed(error="no", seconds=0.5),
    facts.NothingToWrite(seconds=0.5, is_expected=True),
    facts.RulesWritten(summary=Summary(), seconds=0.5),
    facts.RulesWritten(summary=Summary(), seconds=0.5, is_shadow=True),
    facts.DriftRepaired(by="firewalld", chains=(("nat", "KUBE-SERVICES"),), summary=Summary(), seconds=0.5),
    facts.PlanRefused(error="no"),
    facts.TableUnread(table="nat", unread=Unread(why="no")),
    facts.ServicesSetAside(services=SERVICES, error="no"),
    facts.ExtensionMissing(extension=RANDOM_FULLY, error="no"),
    facts.ExtensionMissing(extension=ADDRTYPE, error="no"),
    facts.ServicesAccepted(services=SERVICES),
)


def test_every_kind_of_fact_has_words_of_its_own() -> None:
    assert {type(fact) for fact in FACTS} == set(get_args(facts.SyncFact))
    lines = [log_line(fact) for fact in FACTS]
    assert len({line.message for line in lines}) == len(FACTS)


@pytest.mark.parametrize(
    ("count", "named"),
    [(1, "ns/s0"), (5, "ns/s0, ns/s1, ns/s2, ns/s3, ns/s4"), (7, "ns/s0, ns/s1, ns/s2, ns/s3, ns/s4 and 2 more")],
)
def test_only_a_few_services_are_named(count: int, named: str) -> None:
    assert log_line(facts.ServicesAccepted(services=SERVICES[:count])).values == {"services": named}
