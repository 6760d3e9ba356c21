"""From one dump of kube-proxy to another and back: whatever changes one way changes back the other way."""

from collections import Counter
from itertools import pairwise

import pytest

from pykubeproxy.explain import changes
from pykubeproxy.rules.parse import parse
from pykubeproxy.rules.ruleset import Ruleset
from tests.corpus import GOLDEN, Example, examples
from tests.explain.comparison import explained

OPPOSITES: dict[type[changes.ServiceChange], type[changes.ServiceChange]] = {
    changes.ServicePortAdded: changes.ServicePortRemoved,
    changes.AddressAdded: changes.AddressRemoved,
    changes.NodePortAdded: changes.NodePortRemoved,
    changes.RefusalBegan: changes.RefusalEnded,
    changes.SourcesAllowed: changes.SourcesDenied,
}


def kinds(desired: Ruleset, live: Ruleset) -> Counter[tuple[str, type[changes.ServiceChange]]]:
    return Counter(
        (diff.service_port, type(change))
        for diff in explained(desired, live).service_ports
        for change in diff.changes
        # What happens to source ranges depends on whether their addresses were there before.
        if not isinstance(change, changes.SourcesLimited | changes.SourcesUnlimited)
    )


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize(("one", "other"), list(pairwise(examples(GOLDEN))), ids=str)
def test_there_and_back(one: Example, other: Example, family: str) -> None:
    first, second = (parse(example.saved(family).splitlines()) for example in (one, other))
    there, back = kinds(first, second), kinds(second, first)
    opposites = OPPOSITES | {back: there for there, back in OPPOSITES.items()}
    assert Counter((title, opposites.get(kind, kind)) for title, kind in there.elements()) == back
