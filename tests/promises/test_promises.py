"""The list of promises is as it should be; that each test tells if its promise is broken, `make promises` shows."""

import ast
import os
import subprocess
import sys

import pytest
from _pytest.mark.expression import Expression
from msgspec.structs import replace

from tests.promises import CHAPTERS
from tests.promises.__main__ import line
from tests.promises.breaking import break_promise, copied
from tests.promises.mutation import mutated
from tests.promises.promise import ROOT, Promise

PROMISES = [promise for promises in CHAPTERS.values() for promise in promises]

# One that takes no namespace and no time: what is done with it is done with all.
SWIFT = Promise(
    words="Names of chains are kube-proxy's",
    test="tests/rules/test_names.py",
    how="they have another beginning",
    place="pykubeproxy/rules/names.py",
    old='"KUBE-SEP-"',
    new='"KUBE-SAP-"',
)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.words)
def test_there_is_still_something_to_break(promise: Promise) -> None:
    assert promise.broken() != ast.unparse(ast.parse((ROOT / promise.file).read_text()))
    assert (ROOT / promise.test).exists()


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.words)
def test_it_is_in_the_document(promise: Promise) -> None:
    document = (ROOT / "docs" / "reliability.md").read_text()
    (row,) = (line for line in document.splitlines() if line.startswith(f"| {promise.words} |"))
    assert promise.how in row
    assert "not noticed" not in row


def test_every_promise_is_shown_for_every_change() -> None:
    files = sorted({promise.by_day or promise.test for promise in PROMISES})
    plain = {**os.environ, "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "not night", *files]
    listed = subprocess.run(
        command, cwd=ROOT, env=plain, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    missing = [promise.words for promise in PROMISES if not any(_shows(promise, name) for name in listed)]
    assert missing == [], "all tests of these are for the night: name a smaller one as by_day"


def _shows(promise: Promise, test: str) -> bool:
    """True if a test, named as pytest lists it, is the promise's one for every change."""
    if promise.by_day:
        return test.startswith(f"{promise.by_day}::")
    named = Expression.compile(promise.only or "test").evaluate(lambda name, /, **_: name.lower() in test.lower())
    return named and test.startswith(f"{promise.test}::")


def test_no_promise_is_made_twice() -> None:
    words = [promise.words for promise in PROMISES]
    assert len(set(words)) == len(words)


def test_a_broken_promise_is_noticed_and_the_copy_is_mended() -> None:
    with copied() as copy:
        outcome = break_promise(SWIFT, copy)
        assert outcome.is_told, outcome.said
        assert outcome.said.startswith("test_")
        assert (copy / SWIFT.file).read_text() == (ROOT / SWIFT.file).read_text()
        kept = break_promise(replace(SWIFT, new=SWIFT.old), copy)
        assert "NOT NOTICED: pytest ended with 0" in line(kept)
        nothing = break_promise(replace(SWIFT, test="tests/no_such_test.py"), copy)
        assert not nothing.is_told, "a test that is not there notices nothing"


@pytest.mark.parametrize(
    ("scope", "old", "new", "mutant"),
    [
        ("f", "a + 1", "a - 1", "def f(a):\n    b = a - 1\n    return b"),
        ("f", "return b", "", "def f(a):\n    b = a + 1\n    pass"),
        ("f", "b = a+1; return b", "return a", "def f(a):\n    return a"),
    ],
)
def test_what_a_mutation_does(scope: str, old: str, new: str, mutant: str) -> None:
    source = "def f(a):\n    b = (a  +  1)  # more\n    return b\n\ndef g(a):\n    return a + 1, a + 1\n"
    assert mutated(source, scope, old, new).startswith(mutant)
    for place, missing in (("g", "a + 1"), ("f", "a + 2"), ("h", "a + 1")):
        with pytest.raises(ValueError, match=r"times instead of once|there is no h"):
            mutated(source, place, missing, "1")
