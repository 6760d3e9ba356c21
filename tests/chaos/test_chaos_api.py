"""The API server fails in every way that it can: Services work on, and what was changed meanwhile is made up for."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from tests.apiserver.faults import BREAK_KINDS, BreakKind, Faults
from tests.apiserver.server import ApiServer
from tests.chaos.bed import IS_FULL, PODS, SHORT_TIMEOUTS, Bed, on_any, web

ROUNDS = 5
CHANGED = 2
HTML = "<html><head><title>Sign in</title></head><body>Welcome to the hotel</body></html>"


@contextmanager
def watches_break(how: BreakKind, api: ApiServer) -> Iterator[None]:
    """All watches break, in one of the ways in which they can; what is changed next is not seen by any."""
    api.faults.refuse(drop=False)
    api.faults.break_watches(how)
    yield
    api.faults.accept()


@contextmanager
def silence(api: ApiServer) -> Iterator[None]:
    """Nothing is said any more on connections that are open."""
    api.faults.half_open()
    yield


@contextmanager
def restart(api: ApiServer, revision: int | None = None) -> Iterator[None]:
    """It comes back without its history, or from a backup with a lower revision."""
    api.faults.refuse()
    yield
    api.faults.restart(revision=revision)


@contextmanager
def answers(order: Callable[[Faults], None], api: ApiServer, times: int = 2, verb: str = "") -> Iterator[None]:
    """What is asked next is answered wrongly, slowly, or not at all, until it has been asked so often."""
    order(api.faults)
    api.faults.compact()
    api.requests.clear()
    api.faults.break_watches("expired")
    yield
    assert api.requests.wait(times, verb), "it keeps asking"


def no_history(faults: Faults) -> None:
    """Every watch is told that its history is lost."""
    faults.break_streaming_lists("refused")
    faults.break_next_watches("expired")


def truncated(faults: Faults) -> None:
    faults.break_streaming_lists("refused")
    faults.truncate(count=6, verb="list")


def refused_watches(code: int, faults: Faults) -> None:
    faults.fail(code, count=12, retry_after=1 if code == 429 else 0)


def garbage(body: str, faults: Faults) -> None:
    faults.fail(200, count=12, body=body)


OUTAGES: dict[str, Callable[[ApiServer], AbstractContextManager[None]]] = {
    **{f"watches: {how}": partial(watches_break, how) for how in BREAK_KINDS if how != "half-open"},
    "restart with lost history": restart,
    "restart from a backup": partial(restart, revision=5),
    "410 storm": partial(answers, no_history, times=10, verb="watch"),
    **{f"answers: {code}": partial(answers, partial(refused_watches, code)) for code in (403, 410, 429, 500, 503)},
    "answers: HTML with 200": partial(answers, partial(garbage, HTML)),
    "answers: half a list": partial(answers, truncated),
    "answers: some other object": partial(answers, partial(garbage, '{"kind":"Status","apiVersion":"v1"}')),
    "answers: byte by byte": partial(answers, lambda faults: faults.trickle(40, 0.001)),
    "answers: none": partial(answers, Faults.stall),
    "silence": silence,
}
# One outage of each sort; the others wait for the full run.
BY_DAY = (
    *("watches: expired", "restart with lost history", "410 storm", "answers: 429", "silence"),
    *("answers: HTML with 200", "answers: half a list", "answers: byte by byte"),
)


@on_any
def test_nobody_notices_what_goes_wrong_with_the_api_server(
    bed: Bed, record_property: Callable[[str, object], None]
) -> None:
    outages = tuple(OUTAGES) * ROUNDS if IS_FULL else BY_DAY
    bed.load(CHANGED, PODS[0])
    bed.start(program=SHORT_TIMEOUTS)
    with bed.unharmed() as sent:
        for number, name in enumerate(outages, 1):
            pod = PODS[number % len(PODS)]
            try:
                for resource in ("services", "endpointslices", "nodes"):
                    bed.api.wait_watchers(1, resource, timeout=20)
                with OUTAGES[name](bed.api):
                    bed.load(CHANGED, pod)
                bed.api.faults.clear()
                bed.wait_answer(web(CHANGED)[number % 4], pod)
            except Exception as error:
                error.add_note(f"during {name}")
                raise
        bed.wait_converged()
    assert not bed.proxy.told("internal error")
    assert not bed.proxy.told("sync failed")
    record_property("outages of the API server", len(outages))
    record_property("connections during outages", sent.asked)
