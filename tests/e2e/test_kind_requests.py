"""Which requests are made without a pause, and how they are counted."""

from ipaddress import ip_address

import pytest

from e2e.asking import Destination
from e2e.examples import manifests_of
from e2e.expectation import Answers, Place
from e2e.kind import requests
from e2e.kind.requests import Question
from e2e.kind.scenarios import SCENARIOS, Scenario
from e2e.topology import Protocol

on_every_scenario = pytest.mark.parametrize("scenario", [made() for made in SCENARIOS.values()], ids=list(SCENARIOS))


def asked(scenario: Scenario) -> list[Question]:
    return requests.questions(scenario.topology, manifests_of(scenario.documents), scenario.cases)


@on_every_scenario
def test_every_service_that_answers_is_asked_from_every_kind_of_place(scenario: Scenario) -> None:
    services = {case.service for case in scenario.cases if isinstance(case.expect, Answers)} - {"default/stream"}
    assert {question.case.service for question in asked(scenario)} == services
    assert {question.case.origin.place for question in asked(scenario)} == set(Place)
    assert {question.case.target.family for question in asked(scenario)} == {4, 6}


@on_every_scenario
def test_only_what_can_be_answered_over_tcp_is_asked(scenario: Scenario) -> None:
    assert all(isinstance(question.case.expect, Answers) for question in asked(scenario))
    assert {question.destination.protocol for question in asked(scenario)} == {Protocol.TCP}


def test_addresses_of_both_families_are_urls() -> None:
    for address, host in (("10.96.0.1", "10.96.0.1"), ("fd00::1", "[fd00::1]")):
        destination = Destination(address=ip_address(address), port=80, protocol=Protocol.TCP)
        assert requests.command(destination)[-1].startswith(f"http://{host}:80/[1-")


@pytest.mark.parametrize(
    ("lines", "ended_early", "count", "failures"),
    [
        (["200 \n", "200 \n"], False, 2, ()),
        (["200 \n", "20"], False, 1, ()),
        (["200 \n", "000 Connection refused\n"], False, 2, ("000 Connection refused",)),
        (["503 \n"], False, 1, ("503",)),
        ([], False, 0, ("not one request was made",)),
        (["200 \n"], True, 1, ("the requests ended by themselves",)),
    ],
)
def test_the_tally(lines: list[str], ended_early: bool, count: int, failures: tuple[str, ...]) -> None:  # noqa: FBT001
    assert requests.tally(lines, ended_early=ended_early) == requests.Tally(requests=count, failures=failures)
