"""List and watch as the Kubernetes API wants it, apart from its transport.

`follow` is a conversation: it yields what to do next (`Fetch`, `Watch`, `Read`) and is sent what was heard (`Body`,
`Line`, `Ended`, `Failed`). It fills a Tracker on the way, and never ends. Nothing here does I/O, waits, or looks at a
clock.

    state   what is asked                             what leads on
    stream  a watch that begins with all objects      its end mark: watch. Anything else, whatever it is (a refusal, an
            (`sendInitialEvents`)                      ERROR event, silence, an end, garbage): pages, at once
    pages   lists of up to PAGE_SIZE objects          the last page: watch. ApiError: the same page, after a pause
    watch   all changes from the last version on      its end: another watch. 410, or a version that the server does
                                                      not know: stream. Other trouble: probe, after a pause
    probe   a list of one object                      a version that is older than the one reached: stream; else watch

Streaming is tried again at the next list, unless the server does not know the parameters. Whatever a list had brought
before it broke off is kept; what is missing from it is removed only when a list is complete.

Source: "Kubernetes API Concepts": efficient detection of changes, watch bookmarks, streaming lists, retrieving large
results sets in chunks, 410 Gone.
"""

from collections.abc import Callable, Generator
from typing import Never, TypeVar

import msgspec

from pykubeproxy.cluster.api_error import MALFORMED, READ_TIMEOUT, ApiError, refused
from pykubeproxy.cluster.tracker import Tracker
from pykubeproxy.cluster.validation import decode

PAGE_SIZE = 500
# Digits; Python refuses to read numbers of thousands of them.
_LONGEST_VERSION = 100
_LIST_END = "k8s.io/initial-events-end"

Query = dict[str, str]


class RequestList(msgspec.Struct, frozen=True):
    """Ask for a list with these parameters. `after` is what went wrong before, which calls for a pause."""

    query: Query
    after: ApiError | None = None


class StartWatch(msgspec.Struct, frozen=True):
    """Leave the present watch, if there is one, and begin one with these parameters; read its first line.

    `is_list` tells that it begins with a list, whose lines follow one another without long pauses.
    """

    query: Query
    after: ApiError | None = None
    is_list: bool = False


class ReadEvent(msgspec.Struct, frozen=True):
    """Read the next line of the present watch."""


class ListBody(msgspec.Struct, frozen=True):
    """A list, as JSON."""

    data: bytes


class EventLine(msgspec.Struct, frozen=True):
    """An event of a watch, as JSON."""

    data: bytes


class WatchEnded(msgspec.Struct, frozen=True):
    """The server has ended the watch in good order."""


class RequestFailed(msgspec.Struct, frozen=True):
    """There was no such answer, or it broke off."""

    error: ApiError


Command = RequestList | StartWatch | ReadEvent
Reply = ListBody | EventLine | WatchEnded | RequestFailed

_T = TypeVar("_T")
_Commands = Generator[Command, Reply, _T]


class _WatchEvent(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _ListMetadata(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")
    annotations: dict[str, str] | None = None


class _WithMetadata(msgspec.Struct):
    metadata: _ListMetadata = _ListMetadata()


class _ListPage(_WithMetadata):
    items: list[msgspec.Raw] | None = None


_EVENT = msgspec.json.Decoder(_WatchEvent)
_MARKED = msgspec.json.Decoder(_WithMetadata)
_LIST = msgspec.json.Decoder(_ListPage)


def follow(tracker: Tracker, *, can_stream: bool, watch_seconds: Callable[[], int]) -> Generator[Command, Reply, Never]:
    """Tell `tracker` everything, and then every change, for ever.

    `can_stream` False never asks for streaming lists; `watch_seconds` says how long each watch is to last.
    """
    return _Protocol(tracker, watch_seconds, can_stream=can_stream).run()


class _Protocol:
    """The version reached, what is known of the server, and what went wrong last."""

    def __init__(self, tracker: Tracker, watch_seconds: Callable[[], int], *, can_stream: bool) -> None:
        self._tracker = tracker
        self._watch_seconds = watch_seconds
        self._can_stream = can_stream
        self._version = ""
        self._wants_latest = False
        self._error: ApiError | None = None

    def run(self) -> _Commands[Never]:
        while True:
            step = yield from self._list()
            yield from self._changes(step)

    def _list(self) -> _Commands[Command]:
        """Everything there is, however often it takes; returns the step that goes on from there."""
        self._tracker.begin_list()
        if self._can_stream and (yield from self._stream()):
            return ReadEvent()
        while True:
            self._tracker.begin_list()
            if (yield from self._pages()):
                return self._watch()

    def _stream(self) -> _Commands[bool]:
        """A list as the beginning of a watch; True if it is complete, and the watch goes on."""
        heard = yield self._watch({"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"})
        while isinstance(heard, EventLine):
            try:
                taken = self._take(heard)
            except ApiError as error:
                heard = RequestFailed(error)
                break
            if taken.ends_list:
                self._complete_list(taken.version)
                return True
            heard = yield ReadEvent()
        if isinstance(heard, RequestFailed):
            self._can_stream &= not heard.error.is_unsupported
        return False

    def _pages(self) -> _Commands[bool]:
        """A list in pages; True if it is complete."""
        query = self._first_page()
        while True:
            heard = yield RequestList(query, self._take_error())
            try:
                page = self._take_page(heard)
            except ApiError as error:
                self._error = error
                if error.is_too_new or (error.kind == READ_TIMEOUT and self._version):
                    # A silent one may be waiting for a version that it never reaches, longer than we wait for it.
                    self._forget_version()
                    return False
                if error.is_expired:
                    self._wants_latest = True
                    return False
                continue
            if not page.continue_:
                self._complete_list(page.resource_version)
                return True
            query = {"limit": str(PAGE_SIZE), "continue": page.continue_}

    def _first_page(self) -> Query:
        """What to list: never anything older than what is known, and no more work for the server than that takes."""
        if self._wants_latest:
            # Without a limit, so that the list cannot be overtaken by the loss of history again.
            return {}
        if self._version:
            match = {"resourceVersion": self._version, "resourceVersionMatch": "NotOlderThan"}
            return {"limit": str(PAGE_SIZE)} | match
        return {"limit": str(PAGE_SIZE), "resourceVersion": "0"}

    def _complete_list(self, version: str) -> None:
        self._version = version
        self._wants_latest = False
        self._tracker.end_list()

    def _changes(self, step: Command) -> _Commands[None]:
        """Every change since the list; returns when there has to be a new list."""
        while True:
            heard = yield step
            error = self._take_change(heard)
            if error is None:
                step = ReadEvent() if isinstance(heard, EventLine) else self._watch()
                continue
            self._error = error
            if error.is_too_new:
                self._forget_version()
            if error.is_expired or error.is_too_new or error.is_unsupported:
                return
            if (yield from self._went_back()):
                return
            step = self._watch()

    def _take_change(self, heard: Reply) -> ApiError | None:
        if isinstance(heard, RequestFailed):
            return heard.error
        if isinstance(heard, EventLine):
            try:
                self._version = self._take(heard).version or self._version
            except ApiError as error:
                return error
        return None

    def _went_back(self) -> _Commands[bool]:
        """True if the server is at an older version than the one reached: restored from a backup, for example.

        A watch from a version in the future would be silent until that has come. So after trouble, ask first; versions
        of built-in resources can be compared as numbers (API Concepts, "Resource versions").
        """
        while True:
            heard = yield RequestList({"limit": "1"}, self._take_error())
            try:
                present = _page(heard).metadata.resource_version
            except ApiError as error:
                if error.is_forbidden:
                    return False
                self._error = error
                continue
            if not _is_older(present, self._version):
                return False
            self._forget_version()
            return True

    def _forget_version(self) -> None:
        """The server's versions may have begun again: list whatever there is now."""
        self._tracker.distrust_versions()
        self._wants_latest = True

    def _take(self, line: EventLine) -> "_EventEffect":
        """Take in one event. Raises ApiError if it is an ERROR, or no event at all."""
        try:
            event = decode(_EVENT, line.data)
            match event.type:
                case "ADDED" | "MODIFIED":
                    return _EventEffect(self._tracker.put(event.object))
                case "DELETED":
                    return _EventEffect(self._tracker.remove(event.object))
                case "BOOKMARK":
                    metadata = decode(_MARKED, event.object).metadata
                    return _EventEffect(
                        metadata.resource_version, (metadata.annotations or {}).get(_LIST_END) == "true"
                    )
                case "ERROR":
                    raise refused(0, event.object)
        except msgspec.MsgspecError:
            raise ApiError("the API server sent a line that is no watch event", kind=MALFORMED) from None
        return _EventEffect("")

    def _take_page(self, heard: Reply) -> _ListMetadata:
        """Take in one page. Raises ApiError if it is none."""
        page = _page(heard)
        try:
            for item in page.items or ():
                self._tracker.put(item)
        except msgspec.MsgspecError:
            raise _no_list() from None
        return page.metadata

    def _watch(self, query: Query | None = None) -> StartWatch:
        """Watch: with a query of its own, or from the version reached."""
        query = query or {"resourceVersion": self._version}
        seconds = {"timeoutSeconds": str(self._watch_seconds())}
        is_list = "sendInitialEvents" in query
        return StartWatch(
            {"watch": "true", "allowWatchBookmarks": "true"} | seconds | query, self._take_error(), is_list
        )

    def _take_error(self) -> ApiError | None:
        error, self._error = self._error, None
        return error


class _EventEffect(msgspec.Struct, frozen=True):
    """The version that an event brought, and whether it was the mark at the end of a streaming list."""

    version: str
    ends_list: bool = False


def _page(heard: Reply) -> _ListPage:
    """The list that was heard. Raises ApiError if it was none."""
    if isinstance(heard, RequestFailed):
        raise heard.error
    assert isinstance(heard, ListBody)
    try:
        page = decode(_LIST, heard.data)
    except msgspec.MsgspecError:
        raise _no_list() from None
    if not page.metadata.resource_version:
        # Every list has a version. Anything else, taken for an empty list, would remove all there is.
        raise _no_list()
    return page


def _no_list() -> ApiError:
    return ApiError("the API server sent something that is no list", kind=MALFORMED)


def _is_older(version: str, other: str) -> bool:
    is_known = all(each.isdecimal() and len(each) <= _LONGEST_VERSION for each in (version, other))
    return is_known and int(version) < int(other)
