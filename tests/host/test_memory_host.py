import pytest

from pykubeproxy.host.errors import ReadOnly, RestoreError
from pykubeproxy.host.protocol import ReadOnlyHost
from pykubeproxy.rules.parse import parse
from tests.memory_host import MemoryHost

START = ["*nat", ":A - [0:0]", "-A A -j RETURN", "-A OUTPUT -j A", "COMMIT"]


def test_each_table_changes_as_a_whole() -> None:
    host = MemoryHost()
    host.restore(START)
    with pytest.raises(RestoreError) as caught:
        host.restore(["*filter", ":B - [0:0]", "COMMIT", "*nat", ":A - [0:0]", "-A A -j MISSING", "COMMIT"])
    assert (caught.value.line, caught.value.text) == (6, "-A A -j MISSING")
    assert host.save().lines("nat", "A") == ("-A A -j RETURN",)
    assert host.save().lines("filter", "B") == ()
    assert host.restores == 1


@pytest.mark.parametrize("document", [["*nat", ":B - [0:0]"], [":B - [0:0]"], ["*nut", "COMMIT"]])
def test_a_document_that_is_not_one_changes_nothing(document: list[str]) -> None:
    host = MemoryHost()
    with pytest.raises(RestoreError):
        host.restore(document)
    assert host.save().lines("nat", "B") is None
    assert host.restores == 0


def test_nothing_is_taken_for_nothing() -> None:
    host = MemoryHost()
    host.restore([])
    assert host.restores == 0


def test_what_was_read_does_not_change_with_the_host() -> None:
    host = MemoryHost(parse("*nat\n:A - [0:0]\nCOMMIT\n".splitlines()))
    before = host.save()
    host.restore(START)
    assert before.lines("nat", "A") == ()


def test_policies_stay() -> None:
    host = MemoryHost(parse("*nat\n:OUTPUT DROP [3:4]\nCOMMIT\n".splitlines()))
    host.restore(START)
    assert host.save().tables["nat"].policies["OUTPUT"] == "DROP [3:4]"


def test_only_the_tables_asked_for_are_read() -> None:
    host = MemoryHost()
    host.restore(START)
    host.restore(["*filter", "COMMIT"])
    assert set(host.save(tables=["nat"]).tables) == {"nat"}


def test_a_read_only_host_reads_and_refuses_to_write() -> None:
    host = MemoryHost()
    host.restore(START)
    shadow = ReadOnlyHost(host)
    assert shadow.save().lines("nat", "A") == ("-A A -j RETURN",)
    with pytest.raises(ReadOnly, match="5 lines were not written"):
        shadow.restore(START)
    assert host.restores == 1
