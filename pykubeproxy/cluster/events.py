"""The Events that a kube-proxy writes to the API: best effort, in a thread of their own.

Source: `docs/reference/lifecycle.md` section 12.

`EventRecorder.emit` neither waits nor fails. An Event that the API server refuses is dropped; one that cannot be
delivered is sent again for two minutes, as client-go does.
"""

import contextlib
import queue
import threading
import time
from datetime import UTC, datetime

import msgspec
import tenacity
from tenacity.nap import sleep_using_event

from pykubeproxy import logger
from pykubeproxy.cluster.api_error import ApiError
from pykubeproxy.cluster.client import ApiClient
from pykubeproxy.model.service import ServiceKey

log = logger.get()

CONTROLLER = "kube-proxy"
_DEFAULT_NAMESPACE = "default"
_LONGEST_NOTE = 1024
"""Bytes; the API refuses longer ones."""
_QUEUED = 100
_TRIES = 12
_JOIN_SECONDS = 1.0


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """The object of the core/v1 API that an Event is about; `namespace` is empty for a Node."""

    kind: str
    name: str
    namespace: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, to which object, while doing what. `is_warning` is the API's type Warning rather than Normal."""

    reason: str
    action: str
    regarding: Reference
    note: str = ""
    is_warning: bool = False


def starting(node: str) -> Event:
    """The proxy begins its work."""
    return _of_start(node, "Starting")


def healthz_failed(node: str, error: str) -> Event:
    """The health server cannot listen, which is fatal as configured."""
    return _of_start(node, "FailedToStartProxierHealthcheck", error)


def metrics_failed(node: str, error: str) -> Event:
    """The metrics server cannot listen, which is fatal as configured."""
    return _of_start(node, "FailedToStartMetricServer", error)


def health_check_failed(node: str, service: ServiceKey, port: int, error: str) -> Event:
    """The health-check node port of a Service cannot be opened."""
    return Event(
        reason="FailedToStartServiceHealthcheck",
        action="Listen",
        regarding=Reference(kind="Service", name=service.name, namespace=service.namespace),
        note=f'node {node} failed to start healthcheck "{service.namespace}/{service.name}" on port {port}: {error}',
        is_warning=True,
    )


def _of_start(node: str, reason: str, error: str = "") -> Event:
    regarding = Reference(kind="Node", name=node)
    return Event(reason=reason, action="StartKubeProxy", regarding=regarding, note=error, is_warning=bool(error))


class EventRecorder:
    """Writes Events from `start` to `stop`. `emit` may be called at any time, from any thread."""

    def __init__(self, client: ApiClient, host_name: str, retry_seconds: float = 10.0) -> None:
        self._session = client.session()
        self._instance = f"{CONTROLLER}-{host_name}"
        self._retry_seconds = retry_seconds
        self._waiting: queue.Queue[tuple[Event, datetime] | None] = queue.Queue(_QUEUED)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def emit(self, event: Event) -> None:
        """Write an Event in the background; it is dropped if too many are waiting."""
        try:
            self._waiting.put_nowait((event, datetime.now(UTC)))
        except queue.Full:
            log.debug("too many events wait to be written; dropped", reason=event.reason)

    def start(self) -> None:
        """Begin to write what was emitted, in the background."""
        self._thread.start()

    def finish(self, seconds: float) -> None:
        """Write what was emitted, started or not, for so many seconds at most; then end as `stop` does."""
        if self._thread.ident is None:
            self.start()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
            self._thread.join(seconds)
        self.stop()

    def stop(self) -> None:
        """End within a second; what is not written yet is lost."""
        self._stopping.set()
        self._session.abort()
        with contextlib.suppress(queue.Full):  # so the thread is not waiting for something to do
            self._waiting.put_nowait(None)
        if self._thread.is_alive():
            self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_pass),
            wait=tenacity.wait_fixed(self._retry_seconds) + tenacity.wait_random(0, self._retry_seconds / 10),
            sleep=sleep_using_event(self._stopping),
            stop=tenacity.stop_after_attempt(_TRIES) | tenacity.stop_when_event_set(self._stopping),
            retry_error_callback=_give_up,
        )
        while (item := self._waiting.get()) is not None and not self._stopping.is_set():
            event, when = item
            # Made once: an Event keeps its name however often it is tried, which is how one that was written already,
            # and whose answer was lost, is known.
            obj = as_api_object(event, when, self._instance)
            try:
                retrying(self._write, event.regarding.namespace or _DEFAULT_NAMESPACE, obj)
            except ApiError as error:
                log.info("an event was not written", reason=event.reason, error=str(error))
            except Exception:
                # An Event is not worth the end of the process, which is what an error that leaves a thread brings.
                log.exception("an event was not written: internal error", reason=event.reason)
        self._session.close()

    def _write(self, namespace: str, obj: dict[str, object]) -> None:
        try:
            self._session.post(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", obj)
        except ApiError as error:
            if not error.already_exists:
                raise


def as_api_object(event: Event, when: datetime, instance: str) -> dict[str, object]:
    """The Event as the API takes it (events.k8s.io/v1). Its name has the time in it, as client-go's has."""
    regarding = event.regarding
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": f"{regarding.name}.{time.time_ns():x}",
            "namespace": regarding.namespace or _DEFAULT_NAMESPACE,
        },
        "eventTime": when.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": CONTROLLER,
        "reportingInstance": instance,
        "type": "Warning" if event.is_warning else "Normal",
        "reason": event.reason,
        "action": event.action,
        "regarding": {"apiVersion": "v1"}
        | {key: text for key, text in msgspec.structs.asdict(regarding).items() if text},
        "note": event.note.encode()[:_LONGEST_NOTE].decode(errors="ignore"),
    }


def _may_pass(error: BaseException) -> bool:
    """True for an error that may be over next time: the server was not reached, is busy or broken."""
    return isinstance(error, ApiError) and (error.status is None or error.status == 429 or error.status >= 500)


def _give_up(state: tenacity.RetryCallState) -> None:
    assert state.outcome is not None
    log.info("an event was not written", error=str(state.outcome.exception()))
