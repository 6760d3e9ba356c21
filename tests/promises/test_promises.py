"""The list of promises is as it should be; that each test tells if its promise is broken, `make promises` shows."""

from pathlib import Path

import pytest

from tests.promises import CHAPTERS
from tests.promises.__main__ import line, tables
from tests.promises.breaking import Outcome, break_promise, copied, last_words
from tests.promises.promise import ROOT, Broken, Promise

PROMISES = [promise for promises in CHAPTERS.values() for promise in promises]

# One that takes no namespace and no time: what is done with it is done with all.
SWIFT = Promise(
    words="Names of chains are kube-proxy's",
    test="tests/rules/test_names.py",
    broken=Broken(
        how="they have another beginning", file="pykubeproxy/rules/names.py", old='"KUBE-SEP-"', new='"KUBE-SAP-"'
    ),
)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.words)
def test_there_is_still_something_to_break(promise: Promise) -> None:
    assert promise.broken.text() != (ROOT / promise.broken.file).read_text()
    assert (ROOT / promise.test).exists()


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.words)
def test_it_is_in_the_document(promise: Promise) -> None:
    document = (ROOT / "docs" / "reliability.md").read_text()
    (row,) = (line for line in document.splitlines() if line.startswith(f"| {promise.words} |"))
    assert promise.broken.how in row
    assert "not noticed" not in row


def test_no_promise_is_made_twice() -> None:
    words = [promise.words for promise in PROMISES]
    assert len(set(words)) == len(words)


def test_a_broken_promise_is_noticed_and_the_copy_is_mended() -> None:
    with copied() as copy:
        before = (copy / SWIFT.broken.file).read_text()
        outcome = break_promise(SWIFT, copy)
        assert outcome.is_told, outcome.said
        assert outcome.said.startswith("test_")
        assert (copy / SWIFT.broken.file).read_text() == before == (ROOT / SWIFT.broken.file).read_text()
        harmless = Broken(how="not at all", file=SWIFT.broken.file, old='"KUBE-SEP-"', new='("KUBE-SEP-")')
        kept = break_promise(Promise(words="", test=SWIFT.test, broken=harmless), copy)
        assert not kept.is_told
        assert "NOT NOTICED: pytest ended with 0" in line(kept)
        nothing = break_promise(Promise(words="", test="tests/no_such_test.py", broken=SWIFT.broken), copy)
        assert not nothing.is_told, "a test that is not there notices nothing"


def test_what_cannot_be_broken_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a a")
    for old in ("a", "b"):
        with pytest.raises(ValueError, match="times instead of once"):
            Broken(how="", file="file", old=old, new="c").text(tmp_path)


def test_the_words_of_pytest() -> None:
    summary = "=== short test summary info ===\nFAILED tests/a/test_b.py::test_c[d-e] - AssertionError: f\n1 failed\n"
    assert last_words(summary) == "test_c[d-e]"
    assert last_words("ERROR tests/a/test_b.py::test_c - LabError") == "test_c"


def test_tables() -> None:
    outcome = Outcome(promise=SWIFT, is_told=True, said="test_x[a|b]", seconds=1.4)
    shown = "\n".join(tables({"Chapter": [outcome]}))
    assert "| Names of chains are kube-proxy's | [test_names.py](../tests/rules/test_names.py) |" in shown
    assert "| `test_x[a&#124;b]`, 1 s |" in shown
