"""What the nodes of a cluster answer when a command is run on each of them: why one does not, and how it says it is."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from pykubeproxy.explain.status.observations import Level, Topic
from pykubeproxy.explain.status.observations.of_rules import InSync, NoRules, WouldChange

STATUS_VERSION = 1
"""The version of the documents of `status --output json` that are understood (docs/status-json.md)."""


BY_SIGNAL = 128
"""Exit statuses beyond it are those of programs that a signal has ended, as when a container is stopped."""


class NoAnswer(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="kind", rename="camel"):
    """Why a node gives no answer.

    `node_not_ready` is what the API says of a node that is not ready (Node v1, the condition `Ready`), empty otherwise.
    """

    node_not_ready: str = ""


class NoProxyPod(NoAnswer, frozen=True, kw_only=True):
    """The node has no pod with the labels `selector` in `namespace`."""

    namespace: str
    selector: str


class ProxyNotRunning(NoAnswer, frozen=True, kw_only=True):
    """The proxy in `pod` does not run.

    `container` is the proxy's, or an init container that it waits for; `has_log` is True if that has run. `reason`
    (`CrashLoopBackOff`) and `message` are what the API says of it.
    """

    namespace: str
    pod: str
    container: str
    reason: str
    message: str = ""
    has_log: bool = False


class NoSuchProgram(NoAnswer, frozen=True, kw_only=True):
    """The container has no program `pykubeproxy`: its image is kube-proxy's own."""

    pod: str
    image: str


class TookTooLong(NoAnswer, frozen=True, kw_only=True):
    """There was no complete answer within so many `seconds`."""

    pod: str
    seconds: float


class PrintedTooMuch(NoAnswer, frozen=True, kw_only=True):
    """The answer has more bytes than the `limit`."""

    pod: str
    limit: int


class ExecFailed(NoAnswer, frozen=True, kw_only=True):
    """kubectl could not run the command in the pod, and says `error`."""

    pod: str
    error: str


class CommandFailed(NoAnswer, frozen=True, kw_only=True):
    """The command ran on the node, and ended with an exit `status` that stands for an error, and with `error`."""

    pod: str
    status: int
    error: str


class NotUnderstood(NoAnswer, frozen=True, kw_only=True):
    """What the command printed is not the document that was expected; `error` says why."""

    pod: str
    error: str


class SyncState(StrEnum):
    """Whether the rules of a node are as they should be."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Drift(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A `program` has changed rules so many `times` of late; it is empty if the kernel did not say which."""

    program: str
    times: int


class Concern(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An observation of a node that is not well (docs/status-json.md); `values` are the fields of its `kind`."""

    kind: str
    topic: str
    level: str
    says: str
    advice: str
    values: Mapping[str, Any]


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a node says that it is.

    `exit_status` is that of `pykubeproxy check` there. `program` is the proxy with its version, empty if none runs;
    `backends` are the kinds of iptables tools that it uses. `drift` is None if nothing is known of it.
    """

    exit_status: int
    program: str
    backends: tuple[str, ...]
    in_sync: SyncState
    drift: tuple[Drift, ...] | None
    concerns: tuple[Concern, ...]


class UnreadableStatus(ValueError):
    """A document that is not one of `status`."""


class _Observation(msgspec.Struct, rename="camel"):
    """The fields of observations that are used here; kinds that are not known may have others."""

    kind: str
    topic: str
    level: str
    says: str
    advice: str = ""
    program: str = ""
    backend: str = ""
    times: object = 0


_COMMON_FIELDS = ("kind", "topic", "level", "says", "advice")


class _Document(msgspec.Struct, rename="camel"):
    version: int
    exit_status: int
    observations: list[dict[str, Any]]


def read_status(document: bytes) -> NodeStatus:
    """What `pykubeproxy status --output json` printed on a node, of this or of another release.

    Raises UnreadableStatus.
    """
    try:
        read = msgspec.json.decode(document, type=_Document)
        observations = msgspec.convert(read.observations, list[_Observation])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableStatus(str(error)) from None
    if read.version != STATUS_VERSION:
        raise UnreadableStatus(f"version {read.version} of the document is not known here")
    of_proxy = [each.program for each in observations if each.topic == Topic.PROXY and each.program]
    backends = dict.fromkeys(each.backend for each in observations if each.topic == Topic.BACKEND and each.backend)
    return NodeStatus(
        exit_status=read.exit_status,
        program=of_proxy[0] if of_proxy else "",
        backends=tuple(backends),
        in_sync=_sync_state(observations),
        drift=_drift(observations),
        concerns=tuple(
            Concern(
                kind=each.kind,
                topic=each.topic,
                level=each.level,
                says=each.says,
                advice=each.advice,
                values={name: value for name, value in fields.items() if name not in _COMMON_FIELDS},
            )
            for each, fields in zip(observations, read.observations, strict=True)
            if each.level != Level.OK
        ),
    )


def _sync_state(observations: Iterable[_Observation]) -> SyncState:
    of_rules = [each for each in observations if each.topic in (Topic.RULES, Topic.LAST_SYNC)]
    kinds = {each.kind for each in of_rules}
    if any(each.level == Level.BAD for each in of_rules) or kinds & {WouldChange.__name__, NoRules.__name__}:
        return SyncState.NO
    return SyncState.YES if InSync.__name__ in kinds else SyncState.UNKNOWN


def _drift(observations: Iterable[_Observation]) -> tuple[Drift, ...] | None:
    of_drift = [each for each in observations if each.topic == Topic.DRIFT]
    if not of_drift:
        return None
    return tuple(
        Drift(program=each.program, times=each.times)
        for each in of_drift
        if each.level != Level.OK and isinstance(each.times, int)
    )
