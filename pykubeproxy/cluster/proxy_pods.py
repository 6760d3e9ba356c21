"""The pods of a cluster as `kubectl get pods --output json` prints them: those of Service proxies, and single ones.

Only what is needed to run a command in the right container on the right node is read. Fields are those of the API
reference for Pod v1.
"""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from pykubeproxy.cluster import translate, wire
from pykubeproxy.model.pod import Pod

_T = TypeVar("_T")

PROXY_CONTAINER = "kube-proxy"
"""The container of the proxy in a pod that has several."""

_SCHEDULED = "PodScheduled"
# The reason of a container that the runtime could not start, and which has printed nothing.
_NEVER_STARTED = "StartError"


class _Wire(msgspec.Struct, rename="camel", frozen=True):
    """Common settings of what is decoded here. `null` stands for "not given" wherever the API allows it."""


class _Metadata(_Wire, frozen=True):
    name: str
    namespace: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None


class _Container(_Wire, frozen=True):
    name: str
    image: str = ""
    restart_policy: str | None = None


class _Spec(_Wire, frozen=True):
    containers: tuple[_Container, ...]
    init_containers: tuple[_Container, ...] | None = None
    node_name: str | None = None
    affinity: object = None


class _Why(_Wire, frozen=True):
    reason: str | None = None
    message: str | None = None
    exit_code: int | None = None


class _ContainerState(_Wire, frozen=True):
    running: dict[str, object] | None = None
    waiting: _Why | None = None
    terminated: _Why | None = None


class _ContainerStatus(_Wire, frozen=True):
    name: str
    ready: bool = False
    started: bool | None = None
    state: _ContainerState = _ContainerState()
    last_state: _ContainerState = _ContainerState()


class _Condition(_Why, frozen=True):
    type: str = ""
    status: str = ""


class _Field(_Wire, frozen=True):
    key: str
    values: tuple[str, ...]


class _Term(_Wire, frozen=True):
    match_fields: tuple[_Field, ...]


class _Terms(_Wire, frozen=True):
    node_selector_terms: tuple[_Term, ...]


class _NodeAffinity(_Wire, frozen=True):
    required: _Terms = msgspec.field(name="requiredDuringSchedulingIgnoredDuringExecution")


class _Affinity(_Wire, frozen=True):
    node_affinity: _NodeAffinity

    def required_node(self) -> str:
        """The node for which a DaemonSet has made the pod."""
        fields = (each for term in self.node_affinity.required.node_selector_terms for each in term.match_fields)
        return next((each.values[0] for each in fields if each.key == "metadata.name" and each.values), "")


class _Status(_Wire, frozen=True):
    phase: str = "Unknown"
    reason: str | None = None
    message: str | None = None
    conditions: tuple[_Condition, ...] | None = None
    container_statuses: tuple[_ContainerStatus, ...] | None = None
    init_container_statuses: tuple[_ContainerStatus, ...] | None = None


class _Pod(_Wire, frozen=True):
    metadata: _Metadata
    spec: _Spec
    status: _Status = _Status()


class _PodList(_Wire, frozen=True):
    items: tuple[_Pod, ...]


class UnreadablePods(ValueError):
    """What was printed describes no pods."""


class NotRunning(msgspec.Struct, frozen=True, kw_only=True):
    """Why a pod does not run.

    `container` is the one to blame; `has_log` is True if it has run. `reason` is the API's (`CrashLoopBackOff`), with
    `Init:` before it if `container` is an init container. `message` is what the API says besides, empty if nothing.
    """

    container: str
    reason: str
    message: str = ""
    has_log: bool = False


class ProxyPod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod with a Service proxy in one of its containers.

    `not_running` is None if it runs, be it ready or not. `node_not_ready` is why its node is not; empty if it is, or if
    that is not known.
    """

    node: str
    namespace: str
    name: str
    container: str
    image: str
    not_running: NotRunning | None = None
    node_not_ready: str = ""


def read_proxy_pods(document: bytes) -> dict[str, ProxyPod]:
    """The pod to ask on each node, by the node's name, from a list of pods. Raises UnreadablePods.

    While a pod is replaced there may be two on a node: one that runs is preferred, one that is not being deleted, one
    that is ready, and the younger one, in this order.
    """
    pods = [pod for pod in _decode(document, _PodList).items if _node(pod.spec) and pod.spec.containers]
    return {_node(pod.spec): _proxy_pod(pod) for pod in sorted(pods, key=_preference)}


def read_client_pod(document: bytes) -> Pod:
    """A single pod. Raises UnreadablePods."""
    try:
        return translate.pod(_decode(document, wire.Pod))[0]
    except translate.BadObject as error:
        raise UnreadablePods(str(error)) from None


def _decode(document: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(document, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadablePods(str(error)) from None


def _preference(pod: _Pod) -> tuple[bool, bool, bool, str]:
    """A key that sorts the pod to ask behind all others of its node."""
    status = _status_of(pod, _container(pod.spec.containers).name)
    return (
        _not_running(pod) is None,
        pod.metadata.deletion_timestamp is None,
        status is not None and status.ready,
        pod.metadata.creation_timestamp or "",
    )


def _proxy_pod(pod: _Pod) -> ProxyPod:
    container = _container(pod.spec.containers)
    return ProxyPod(
        node=_node(pod.spec),
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        container=container.name,
        image=container.image,
        not_running=_not_running(pod),
    )


def _node(spec: _Spec) -> str:
    """The node that a pod is on, or that a DaemonSet has made it for; empty if there is none."""
    if spec.node_name:
        return spec.node_name
    try:
        return msgspec.convert(spec.affinity, _Affinity).required_node()
    except msgspec.ValidationError:
        return ""


def _container(containers: Sequence[_Container]) -> _Container:
    """The container named PROXY_CONTAINER; else the first one."""
    return next((each for each in containers if each.name == PROXY_CONTAINER), containers[0])


def _status_of(pod: _Pod, container: str) -> _ContainerStatus | None:
    return next((each for each in pod.status.container_statuses or () if each.name == container), None)


def _not_running(pod: _Pod) -> NotRunning | None:
    container = _container(pod.spec.containers).name
    status = _status_of(pod, container)
    if status is None or status.state == _ContainerState():
        unscheduled = (
            each for each in pod.status.conditions or () if each.type == _SCHEDULED and each.status != "True"
        )
        why = next(unscheduled, pod.status)
        return NotRunning(container=container, reason=why.reason or pod.status.phase, message=why.message or "")
    if status.state.running is not None:
        return None
    blocking = _unfinished(pod)
    return _why(status, "") if blocking is None else _why(blocking, "Init:")


def _unfinished(pod: _Pod) -> _ContainerStatus | None:
    """The init container that the others wait for, if there is one."""
    sidecars = {each.name for each in pod.spec.init_containers or () if each.restart_policy == "Always"}
    for each in pod.status.init_container_statuses or ():
        ended = each.state.terminated
        if not (each.started if each.name in sidecars else ended is not None and ended.exit_code == 0):
            return each
    return None


def _why(status: _ContainerStatus, prefix: str) -> NotRunning:
    """Why the container with this status does not run; `prefix` goes before the reason.

    If it waits to be started again, the message is that of its last end, which says more than that it waits.
    """
    waiting, ended = status.state.waiting, status.state.terminated or status.last_state.terminated
    now = waiting or ended or _Why()
    reason = "Running" if status.state.running is not None else now.reason or "unknown"
    return NotRunning(
        container=status.name,
        reason=f"{prefix}{reason}",
        message=" ".join(((ended or now).message or "").split()),
        has_log=status.state.running is not None or (ended is not None and ended.reason != _NEVER_STARTED),
    )
