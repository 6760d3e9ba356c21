"""What goes wrong: at once, or with the requests to come; handlers and watches ask here what becomes of theirs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

import msgspec

from tests.apiserver import pki

if TYPE_CHECKING:
    from tests.apiserver.server import ApiServer

BreakKind = Literal["end", "close", "reset", "garbage", "truncate", "expired", "error", "half-open"]
"""How a watch breaks.

``end``: the stream ends in good order. ``close``: the connection is closed in the middle of the stream. ``reset``:
the same with a TCP reset. ``garbage``: a line that is no JSON, then the end. ``truncate``: half a line, then the end.
``expired`` and ``error``: an ERROR event with code 410 or 500, then the end. ``half-open``: nothing more is sent, and
the connection stays open.
"""

BREAK_KINDS: tuple[BreakKind, ...] = get_args(BreakKind)

ListFault = Literal["refused", "error", "buffered", "unmarked-end", "unmarked-bookmark", "html", "uncompressed"]
"""How a streaming list does not come to its end mark.

``refused``: HTTP 422, as by older servers. ``error``: HTTP 200, and as the first line an ERROR event with code 500, as
servers say whose etcd has no progress requests. ``buffered``: nothing, as behind a proxy that
buffers. ``unmarked-end``: all objects, then the end in good order. ``unmarked-bookmark``: all objects, a bookmark
without the annotation, then nothing. ``html``: HTTP 200 and a page of a login form. ``uncompressed``: it comes to its
end mark, but as servers before 1.37 send it.
"""

LIST_FAULTS: tuple[ListFault, ...] = get_args(ListFault)


class Fault(msgspec.Struct, kw_only=True):
    """An ordered fault. An empty verb or resource (a plural name) stands for all; ``remaining`` None: until cleared."""

    verb: str = ""
    resource: str = ""
    remaining: int | None = None


class Failure(Fault, kw_only=True):
    """An answer instead of the right one. ``retry_after`` is in seconds; ``body`` None means a Status object."""

    code: int
    retry_after: int = 0
    body: str | None = None


class Truncation(Fault):
    """The answer is cut off in the middle of the body, and the connection closed."""


class Stall(Fault):
    """There is no answer; a request once stalled stays so."""


class Break(Fault, kw_only=True):
    """The watch breaks as soon as it begins."""

    how: BreakKind


AnyFault = TypeVar("AnyFault", bound=Fault)


class Faults:
    """The faults in force. Thread-safe. What is counted ("the next N") is taken by the first requests that match."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._orders: list[Fault] = []
        self.list_fault: ListFault | None = None
        self.trickling: tuple[int, float] | None = None
        """Bytes that are sent at a time, and the seconds between two such times."""

    def fail(
        self,
        code: int,
        *,
        count: int | None = 1,
        retry_after: int = 0,
        body: str | None = None,
        verb: str = "",
        resource: str = "",
    ) -> None:
        """Answer the next ``count`` requests with this HTTP status; None: all until cleared."""
        what = Failure(code=code, retry_after=retry_after, body=body, remaining=count, verb=verb, resource=resource)
        self._order(what)

    def truncate(self, *, count: int, verb: str = "") -> None:
        self._order(Truncation(remaining=count, verb=verb))

    def stall(self) -> None:
        self._order(Stall())

    def break_next_watches(self, how: BreakKind) -> None:
        self._order(Break(how=how))

    def break_streaming_lists(self, how: ListFault) -> None:
        """Have every streaming list fail in this way, until cleared; lists in pages and other watches are served."""
        self.list_fault = how

    def trickle(self, size: int, interval: float) -> None:
        """Send everything ``size`` bytes at a time, ``interval`` seconds apart, until cleared."""
        self.trickling = (size, interval)

    def break_watches(self, how: BreakKind = "close") -> None:
        self._server.watchers.break_all(how)

    def half_open(self) -> None:
        """From now on no watch gets anything more, connected or new, and no connection is closed, until cleared.

        Watches that have fallen silent stay so; after :meth:`clear` new ones are served.
        """
        self.break_next_watches("half-open")
        self.break_watches("half-open")

    def compact(self) -> None:
        """Lose the history: new watches from any revision seen so far are expired."""
        self._server.store.compact()

    def refuse(self, *, drop: bool = True) -> None:
        """Refuse connections until :meth:`accept`; ``drop`` closes the present ones, too."""
        self._server.listener.refuse()
        if drop:
            self._server.drop_connections()

    def accept(self) -> None:
        self._server.listener.open()

    def restart(self, *, revision: int | None = None) -> None:
        """Close everything, and come back with the same objects and no history.

        ``revision`` is where the revisions go on, higher or lower than before; None: where they were.
        """
        self.refuse()
        self._server.store.rebase(self._server.store.revision if revision is None else revision)
        self.accept()

    def present(self, certificates: pki.Pki) -> None:
        self._server.listener.context = pki.server_context(certificates)

    def untrusted_certificate(self) -> None:
        self.present(pki.issue(pki.NAMES, "unknown-ca"))

    def clear(self) -> None:
        """Take back all orders and switches; watches that have broken stay broken."""
        with self._lock:
            self._orders.clear()
        self.list_fault = None
        self.trickling = None
        self.present(self._server.access.pki)
        self.accept()

    def take(self, kind: type[AnyFault], verb: str, resource: str) -> AnyFault | None:
        """Return, and use up, the fault of a kind that is ordered for a request, if there is one."""
        with self._lock:
            for order in self._orders:
                if isinstance(order, kind) and order.verb in ("", verb) and order.resource in ("", resource):
                    if order.remaining is not None:
                        order.remaining -= 1
                        if order.remaining <= 0:
                            self._orders.remove(order)
                    return order
        return None

    def _order(self, what: Fault) -> None:
        with self._lock:
            self._orders.append(what)
