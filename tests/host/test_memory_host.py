import pytest

from pykubeproxy.host.errors import ReadOnly
from pykubeproxy.host.protocol import ReadOnlyHost
from tests.memory_host import MemoryHost

START = ["*nat", ":A - [0:0]", "-A A -j RETURN", "-A OUTPUT -j A", "COMMIT"]


def test_a_read_only_host_reads_and_refuses_to_write() -> None:
    host = MemoryHost()
    host.restore(START)
    shadow = ReadOnlyHost(host)
    assert shadow.save().lines("nat", "A") == ("-A A -j RETURN",)
    with pytest.raises(ReadOnly, match="5 lines were not written"):
        shadow.restore(START)
    assert host.restores == 1
