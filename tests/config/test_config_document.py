"""Reading the text of a configuration file."""

import pytest

from pykubeproxy.config.document import Document, read_document
from pykubeproxy.config.errors import ConfigError


@pytest.mark.parametrize(
    "text",
    [
        "mode: iptables\niptables: {masqueradeAll: true}\n",
        '{"mode": "iptables", "iptables": {"masqueradeAll": true}}',
        '{\n\t"mode": "iptables",\n\t"iptables": {"masqueradeAll": true}\n}',
        "{mode: iptables, iptables: {masqueradeAll: yes}}",
        "---\nmode: iptables\niptables:\n  masqueradeAll: true\n",
        "\ufeffmode: iptables\niptables: {masqueradeAll: true}\n",
    ],
)
def test_yaml_and_json(text: str) -> None:
    fields = {"mode": "iptables", "iptables": {"masqueradeAll": True}}
    assert read_document(text.encode()) == Document(fields=fields, duplicates=(), more_documents=False)


def test_nulls_are_absent() -> None:
    document = read_document(b"mode: null\nconntrack:\n  min: ~\n  maxPerCore: 0\niptables:\n")
    assert document.fields == {"conntrack": {"maxPerCore": 0}}


def test_dates_are_strings() -> None:
    assert read_document(b"hostnameOverride: 2024-01-01\n").fields == {"hostnameOverride": "2024-01-01"}


@pytest.mark.parametrize(
    "text",
    [
        "mode: a\niptables:\n  syncPeriod: 1s\n  syncPeriod: 2s\nmode: b\n",
        '{"mode": "a", "iptables": {"syncPeriod": "1s", "syncPeriod": "2s"}, "mode": "b"}',
    ],
)
def test_duplicates_are_reported_and_the_last_one_counts(text: str) -> None:
    document = read_document(text.encode())
    assert document.fields == {"mode": "b", "iptables": {"syncPeriod": "2s"}}
    assert sorted(document.duplicates) == ["iptables.syncPeriod", "mode"]


def test_duplicates_in_lists_have_an_index() -> None:
    text = b"logging:\n  vmodule:\n  - {filePattern: a, filePattern: b}\n"
    assert read_document(text).duplicates == ("logging.vmodule[0].filePattern",)


def test_overriding_a_merged_key_is_no_duplicate() -> None:
    document = read_document(b"ipvs: &a {scheduler: rr}\nnftables: {<<: *a, scheduler: lc}\n")
    assert document.duplicates == ()
    assert document.fields["nftables"] == {"scheduler": "lc"}


def test_further_documents_are_noted_and_not_read() -> None:
    document = read_document(b"mode: a\n---\nmode: b\n")
    assert document.fields == {"mode": "a"}
    assert document.more_documents


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"# only a comment\n", "the file is empty"),
        (b"- a\n", "not a mapping of fields"),
        (b"just text", "not a mapping of fields"),
        (b"mode: iptables\n  bad: indent\n", "line 2, column 6: mapping values are not allowed here"),
        (b"bindAddress: ::\n", "line 1, column 15"),
        (b"{mode: 'a", "line 1, column 10"),
        (b"mode: \x00\n", "special characters are not allowed"),
        (b"mode: !!int x\n", "invalid literal"),
        (b"mode: !!python/object:os.system x\n", "could not determine a constructor"),
        (b"a: &a [*a]\n", "recursive"),
        (b"a: \xff\n", "not UTF-8 text: byte 3 is 0xff"),
        (b"[" * 5000, "nested too deeply"),
    ],
)
def test_what_cannot_be_read(data: bytes, reason: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_document(data)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
