"""The words for nodes that give no answer, and for what the others say."""

from collections.abc import Sequence

from pykubeproxy.explain import node_answers as answers
from pykubeproxy.explain.node_answers import Drift, NoAnswer
from pykubeproxy.explain.status.words import duration_text
from pykubeproxy.model.printable import printable

_NAMED = 3
# What the API server says if it cannot reach a kubelet, which is what runs commands in pods.
_TO_KUBELET = "error dialing backend"


def no_answer_text(reason: NoAnswer) -> str:
    """Why a node gives no answer, and what to do, in one line."""
    node = f"; the node is not ready: {reason.node_not_ready}" if reason.node_not_ready else ""
    return printable(_no_answer_text(reason) + node)


def _no_answer_text(reason: NoAnswer) -> str:  # noqa: PLR0911  one case for each kind
    match reason:
        case answers.NoProxyPod(namespace=namespace, selector=selector):
            return f"no pod there has the labels {selector} in namespace {namespace}"
        case answers.ProxyNotRunning(namespace=namespace, pod=pod, container=container, reason=why, message=message):
            says = f"{why}: {message.rstrip('.')}" if message else why
            more = (
                f"logs -n {namespace} {pod} -c {container}" if reason.has_log else f"describe pod -n {namespace} {pod}"
            )
            return f"{pod} does not run: {says}; see `kubectl {more}`"
        case answers.NoSuchProgram(pod=pod, image=image):
            return f"{pod} has no pykubeproxy in its image {image}"
        case answers.TookTooLong(pod=pod, seconds=seconds):
            return f"{pod} did not answer within {duration_text(seconds)}; --timeout gives it more"
        case answers.PrintedTooMuch(pod=pod, limit=limit):
            return f"{pod} printed more than {limit >> 20} MiB"
        case answers.ExecFailed(pod=pod, error=error):
            hint = "; is the node's kubelet up?" if _TO_KUBELET in error else ""
            return f"kubectl exec in {pod}: {error}{hint}"
        case answers.CommandFailed(pod=pod, status=status, error=error):
            hint = "; was its container stopped?" if status > answers.BY_SIGNAL else ""
            return f"{pod}: {error or f'the command ended with exit status {status}{hint}'}"
        case answers.NotUnderstood(pod=pod, error=error):
            return f"{pod} printed something else than expected: {error}"
    raise AssertionError(reason)


def drift_text(drift: Sequence[Drift] | None) -> str:
    """Who has changed rules, for a cell of a table: `none`, `iptables-restor 3 times`; `-` if it is not known."""
    if drift is None:
        return "-"
    each = [f"{its.program or 'unknown'} {'once' if its.times == 1 else f'{its.times} times'}" for its in drift]
    return ", ".join(each) or "none"


def nodes_text(names: Sequence[str], total: int) -> str:
    """Some of all `total` nodes: `node-a, node-b, node-c and 4 more`, `all 7 nodes`."""
    if len(names) == total and total > _NAMED:
        return f"all {total:,} nodes"
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
