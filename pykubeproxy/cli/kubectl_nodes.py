"""Running a `pykubeproxy` command on the nodes of a cluster: by `kubectl exec` in the pods of their Service proxies."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from pykubeproxy.cli.errors import print_stderr
from pykubeproxy.cluster.kubectl import LIMIT, AnswerTooLong, Kubectl, KubectlError, NoAnswerInTime, Printed
from pykubeproxy.cluster.manifests import SourceError
from pykubeproxy.cluster.proxy_pods import ProxyPod, UnreadablePods, read_client_pod, read_proxy_pods
from pykubeproxy.explain.node_answers import (
    BY_SIGNAL,
    CommandFailed,
    ExecFailed,
    NoAnswer,
    NoProxyPod,
    NoSuchProgram,
    NotUnderstood,
    PrintedTooMuch,
    ProxyNotRunning,
    TookTooLong,
)
from pykubeproxy.explain.suggestions import did_you_mean
from pykubeproxy.model.pod import Pod
from pykubeproxy.model.printable import printable

_PROGRAM = "pykubeproxy"

# What kubectl adds to stderr if the command in the pod ran, and ended with an exit status other than 0.
_ENDED = re.compile(r"command terminated with exit code (\d+)\s*\Z")
# Of a shell or a container runtime that cannot start the program; other runtimes say it in words.
_NOT_STARTED = (126, 127)
_NO_PROGRAM = re.compile(r"executable file not found|stat \S*pykubeproxy: no such file")

# Where kubeadm, and whoever follows it, has kube-proxy.
NAMESPACE = "kube-system"
SELECTOR = "k8s-app=kube-proxy"
_NODES = "kubernetes.io/os=linux"
# A line for each node. Whole Nodes are large: they name every image that they have.
_READY = '.status.conditions[?(@.type=="Ready")]'
_COLUMNS = (".metadata.name", f"{_READY}.status", f"{_READY}.reason", f"{_READY}.message")
_NODE_LINES = "jsonpath={range .items[*]}" + r'{"\t"}'.join(f"{{{column}}}" for column in _COLUMNS) + r'{"\n"}{end}'


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """Which nodes to ask, and how: kubectl's `flags`, where the proxies' pods are, and the time for each answer.

    Without `nodes`, all are asked.
    """

    flags: tuple[str, ...] = ()
    namespace: str = NAMESPACE
    selector: str = SELECTOR
    nodes: tuple[str, ...] = ()
    seconds: float = 30.0


class NodeOutput(msgspec.Struct, frozen=True, kw_only=True):
    """What a command printed in the `pod` of a node. `status` is its exit status, 0 or 1: others are errors."""

    pod: str
    status: int
    stdout: bytes
    stderr: str = ""


Answers = Mapping[str, NodeOutput | NoAnswer]
"""By the names of nodes, in their order."""


async def ask(cluster: Cluster, command: Sequence[str]) -> Answers:
    """Run a `pykubeproxy` command on the nodes of a cluster, on all at the same time. Raises SourceError."""
    kubectl = Kubectl(cluster.flags)
    proxies = await find_proxies(cluster)
    answers = await asyncio.gather(*(_answer(kubectl, pod, command, cluster.seconds) for pod in proxies.values()))
    return dict(zip(proxies, answers, strict=True))


async def find_proxies(cluster: Cluster) -> dict[str, ProxyPod | NoAnswer]:
    """The running pods of the Service proxies, by node; or why there is none. Raises SourceError."""
    kubectl = Kubectl(cluster.flags)
    listing = (_pods(kubectl, cluster), _not_ready(kubectl, cluster))
    pods, not_ready = await asyncio.gather(*listing, return_exceptions=True)
    if isinstance(pods, BaseException):
        raise pods
    unknown = "there is no such node"
    if isinstance(not_ready, BaseException):
        # Not everybody may list nodes.
        print_stderr(f"note: a node without a pod of the proxy is not seen: {not_ready}")
        not_ready, unknown = {}, "no pod of the proxy is on a node of this name"
    known = {*pods, *not_ready}
    for node in cluster.nodes:
        if node not in known:
            raise SourceError(f"--node {node}: {unknown}{did_you_mean(node, known)}")
    if not pods:
        raise SourceError(
            f"no pod has the labels {cluster.selector} in namespace {cluster.namespace}; see --selector, --namespace"
        )
    none = NoProxyPod(namespace=cluster.namespace, selector=cluster.selector)
    found = {node: _running(pods[node]) if node in pods else none for node in sorted(cluster.nodes or known)}
    return {node: replace(its, node_not_ready=not_ready.get(node, "")) for node, its in found.items()}


async def find_client(cluster: Cluster, namespace: str, name: str) -> Pod:
    """The pod of this name. Raises SourceError."""
    command = ("get", "pod", name, "--namespace", namespace, "--output", "json")
    printed = await _listed(Kubectl(cluster.flags), cluster, command)
    try:
        return read_client_pod(printed.stdout)
    except UnreadablePods as error:
        raise SourceError(f"pod {namespace}/{name} cannot be read: {error}") from None


def require_readable(answers: Answers, read: Callable[[bytes], object]) -> Answers:
    """The answers, with a reason instead of each one for which `read` raises ValueError."""
    return {node: _read_or_reason(answer, read) for node, answer in answers.items()}


def exec_command(pod: ProxyPod, command: Sequence[str], *flags: str) -> tuple[str, ...]:
    """The arguments of kubectl that run a `pykubeproxy` command in a pod."""
    place = ("--namespace", pod.namespace, pod.name, "--container", pod.container)
    return ("exec", *flags, *place, "--", _PROGRAM, *command)


def _running(pod: ProxyPod) -> ProxyPod | NoAnswer:
    if pod.not_running is None:
        return pod
    return ProxyNotRunning(namespace=pod.namespace, pod=pod.name, **msgspec.structs.asdict(pod.not_running))


async def _answer(
    kubectl: Kubectl, pod: ProxyPod | NoAnswer, command: Sequence[str], seconds: float
) -> NodeOutput | NoAnswer:
    if isinstance(pod, NoAnswer):
        return pod
    try:
        answer = _understood(await kubectl.run(*exec_command(pod, command), seconds=seconds), pod)
    except NoAnswerInTime:
        answer = TookTooLong(pod=pod.name, seconds=seconds)
    except AnswerTooLong:
        answer = PrintedTooMuch(pod=pod.name, limit=LIMIT)
    return replace(answer, node_not_ready=pod.node_not_ready) if isinstance(answer, NoAnswer) else answer


def _read_or_reason(answer: NodeOutput | NoAnswer, read: Callable[[bytes], object]) -> NodeOutput | NoAnswer:
    if isinstance(answer, NodeOutput):
        try:
            read(answer.stdout)
        except ValueError as error:
            return NotUnderstood(pod=answer.pod, error=str(error))
    return answer


def _understood(printed: Printed, pod: ProxyPod) -> NodeOutput | NoAnswer:
    if printed.status == 0:
        return NodeOutput(pod=pod.name, status=0, stdout=printed.stdout, stderr=printed.stderr)
    ended = _ENDED.search(printed.stderr)
    if ended is None:
        if _NO_PROGRAM.search(printed.stderr):
            return NoSuchProgram(pod=pod.name, image=pod.image)
        return ExecFailed(pod=pod.name, error=_last_line(printed.stderr) or f"exit status {printed.status}")
    said = printed.stderr[: ended.start()]
    status = int(ended[1])
    if status in _NOT_STARTED:
        return NoSuchProgram(pod=pod.name, image=pod.image)
    if status == 1:
        return NodeOutput(pod=pod.name, status=1, stdout=printed.stdout, stderr=said)
    # What was ended from outside has told nothing of it.
    return CommandFailed(pod=pod.name, status=status, error="" if status > BY_SIGNAL else _last_line(said))


async def _pods(kubectl: Kubectl, cluster: Cluster) -> dict[str, ProxyPod]:
    where = ("--namespace", cluster.namespace, "--selector", cluster.selector)
    printed = await _listed(kubectl, cluster, ("get", "pods", *where, "--output", "json"))
    try:
        return read_proxy_pods(printed.stdout)
    except UnreadablePods as error:
        raise SourceError(f"kubectl get pods printed something else than pods: {error}") from None


async def _not_ready(kubectl: Kubectl, cluster: Cluster) -> dict[str, str]:
    """All Linux nodes, each with what the API says if it is not ready; empty if it is. Raises SourceError."""
    printed = await _listed(kubectl, cluster, ("get", "nodes", "--selector", _NODES, "--output", _NODE_LINES))
    nodes = {}
    for line in printed.stdout.decode(errors="replace").splitlines():
        cells = line.split("\t")
        # A message of several lines goes on in lines of its own.
        if len(cells) >= len(_COLUMNS):
            name, status, reason, message = cells[: len(_COLUMNS)]
            why = message or reason or f"its condition Ready is {status or 'missing'}"
            nodes[name] = "" if status == "True" else why
    return nodes


async def _listed(kubectl: Kubectl, cluster: Cluster, command: Sequence[str]) -> Printed:
    """What `kubectl get` printed. Raises SourceError."""
    what = f"kubectl {' '.join(command[:2])}"
    try:
        printed = await kubectl.run(*command, seconds=cluster.seconds)
    except NoAnswerInTime:
        raise SourceError(f"{what}: no answer within {cluster.seconds:g} s") from None
    except KubectlError:
        raise SourceError(f"{what}: more than {LIMIT >> 20} MiB") from None
    if printed.status != 0:
        raise SourceError(f"{what}: {_last_line(printed.stderr) or f'exit status {printed.status}'}")
    return printed


def _last_line(text: str) -> str:
    """What a program says when it fails: the last line, without the word before it."""
    lines = text.strip().splitlines()
    return printable(lines[-1].removeprefix("Error: ").removeprefix("error: ")) if lines else ""
