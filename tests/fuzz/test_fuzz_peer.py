"""kube-proxy as the fuzzer's judge, with this project in its place: what it writes is compared for a few states."""

import sysconfig
from pathlib import Path

import pytest

from e2e.lab import missing
from fuzz.findings import Finding
from fuzz.peer import open_peer
from fuzz.states import make_state

KUBE_PROXY = (str(Path(sysconfig.get_path("scripts"), "kube-proxy")), "--dispatch=linear")
STATES = (0, 3)


@pytest.fixture(autouse=True)
def _has_namespaces() -> None:
    if lack := missing():
        pytest.skip(lack)


def test_one_that_writes_the_same() -> None:
    with open_peer(KUBE_PROXY) as peer:
        for number in STATES:
            peer.check(make_state(number))


def test_one_that_writes_something_else() -> None:
    with open_peer((*KUBE_PROXY, "--masquerade-all"), 5.0) as peer, pytest.raises(Finding, match="KUBE-MARK-MASQ"):
        peer.check(make_state(STATES[0]))


def test_one_that_ends() -> None:
    with open_peer((*KUBE_PROXY, "--no-such-flag")) as peer, pytest.raises(Finding, match="kube-proxy has ended with"):
        peer.check(make_state(STATES[0]))
