"""List and watch as the Kubernetes API wants it: a state machine that does no I/O, waits for nothing and has no clock.

To follow a resource is to list all its objects once, and then to watch for changes from the list's resourceVersion on.
The server ends each watch after some minutes, and forgets old versions after some more; connections break; a server may
be restored from a backup, and be at an older version than the one that we have reached. `WatchProtocol` decides what to
ask next in each case. Its caller carries out a `Command`, and hands in the `Reply`, which leads to the next command:

    stream  A watch that begins with all objects (`sendInitialEvents`): the cheapest list for the server. If anything
            is wrong with it, whatever it is, the objects are listed in pages instead; also if it is not compressed,
            as by servers before Kubernetes 1.37, for a list in pages has a tenth of the bytes then.
    pages   Lists of up to PAGE_SIZE objects, one after the other.
    watch   Changes from the last version on.
    probe   A list of one object, after a watch has failed: it tells whether the server's version is older than ours.
            A watch from a version that is still to come would stay silent until then.

What leads from one state to another is `TRANSITIONS`, from which docs/architecture.md draws its diagram. A pause lies
before a request that repeats one that failed; `outage` decides how long it is. What a list has brought before it broke
off is kept; what is missing from it is removed only when a list is complete.

Source: "Kubernetes API Concepts": efficient detection of changes, watch bookmarks, streaming lists, retrieving large
results sets in chunks, 410 Gone.
"""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from pykubeproxy.cluster.api_error import MALFORMED, READ_TIMEOUT, ApiError, refused
from pykubeproxy.cluster.tracker import Tracker
from pykubeproxy.cluster.validation import decode

PAGE_SIZE = 500
# Digits; Python refuses to read numbers of thousands of them.
_LONGEST_VERSION = 100
_LIST_END = "k8s.io/initial-events-end"

Query = dict[str, str]


class WatchState(StrEnum):
    """What the protocol is doing."""

    STREAM = "stream"
    PAGES = "pages"
    WATCH = "watch"
    PROBE = "probe"


class Trigger(StrEnum):
    """What a reply means for the state that it arrives in."""

    EVENT = "an event"
    PART = "a part of a page"
    PAGE = "the end of a page, and there are more"
    LIST_COMPLETE = "the list is complete"
    NOT_STREAMED = "anything else, or the server is known to stream no lists"
    ENDED = "the server ends the watch"
    EXPIRED = "410 Gone"
    VERSION_AHEAD = "the server has not reached our version"
    UNSUPPORTED = "the server does not take the parameters"
    FORBIDDEN = "403 Forbidden"
    FAILED = "any other error"
    OLDER = "the server is at an older version"
    NOT_OLDER = "the server is at our version or a newer one"


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """Where a cause leads. With `reads_on`, the open answer is read on; with `pauses`, the next request has to wait."""

    to: WatchState
    reads_on: bool = False
    pauses: bool = False


TRANSITIONS: dict[tuple[WatchState, Trigger], Transition] = {
    (WatchState.STREAM, Trigger.EVENT): Transition(to=WatchState.STREAM, reads_on=True),
    (WatchState.STREAM, Trigger.LIST_COMPLETE): Transition(to=WatchState.WATCH, reads_on=True),
    (WatchState.STREAM, Trigger.NOT_STREAMED): Transition(to=WatchState.PAGES),
    (WatchState.PAGES, Trigger.PART): Transition(to=WatchState.PAGES, reads_on=True),
    (WatchState.PAGES, Trigger.PAGE): Transition(to=WatchState.PAGES),
    (WatchState.PAGES, Trigger.LIST_COMPLETE): Transition(to=WatchState.WATCH),
    (WatchState.PAGES, Trigger.EXPIRED): Transition(to=WatchState.PAGES, pauses=True),
    (WatchState.PAGES, Trigger.VERSION_AHEAD): Transition(to=WatchState.PAGES, pauses=True),
    (WatchState.PAGES, Trigger.FAILED): Transition(to=WatchState.PAGES, pauses=True),
    (WatchState.WATCH, Trigger.EVENT): Transition(to=WatchState.WATCH, reads_on=True),
    (WatchState.WATCH, Trigger.ENDED): Transition(to=WatchState.WATCH),
    (WatchState.WATCH, Trigger.EXPIRED): Transition(to=WatchState.STREAM, pauses=True),
    (WatchState.WATCH, Trigger.VERSION_AHEAD): Transition(to=WatchState.STREAM, pauses=True),
    (WatchState.WATCH, Trigger.UNSUPPORTED): Transition(to=WatchState.STREAM, pauses=True),
    (WatchState.WATCH, Trigger.FAILED): Transition(to=WatchState.PROBE, pauses=True),
    (WatchState.PROBE, Trigger.OLDER): Transition(to=WatchState.STREAM),
    (WatchState.PROBE, Trigger.NOT_OLDER): Transition(to=WatchState.WATCH),
    (WatchState.PROBE, Trigger.FORBIDDEN): Transition(to=WatchState.WATCH),
    (WatchState.PROBE, Trigger.FAILED): Transition(to=WatchState.PROBE, pauses=True),
}


class RequestList(msgspec.Struct, frozen=True):
    """Ask for a list with these parameters. `after` is the error of the request before, which calls for a pause."""

    query: Query
    after: ApiError | None = None


class StartWatch(msgspec.Struct, frozen=True):
    """Leave the open watch, if there is one, begin a watch with these parameters, and read its first line.

    `after` is the error of the request before, which calls for a pause. `is_list` tells that the watch begins with a
    list, whose lines follow one another without long silences.
    """

    query: Query
    after: ApiError | None = None
    is_list: bool = False


class ReadOn(msgspec.Struct, frozen=True):
    """Read the next line of the open watch, or the next part of the open list."""


class ListBody(msgspec.Struct, frozen=True):
    """A list, as JSON; one with some of the objects that were asked for if it is not the last part of the answer."""

    data: bytes
    is_last: bool = True


class EventLine(msgspec.Struct, frozen=True):
    """An event of a watch, as JSON."""

    data: bytes


class Uncompressed(msgspec.Struct, frozen=True):
    """The watch has begun, and the list at its beginning, which may be a large one, is not compressed."""


class WatchEnded(msgspec.Struct, frozen=True):
    """The server has ended the watch in good order."""


class RequestFailed(msgspec.Struct, frozen=True):
    """The request was not answered, or refused, or the answer broke off."""

    error: ApiError


Command = RequestList | StartWatch | ReadOn
Reply = ListBody | EventLine | Uncompressed | WatchEnded | RequestFailed


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
_WITH_METADATA = msgspec.json.Decoder(_WithMetadata)
_LIST_PAGE = msgspec.json.Decoder(_ListPage)


class WatchProtocol:
    """Gives `tracker` all objects of its resource, and then every change, for ever.

    `command` is what to do next, and `take` takes in the reply to it. With `can_stream` False, no list is streamed;
    `watch_seconds` says how long each watch is to last.
    """

    def __init__(self, tracker: Tracker, *, can_stream: bool, watch_seconds: Callable[[], int]) -> None:
        self._tracker = tracker
        self._watch_seconds = watch_seconds
        self._can_stream = can_stream
        self._version = ""
        self._wants_latest = False
        self._page_query: Query | None = None
        self._error: ApiError | None = None
        self.state = WatchState.STREAM
        self.command: Command = self._request(after=None)

    def take(self, reply: Reply) -> None:
        """Take in the reply to `command`; afterwards `command` is the next one."""
        self._error = None
        match self.state:
            case WatchState.STREAM:
                cause = self._take_streamed(reply)
            case WatchState.PAGES:
                cause = self._take_page(reply)
            case WatchState.WATCH:
                cause = self._take_watched(reply)
            case WatchState.PROBE:
                cause = self._take_probed(reply)
        transition = self._move(cause)
        if transition.reads_on:
            self.command = ReadOn()
        else:
            self.command = self._request(after=self._error if transition.pauses else None)

    def _move(self, cause: Trigger) -> Transition:
        """Go to the state that `cause` leads to."""
        transition = TRANSITIONS[self.state, cause]
        self.state = transition.to
        return transition

    def _request(self, after: ApiError | None) -> Command:
        """The request to make in the present state; `after` is the error that calls for a pause before it."""
        if self.state is WatchState.STREAM and not self._can_stream:
            self._move(Trigger.NOT_STREAMED)
        match self.state:
            case WatchState.STREAM:
                self._tracker.begin_list()
                return self._watch({"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}, after)
            case WatchState.PAGES:
                if self._page_query is None:
                    self._tracker.begin_list()
                    self._page_query = self._first_page()
                return RequestList(self._page_query, after)
            case WatchState.WATCH:
                return self._watch({"resourceVersion": self._version}, after)
            case WatchState.PROBE:
                return RequestList({"limit": "1"}, after)

    def _watch(self, query: Query, after: ApiError | None) -> StartWatch:
        usual = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(self._watch_seconds())}
        return StartWatch(usual | query, after, is_list=self.state is WatchState.STREAM)

    def _first_page(self) -> Query:
        """What to list: never anything older than what is known, and no more work for the server than that takes."""
        if self._wants_latest:
            # Without a limit, so that the list cannot be overtaken by the loss of history again.
            return {}
        if self._version:
            match = {"resourceVersion": self._version, "resourceVersionMatch": "NotOlderThan"}
            return {"limit": str(PAGE_SIZE)} | match
        return {"limit": str(PAGE_SIZE), "resourceVersion": "0"}

    def _take_streamed(self, reply: Reply) -> Trigger:
        """Take in an event of the list with which a watch begins."""
        try:
            if isinstance(reply, EventLine):
                effect = self._take_event(reply)
                if not effect.ends_list:
                    return Trigger.EVENT
                self._complete_list(effect.version)
                return Trigger.LIST_COMPLETE
            if isinstance(reply, Uncompressed):
                self._can_stream = False
            if isinstance(reply, RequestFailed):
                raise reply.error
        except ApiError as error:
            # A server that does not know the parameters is not asked for a stream again.
            self._can_stream &= not error.is_unsupported
        return Trigger.NOT_STREAMED

    def _take_page(self, reply: Reply) -> Trigger:
        """Take in a page of a list, or a part of one."""
        try:
            page, is_last = _page(reply)
            self._put(page)
        except ApiError as error:
            self._error = error
            if error.is_too_new or (error.kind == READ_TIMEOUT and self._version):
                # A silent server may be waiting for a version that it never reaches, longer than we wait for it.
                self._forget_version()
                return Trigger.VERSION_AHEAD
            if error.is_expired:
                self._wants_latest = True
                self._page_query = None
                return Trigger.EXPIRED
            return Trigger.FAILED
        if not is_last:
            return Trigger.PART
        if page.metadata.continue_:
            self._page_query = {"limit": str(PAGE_SIZE), "continue": page.metadata.continue_}
            return Trigger.PAGE
        self._complete_list(page.metadata.resource_version)
        return Trigger.LIST_COMPLETE

    def _put(self, page: _ListPage) -> None:
        """Give the tracker the objects of a page. Raises ApiError if they are no objects."""
        try:
            for item in page.items or ():
                self._tracker.put(item)
        except msgspec.MsgspecError:
            raise _no_list() from None

    def _complete_list(self, version: str) -> None:
        self._version = version
        self._wants_latest = False
        self._page_query = None
        self._tracker.end_list()

    def _take_watched(self, reply: Reply) -> Trigger:
        """Take in a change, or the end of the watch."""
        try:
            if isinstance(reply, EventLine):
                self._version = self._take_event(reply).version or self._version
                return Trigger.EVENT
            if isinstance(reply, RequestFailed):
                raise reply.error
        except ApiError as error:
            self._error = error
            if error.is_too_new:
                self._forget_version()
                return Trigger.VERSION_AHEAD
            if error.is_expired:
                return Trigger.EXPIRED
            return Trigger.UNSUPPORTED if error.is_unsupported else Trigger.FAILED
        return Trigger.ENDED

    def _take_probed(self, reply: Reply) -> Trigger:
        """Take in the list that shows the server's present version.

        Versions of built-in resources can be compared as numbers (API Concepts, "Resource versions").
        """
        try:
            present = _page(reply)[0].metadata.resource_version
        except ApiError as error:
            self._error = error
            return Trigger.FORBIDDEN if error.is_forbidden else Trigger.FAILED
        if not _is_older(present, self._version):
            return Trigger.NOT_OLDER
        self._forget_version()
        return Trigger.OLDER

    def _forget_version(self) -> None:
        """The server's versions may have begun again: list whatever there is now."""
        self._tracker.distrust_versions()
        self._wants_latest = True
        self._page_query = None

    def _take_event(self, line: EventLine) -> "_EventEffect":
        """Take in one event. Raises ApiError if it is an ERROR, or no event at all."""
        try:
            event = decode(_EVENT, line.data)
            match event.type:
                case "ADDED" | "MODIFIED":
                    return _EventEffect(self._tracker.put(event.object))
                case "DELETED":
                    return _EventEffect(self._tracker.remove(event.object))
                case "BOOKMARK":
                    metadata = decode(_WITH_METADATA, event.object).metadata
                    ends_list = (metadata.annotations or {}).get(_LIST_END) == "true"
                    return _EventEffect(metadata.resource_version, ends_list)
                case "ERROR":
                    raise refused(0, event.object)
        except msgspec.MsgspecError:
            raise ApiError("the API server sent a line that is no watch event", kind=MALFORMED) from None
        return _EventEffect("")


class _EventEffect(msgspec.Struct, frozen=True):
    """The version that an event brought, and whether it was the mark at the end of a streaming list."""

    version: str
    ends_list: bool = False


def _page(reply: Reply) -> tuple[_ListPage, bool]:
    """The list in a reply, and whether it is the last part of the answer. Raises ApiError if it is none."""
    if isinstance(reply, RequestFailed):
        raise reply.error
    assert isinstance(reply, ListBody)
    try:
        page = decode(_LIST_PAGE, reply.data)
    except msgspec.MsgspecError:
        raise _no_list() from None
    if not page.metadata.resource_version:
        # Every list has a version. Anything else, taken for an empty list, would remove all there is.
        raise _no_list()
    return page, reply.is_last


def _no_list() -> ApiError:
    return ApiError("the API server sent something that is no list", kind=MALFORMED)


def _is_older(version: str, other: str) -> bool:
    is_known = all(each.isdecimal() and len(each) <= _LONGEST_VERSION for each in (version, other))
    return is_known and int(version) < int(other)
