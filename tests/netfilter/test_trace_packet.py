"""Packets that make no sense are refused at once."""

import pytest

from pykubeproxy.netfilter import Packet
from tests.builders import ip
from tests.netfilter.asking import ESTABLISHED, packet


def test_families_must_agree() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1 and fd00::1 are not of the same IP family"):
        Packet(source=ip("10.0.0.1"), destination=ip("fd00::1"))


@pytest.mark.parametrize("protocol", ["http", "", "256", "-1"])
def test_protocols_must_exist(protocol: str) -> None:
    with pytest.raises(ValueError, match="is not an IP protocol: use a name such as tcp"):
        packet(protocol=protocol)


@pytest.mark.parametrize(("protocol", "number"), [("TCP", 6), ("udp", 17), ("sctp", 132), ("47", 47)])
def test_protocols_by_name_and_number(protocol: str, number: int) -> None:
    assert packet(protocol=protocol).protocol_number == number


def test_a_connection_begins_with_a_syn() -> None:
    assert packet().flags == frozenset({"SYN"})
    assert packet(ctstate=ESTABLISHED).flags is None
    assert packet(tcp_flags=frozenset({"RST"})).flags == frozenset({"RST"})
