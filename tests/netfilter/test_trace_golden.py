"""Every example: what the rules do to packets is what the objects promise, with exact shares."""

import pytest

from pykubeproxy.netfilter import Environment, Tracer, local_address
from pykubeproxy.rules.parse import parse
from tests.corpus import GOLDEN, GOLDEN_NODE, Example, examples, host_addresses, rendered
from tests.netfilter.service_model import Cluster

HELD = {"172.31.1.2/30": "eth0", "fd00:31:1::2/64": "eth0", "127.0.0.1/8": "lo", "::1/128": "lo"}
ENVIRONMENT = Environment(addresses=tuple(local_address(address, device) for address, device in HELD.items()))
FEWEST_QUESTIONS = 6


@pytest.mark.parametrize("dispatch", [None, "tree", "linear"], ids=["measured", "tree", "linear"])
@pytest.mark.parametrize("example", examples(GOLDEN), ids=str)
def test_rules_do_what_the_objects_promise(example: Example, dispatch: str | None) -> None:
    if dispatch is None:
        dumps = {family: example.saved(family) for family in ("ipv4", "ipv6")}
    else:
        dumps = rendered(example, "--dispatch", dispatch, *host_addresses(GOLDEN_NODE))
    tracers = {family: Tracer(parse(dump.splitlines()), ENVIRONMENT) for family, dump in dumps.items()}
    questions = list(Cluster(example.folder).questions(4, 6))
    assert len(questions) >= FEWEST_QUESTIONS
    for question in questions:
        found = tracers[question.packet.family.lower()].trace(question.packet)
        shares = [(each.verdict, each.dnat, each.masquerade, each.probability) for each in found.outcomes]
        assert set(shares) == question.fate, str(question)
        assert len({share[:3] for share in shares}) == len(shares), "equal outcomes are summed up"
        assert found.tree.probability == 1
