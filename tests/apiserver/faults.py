"""What goes wrong next: the faults that a test has ordered, and which request gets which.

Ordering a fault changes nothing by itself; the handler and the watch streams ask here what to do. Faults that act at
once (breaking watches, restarting) are methods of the server, and are offered here as well so that a test finds all
in one place.
"""

from __future__ import annotations

import threading
from typing import Literal, Protocol, get_args

import msgspec

BreakKind = Literal["end", "close", "reset", "garbage", "truncate", "expired", "error", "half-open"]
"""How a watch breaks.

``end``: the stream ends in good order. ``close``: the connection is closed in the middle of the stream. ``reset``:
the same with a TCP reset. ``garbage``: a line that is no JSON, then the end. ``truncate``: half a line, then the end.
``expired`` and ``error``: an ERROR event with code 410 or 500, then the end. ``half-open``: nothing more is sent, and
the connection stays open.
"""

BREAK_KINDS: tuple[BreakKind, ...] = get_args(BreakKind)

ListFault = Literal[
    "error", "late-error", "status", "silent", "buffered", "unmarked-end", "unmarked-bookmark", "ignored", "html"
]
"""How a streaming list does not come to its end mark.

``error``: HTTP 200, and as the first line an ERROR event with code 500, as servers say whose etcd has no progress
requests. ``late-error``: the same with code 429 behind some objects. ``status``: HTTP 500. ``silent``: HTTP 200, and
nothing more. ``buffered``: not even that, as behind a proxy that buffers. ``unmarked-end``: all objects, then the end
in good order. ``unmarked-bookmark``: all objects, a bookmark without the annotation, then nothing. ``ignored``: the
parameter is ignored, and only changes are sent. ``html``: HTTP 200 and a page of a login form.
"""

LIST_FAULTS: tuple[ListFault, ...] = get_args(ListFault)


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests a fault is for; empty matches all. ``resource`` is a plural name, or a path such as /readyz."""

    verb: str = ""
    resource: str = ""

    def covers(self, verb: str, resource: str) -> bool:
        """Whether a request is meant."""
        return self.verb in ("", verb) and self.resource in ("", resource)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An answer instead of the right one. ``retry_after`` is in seconds; ``body`` None means a Status object."""

    code: int
    retry_after: float | None = None
    body: str | None = None


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """The request is carried out, and the connection closed without an answer."""


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """How a watch is to break, once ``after`` lines have been sent."""

    how: BreakKind
    after: int = 0


class Trickle(msgspec.Struct, frozen=True, kw_only=True):
    """Send ``size`` bytes at a time, ``interval`` seconds apart."""

    size: int
    interval: float


class Actions(Protocol):
    """Faults that the server carries out at once."""

    def break_watches(self, how: BreakKind, *, resource: str = "") -> int: ...
    def compact(self) -> int: ...
    def restart(self, *, down: float = 0.0, revision: int | None = None) -> None: ...
    def refuse(self, seconds: float | None = None, *, drop: bool = True) -> None: ...
    def accept(self) -> None: ...
    def present_certificate(self, *, trusted: bool) -> None: ...


class _Order(msgspec.Struct, kw_only=True):
    """An ordered fault; ``remaining`` None means until cleared."""

    scope: Scope
    what: Failure | Break | Loss | Literal["truncate"]
    remaining: int | None


class Faults:
    """The faults in force. Thread-safe. What is counted ("the next N") is taken by the first requests that match."""

    def __init__(self, actions: Actions) -> None:
        self._actions = actions
        self._lock = threading.Lock()
        self._orders: list[_Order] = []
        self._delays: list[tuple[Scope, float]] = []
        self._stalls: list[Scope] = []
        self.trickling: Trickle | None = None
        self.watch_list = True
        self.list_fault: ListFault | None = None
        self.expired_as_http = False

    # Ordered for later requests.

    def delay(self, milliseconds: float, *, verb: str = "", resource: str = "") -> None:
        """Answer every request so much later, until cleared."""
        with self._lock:
            self._delays.append((Scope(verb=verb, resource=resource), milliseconds / 1000))

    def fail(
        self,
        code: int,
        *,
        count: int | None = 1,
        retry_after: float | None = None,
        body: str | None = None,
        verb: str = "",
        resource: str = "",
    ) -> None:
        """Answer the next ``count`` requests with this HTTP status; None: all until cleared.

        A 429 has a plain-text body, as the server's own flow control sends it, others have a Status; ``body``
        replaces either.
        """
        what = Failure(code=code, retry_after=retry_after, body=body)
        self._order(what, count, Scope(verb=verb, resource=resource))

    def truncate(self, *, count: int | None = 1, verb: str = "", resource: str = "") -> None:
        """Cut the next ``count`` answers off in the middle of the body, and close the connection."""
        self._order("truncate", count, Scope(verb=verb, resource=resource))

    def lose_answers(self, *, count: int | None = 1, verb: str = "", resource: str = "") -> None:
        """Carry out the next ``count`` requests, and close their connections without an answer."""
        self._order(Loss(), count, Scope(verb=verb, resource=resource))

    def stall(self, *, verb: str = "", resource: str = "") -> None:
        """Take requests and never answer them, until cleared; a request once stalled stays so."""
        with self._lock:
            self._stalls.append(Scope(verb=verb, resource=resource))

    def trickle(self, size: int = 1, interval: float = 0.001) -> None:
        """Send every answer ``size`` bytes at a time, ``interval`` seconds apart, until cleared."""
        self.trickling = Trickle(size=size, interval=interval)

    def break_next_watches(self, how: BreakKind, *, count: int | None = 1, after: int = 0, resource: str = "") -> None:
        """Break the next ``count`` watches after ``after`` lines each; None: all until cleared.

        With ``half-open`` that is a server which takes the watch and then says nothing.
        """
        self._order(Break(how=_known(how), after=after), count, Scope(resource=resource))

    def stream_lists(self, on: bool = True) -> None:  # noqa: FBT001, FBT002 - reads as a switch
        """Serve ``sendInitialEvents``, or refuse it with a 422 as older servers do."""
        self.watch_list = on

    def break_streaming_lists(self, how: ListFault) -> None:
        """Have every streaming list fail in this way, until cleared; lists in pages and other watches are served."""
        if how not in LIST_FAULTS:
            raise ValueError(f"{how!r} is no way for a streaming list to fail: one of {', '.join(LIST_FAULTS)}")
        self.list_fault = how

    def expire_as_http(self, on: bool = True) -> None:  # noqa: FBT001, FBT002 - reads as a switch
        """Answer a watch of lost history with HTTP 410, instead of HTTP 200 and an ERROR event as real servers do."""
        self.expired_as_http = on

    # Done at once.

    def break_watches(self, how: BreakKind = "close", *, resource: str = "") -> int:
        """Break all connected watches now; return how many they were."""
        return self._actions.break_watches(_known(how), resource=resource)

    def half_open(self) -> None:
        """From now on no watch gets anything more, connected or new, and no connection is closed, until cleared.

        Watches that have fallen silent stay so; after :meth:`clear` new ones are served.
        """
        self.break_next_watches("half-open", count=None)
        self.break_watches("half-open")

    def compact(self) -> int:
        """Lose the history: new watches from any revision seen so far are expired. Return the new revision."""
        return self._actions.compact()

    def restart(self, *, down: float = 0.0, revision: int | None = None) -> None:
        """Close everything, stay away for ``down`` seconds, come back with the same objects and no history.

        ``revision`` is where the revisions go on, higher or lower than before; None: where they were.
        """
        self._actions.restart(down=down, revision=revision)

    def refuse(self, seconds: float | None = None, *, drop: bool = True) -> None:
        """Refuse connections for so long, or until :meth:`accept`; ``drop`` closes the present ones, too."""
        self._actions.refuse(seconds, drop=drop)

    def accept(self) -> None:
        """Take connections again."""
        self._actions.accept()

    def untrusted_certificate(self, on: bool = True) -> None:  # noqa: FBT001, FBT002 - reads as a switch
        """Present a certificate of an unknown authority to new connections, or the right one again."""
        self._actions.present_certificate(trusted=not on)

    def clear(self) -> None:
        """Take back all orders and switches; watches that have broken stay broken."""
        with self._lock:
            self._orders.clear()
            self._delays.clear()
            self._stalls.clear()
        self.trickling = None
        self.watch_list = True
        self.list_fault = None
        self.expired_as_http = False
        self._actions.present_certificate(trusted=True)
        self._actions.accept()

    # Asked by the handler and the streams.

    def next_failure(self, verb: str, resource: str) -> Failure | None:
        """Return, and use up, the failure ordered for a request."""
        what = self._take(Failure, verb, resource)
        return what if isinstance(what, Failure) else None

    def next_break(self, resource: str) -> Break | None:
        """Return, and use up, the break ordered for a watch that begins."""
        what = self._take(Break, "watch", resource)
        return what if isinstance(what, Break) else None

    def loses_answer(self, verb: str, resource: str) -> bool:
        """Return, and use up, whether the answer is not to be sent."""
        return self._take(Loss, verb, resource) is not None

    def truncates(self, verb: str, resource: str) -> bool:
        """Return, and use up, whether the answer is to be cut off."""
        return self._take(str, verb, resource) is not None

    def delay_of(self, verb: str, resource: str) -> float:
        """Return by how many seconds a request is to be delayed."""
        with self._lock:
            return sum(seconds for scope, seconds in self._delays if scope.covers(verb, resource))

    def stalls(self, verb: str, resource: str) -> bool:
        """Whether a request is to be left without an answer."""
        with self._lock:
            return any(scope.covers(verb, resource) for scope in self._stalls)

    def _order(self, what: Failure | Break | Loss | Literal["truncate"], count: int | None, scope: Scope) -> None:
        with self._lock:
            self._orders.append(_Order(scope=scope, what=what, remaining=count))

    def _take(self, kind: type, verb: str, resource: str) -> Failure | Break | Loss | str | None:
        with self._lock:
            for order in self._orders:
                if isinstance(order.what, kind) and order.scope.covers(verb, resource):
                    if order.remaining is not None:
                        order.remaining -= 1
                        if order.remaining <= 0:
                            self._orders.remove(order)
                    return order.what
        return None


def _known(how: str) -> BreakKind:
    if how not in BREAK_KINDS:
        raise ValueError(f"{how!r} is no way to break a watch: one of {', '.join(BREAK_KINDS)}")
    return how
