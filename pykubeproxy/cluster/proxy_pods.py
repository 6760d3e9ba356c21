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


class _Spec(_Wire, frozen=True):
    containers: tuple[_Container, ...]
    node_name: str | None = None


class _Waiting(_Wire, frozen=True):
    reason: str | None = None


class _ContainerState(_Wire, frozen=True):
    running: dict[str, object] | None = None
    waiting: _Waiting | None = None
    terminated: _Waiting | None = None


class _ContainerStatus(_Wire, frozen=True):
    name: str
    ready: bool = False
    state: _ContainerState = _ContainerState()


class _Status(_Wire, frozen=True):
    phase: str = "Unknown"
    reason: str | None = None
    container_statuses: tuple[_ContainerStatus, ...] | None = None


class _Pod(_Wire, frozen=True):
    metadata: _Metadata
    spec: _Spec
    status: _Status = _Status()


class _PodList(_Wire, frozen=True):
    items: tuple[_Pod, ...]


class UnreadablePods(ValueError):
    """What was printed describes no pods."""


class ProxyPod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod with a Service proxy in one of its containers.

    `why_not_running` is empty if the container runs, be it ready or not; else the API's reason (`CrashLoopBackOff`).
    """

    node: str
    namespace: str
    name: str
    container: str
    image: str
    why_not_running: str = ""


def read_proxy_pods(document: bytes) -> dict[str, ProxyPod]:
    """The pod to ask on each node, by the node's name, from a list of pods. Raises UnreadablePods.

    While a pod is replaced there may be two on a node: one that runs is preferred, one that is not being deleted, one
    that is ready, and the younger one, in this order.
    """
    pods = [pod for pod in _decode(document, _PodList).items if pod.spec.node_name and pod.spec.containers]
    return {pod.spec.node_name or "": _proxy_pod(pod) for pod in sorted(pods, key=_preference)}


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
        not _why_not_running(pod),
        pod.metadata.deletion_timestamp is None,
        status is not None and status.ready,
        pod.metadata.creation_timestamp or "",
    )


def _proxy_pod(pod: _Pod) -> ProxyPod:
    container = _container(pod.spec.containers)
    return ProxyPod(
        node=pod.spec.node_name or "",
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        container=container.name,
        image=container.image,
        why_not_running=_why_not_running(pod),
    )


def _container(containers: Sequence[_Container]) -> _Container:
    """The container named PROXY_CONTAINER; else the first one."""
    return next((each for each in containers if each.name == PROXY_CONTAINER), containers[0])


def _status_of(pod: _Pod, container: str) -> _ContainerStatus | None:
    return next((each for each in pod.status.container_statuses or () if each.name == container), None)


def _why_not_running(pod: _Pod) -> str:
    status = _status_of(pod, _container(pod.spec.containers).name)
    if status is None or status.state == _ContainerState():
        return pod.status.reason or pod.status.phase
    if status.state.running is not None:
        return ""
    why = status.state.waiting or status.state.terminated
    return (why.reason if why is not None else None) or pod.status.phase
