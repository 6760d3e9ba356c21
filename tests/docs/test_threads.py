"""Each thread that the code starts is in the list of threads."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pykubeproxy
from docs.threads import THREADS

PACKAGE = Path(pykubeproxy.__file__).parent


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


def test_all_threads_that_are_started_are_in_the_list() -> None:
    names = {name for path in PACKAGE.rglob("*.py") for call in calls(path) if (name := started(call))}
    # Commands ask the servers of a proxy at the same time.
    names.remove("ask-*")
    assert names == {thread.name for thread in THREADS} - {"MainThread"}
