"""Which Plans are divided: large ones for the nft tools, unless a single commit is asked for."""

import pytest

from pykubeproxy.daemon.setup.run_settings import CommitMode, OwnOptions
from pykubeproxy.daemon.setup.tools import split_for
from pykubeproxy.host.backend import Backend, Tools
from pykubeproxy.model.ip import Family
from pykubeproxy.plan.diff import ChainChange, Plan
from pykubeproxy.plan.sections import SECTION_SIZE


def large_plan() -> Plan:
    names = (f"KUBE-SVC-{number:016}" for number in range(SECTION_SIZE + 1))
    return Plan(chains=tuple(ChainChange(table="nat", chain=name, before=None, after=()) for name in names))


@pytest.mark.parametrize(
    ("backend", "commit", "is_divided"),
    [
        (Backend.NFT, CommitMode.AUTO, True),
        (Backend.NFT, CommitMode.SINGLE, False),
        (Backend.LEGACY, CommitMode.AUTO, False),
        (Backend.LEGACY, CommitMode.SINGLE, False),
    ],
)
def test_by_backend_and_choice(backend: Backend, commit: CommitMode, *, is_divided: bool) -> None:
    tools = Tools(family=Family.IPV4, backend=backend, save="save", restore="restore", version=(1, 8, 9))
    plan = large_plan()
    divided = list(split_for(OwnOptions(commit=commit), tools)(plan))
    assert (divided != [plan]) is is_divided


def test_plans_are_divided_unless_asked_otherwise() -> None:
    assert OwnOptions().commit is CommitMode.AUTO
