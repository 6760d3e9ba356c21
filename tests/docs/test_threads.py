"""The list of threads says what the code does: which threads there are, and what they send to the loop."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pykubeproxy
from docs.threads import THREADS, DaemonThread
from pykubeproxy.daemon.messages import ForeignChange, ObjectsChanged, ObjectsListed, Stop

PACKAGE = Path(pykubeproxy.__file__).parent
MESSAGES = {each.__name__ for each in (ObjectsChanged, ObjectsListed, ForeignChange, Stop)}
# Anything that puts Stop into the queue without being a thread in the list: see the docstring of `docs.threads`.
NO_THREADS = {"daemon.supervision", "daemon.run"}


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def started(call: ast.Call) -> str | None:
    """The name of the thread that a call makes, `*` for what is not constant; None if it makes none."""
    named = ast.unparse(call.func)
    if named == "threading.Thread":
        name = next(keyword.value for keyword in call.keywords if keyword.arg == "name")
    elif named == "PeriodicThread" or (named == "super().__init__" and call.args and is_look(call)):
        name = call.args[0]
    else:
        return None
    if isinstance(name, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in name.values)
    return str(name.value) if isinstance(name, ast.Constant) else None


def is_look(call: ast.Call) -> bool:
    """True if a base class that is given these arguments is PeriodicThread: a name, an interval, and an action."""
    return [ast.unparse(argument) for argument in call.args[1:]] == ["_INTERVAL", "self._look_again"]


def sent(path: Path) -> set[str]:
    """The messages that a module puts into a queue."""
    puts = (call.args[0] for call in calls(path) if ast.unparse(call.func).endswith("inbox.put") and call.args)
    return {ast.unparse(put.func) for put in puts if isinstance(put, ast.Call)} & MESSAGES


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def test_all_threads_that_are_started_are_in_the_list() -> None:
    names = {name for path in PACKAGE.rglob("*.py") for call in calls(path) if (name := started(call))}
    assert names == {thread.name for thread in THREADS} - {"MainThread"}


@pytest.mark.parametrize("thread", THREADS, ids=lambda thread: thread.name)
def test_what_a_thread_sends(thread: DaemonThread) -> None:
    path = PACKAGE.joinpath(*thread.module.split(".")).with_suffix(".py")
    expected = set() if thread.name == "stop" else sent(path)
    assert {each.__name__ for each in thread.sends} == expected
    source = path.read_text()
    for taken in thread.takes:
        assert re.search(rf"Queue\[.*\b{taken.__name__}\b", source)


def test_nobody_else_sends_anything() -> None:
    sending = {module_of(path) for path in PACKAGE.rglob("*.py") if sent(path)}
    assert sending - NO_THREADS == {thread.module for thread in THREADS if thread.sends}
