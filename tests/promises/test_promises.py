"""The list of promises is as it should be; that each test tells if its promise is broken, `make promises` shows."""

import ast
import os
import subprocess
import sys

import pytest
from _pytest.mark.expression import Expression

from tests.promises import CHAPTERS
from tests.promises.promise import ROOT, Promise

PROMISES = [promise for promises in CHAPTERS.values() for promise in promises]


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
