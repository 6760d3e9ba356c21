"""How long a command waits for the list of objects of the API server; a person waits with it, unlike with a daemon."""

from collections.abc import Iterable

from pykubeproxy.cluster.reflector import Reflector

LOOK_INTERVAL = 0.2
"""Seconds between two looks at whether the wait is over."""

LIST_TIMEOUT = 10.0
"""Seconds in which something has to arrive from a server that does not fail."""


def why_given_up(reflectors: Iterable[Reflector], server: str, waited: float, patience: float) -> str:
    """Why the lists that `reflectors` ask for are not waited for any longer; empty as long as they are.

    `server` is the address for the text, and `waited` the seconds in which nothing has arrived. A server that fails,
    or to which no connection comes about, has `patience` seconds, and any other one LIST_TIMEOUT.
    """
    all_of_them = tuple(reflectors)
    # A name is not resolved, or packets are dropped on the way.
    if any(each.connecting_for > patience for each in all_of_them):
        return f"{server}: no connection in time"
    error = next((each.error for each in all_of_them if each.error), None)
    if waited > (patience if error else LIST_TIMEOUT):
        return error or f"{server}: no answer in time"
    return ""
