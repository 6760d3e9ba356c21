"""The `kubectl pykubeproxy` plugin: the commands of `pykubeproxy`, run on the nodes of a cluster from elsewhere."""

import asyncio
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import click
import msgspec

from pykubeproxy.cli.errors import FAILED, OneLineGroup, fail, print_stderr, with_errors
from pykubeproxy.cli.kubectl_nodes import (
    Answers,
    Cluster,
    NodeOutput,
    ask,
    exec_command,
    find_client,
    find_proxies,
    require_readable,
)
from pykubeproxy.cli.kubectl_options import (
    NODES_OPTION,
    ONLY_NAMESPACE_OPTION,
    OUTPUT_OPTION,
    PROXY_NAMESPACE_OPTION,
    REST,
    SecondsParam,
    cluster_options,
    options_before_command,
)
from pykubeproxy.cli.kubectl_output import (
    answered_text,
    as_json,
    group_lines,
    note_lines,
    printed_lines,
    silent_lines,
    status_json,
    status_lines,
    top_json,
)
from pykubeproxy.cluster.kubectl import Kubectl
from pykubeproxy.explain.node_answer_words import no_answer_text
from pykubeproxy.explain.node_answers import BY_SIGNAL, CommandFailed, ExecFailed, NoAnswer, SyncState, read_status
from pykubeproxy.model.ip import Family
from pykubeproxy.observe.clock import now, rfc3339

_JSON, _TEXT = "json", "text"
_POD = "pod/"
# The usual screen of a terminal instead of the alternate one, and the cursor (xterm's control sequences).
_LEAVE_SCREEN = "\x1b[?1047l\x1b[?25h"
_HANDED_ON = {"ignore_unknown_options": True, "max_content_width": 120, "help_option_names": ["-h", "--help"]}


class _Plugin(OneLineGroup):
    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, under the name by which kubectl runs it."""
        super().main(*args, **{**extra, "prog_name": "kubectl pykubeproxy"})


@click.group(
    cls=_Plugin,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="Example: kubectl pykubeproxy status",
)
@options_before_command
def main(**_: Any) -> None:
    """How the Service proxies of a cluster are, and what they do: pykubeproxy's commands, run on its nodes.

    Each runs in the pod of the proxy on a node, by `kubectl exec`, on all nodes at the same time.
    """


@main.command(context_settings={"max_content_width": 120}, epilog="Example: kubectl pykubeproxy status")
@NODES_OPTION
@PROXY_NAMESPACE_OPTION
@click.option(
    "-o", "--output", type=click.Choice(["text", _JSON]), default="text", show_default=True, help="What to print."
)
@cluster_options
@with_errors
def status(cluster: Cluster, output: str) -> None:
    """Show how all nodes are, and what to do where one is not well.

    Exits with 0 if all nodes are well, 1 if one is not, and 2 if one does not answer.
    """
    answers = require_readable(_ask(cluster, ("status", "--output", _JSON)), read_status)
    statuses = {node: its if isinstance(its, NoAnswer) else read_status(its.stdout) for node, its in answers.items()}
    # What `check` exits with on that node; a shadow that would change something is well itself.
    found = [
        FAILED if isinstance(its, NoAnswer) else its.exit_status or int(its.in_sync is SyncState.NO)
        for its in statuses.values()
    ]
    if output == _JSON:
        click.echo(status_json(answers, statuses, max(found)))
    else:
        _print(status_lines(statuses))
    sys.exit(max(found))


@main.command(context_settings=_HANDED_ON, epilog="Example: kubectl pykubeproxy diff --node worker-1")
@NODES_OPTION
@PROXY_NAMESPACE_OPTION
@OUTPUT_OPTION
@REST
@cluster_options
@with_errors
def diff(cluster: Cluster, output: str, arguments: tuple[str, ...]) -> None:
    """Print what the proxies would change now.

    All options of `pykubeproxy diff` are handed on to it on the nodes, but not those with files.
    Exits with 0 if there is no difference, 1 if there is one, and 2 if a node does not answer.
    """
    _run_on_nodes(cluster, "diff", output, arguments)


@main.command(context_settings=_HANDED_ON, epilog="Example: kubectl pykubeproxy services default/web --node worker-1")
@NODES_OPTION
@ONLY_NAMESPACE_OPTION
@OUTPUT_OPTION
@REST
@cluster_options
@with_errors
def services(cluster: Cluster, only: str | None, output: str, arguments: tuple[str, ...]) -> None:
    """List the Services that the rules of nodes know.

    All options of `pykubeproxy services` are handed on to it on the nodes, but not those with files.
    """
    _run_on_nodes(cluster, "services", output, (*_namespace(only), *arguments))


@main.command(context_settings=_HANDED_ON, epilog="Example: kubectl pykubeproxy top --node worker-1")
@NODES_OPTION
@click.option("--once", is_flag=True, help="Measure one interval; always so for several nodes.")
@click.option("--interval", default="1", show_default=True, metavar="SECONDS", help="The time between two readings.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="At most so many Services, and endpoints of each."
)
@ONLY_NAMESPACE_OPTION
@OUTPUT_OPTION
@REST
@cluster_options
@with_errors
def top(
    cluster: Cluster,
    once: bool,
    interval: str,
    limit: int | None,
    only: str | None,
    output: str,
    arguments: tuple[str, ...],
) -> None:
    """Show new connections per second: of several nodes, added up.

    All options of `pykubeproxy top` are handed on to it on the nodes. Of one node, on a terminal, the table is live.
    """
    handed_on = ("--interval", interval, *_namespace(only), *arguments)
    shown = () if limit is None else ("--limit", str(limit))
    is_one = len(cluster.nodes) == 1
    if is_one and output == _TEXT and not once and sys.stdin.isatty() and sys.stdout.isatty():
        sys.exit(_run_live(cluster, ("top", *handed_on, *shown, *_color())))
    wait = SecondsParam().convert(interval, None, None)
    cluster = msgspec.structs.replace(cluster, seconds=cluster.seconds + wait)
    if is_one and output != _JSON:
        _run_on_nodes(cluster, "top", output, (*handed_on, *shown, "--once"))
    elif output not in (_TEXT, _JSON):
        raise click.UsageError(f"--output {output}: {_TEXT} or {_JSON} is expected")
    else:
        _sum_connections(cluster, output, limit, handed_on)


def _sum_connections(cluster: Cluster, output: str, limit: int | None, arguments: Sequence[str]) -> None:
    """Measure connections on all nodes at about the same time, print the sum, and end with the worst exit status."""
    # They load what draws tables, which takes long.
    from pykubeproxy.cli import top_document, top_output  # noqa: PLC0415
    from pykubeproxy.traffic.fleet import sum_rates  # noqa: PLC0415

    _refuse_files(arguments)
    answers = require_readable(_ask(cluster, ("top", "--output", _JSON, *arguments, "--once")), top_document.read_json)
    measured = [top_document.read_json(its.stdout) for its in answers.values() if isinstance(its, NodeOutput)]
    rates = sum_rates(measured) if measured else None
    if output == _JSON:
        total = None if rates is None else top_document.as_json(rates, rfc3339(now().wall), limit)
        click.echo(top_json(answers, total, _worst(answers)))
    else:
        click.echo(click.style(answered_text(answers), bold=True))
        if rates is not None:
            console = top_output.make_console()
            console.print(top_output.as_text(rates, limit, console.width))
            sys.stdout.flush()
        for line in (*note_lines(answers), *silent_lines(answers)):
            print_stderr(line)
    sys.exit(_worst(answers))


@main.command(
    context_settings=_HANDED_ON, epilog="Example: kubectl pykubeproxy trace --from pod/default/client --to default/web"
)
@click.option(
    "--from", "client", required=True, metavar="IP|node|pod/NS/NAME", help="The client; a pod also says which node."
)
@click.option("--node", metavar="NAME", help="The node whose rules the packet meets.")
@PROXY_NAMESPACE_OPTION
@OUTPUT_OPTION
@REST
@cluster_options
@with_errors
def trace(cluster: Cluster, client: str, node: str | None, output: str, arguments: tuple[str, ...]) -> None:
    """Explain what happens to a packet on a node.

    All options of `pykubeproxy trace` are handed on to it on the node, but not those with files.
    Exits as `pykubeproxy trace` does: with 0 if the packet gets through, 1 if it may not, and 2 after an error.
    """
    _refuse_files(arguments)
    source = client
    if client.startswith(_POD):
        source, its_node = _find_source(cluster, client, arguments)
        node = node or its_node
    if not node:
        raise click.UsageError("say on which node: --node NAME, or --from pod/NAMESPACE/NAME")
    its = msgspec.structs.replace(cluster, nodes=(node,))
    (answer,) = _ask(its, ("trace", "--output", output, "--from", source, *arguments)).values()
    if isinstance(answer, NoAnswer):
        fail(f"{node}: {no_answer_text(answer)}")
    for line in printed_lines(answer.stderr):
        print_stderr(line)
    _print(printed_lines(answer.stdout.decode(errors="replace")))
    sys.exit(answer.status)


def _find_source(cluster: Cluster, client: str, arguments: Sequence[str]) -> tuple[str, str]:
    """What `trace` takes for a pod (`pod/NAMESPACE/NAME`), and its node."""
    parts = client.removeprefix(_POD).split("/")
    if len(parts) != 2 or not all(parts):
        raise click.UsageError(f"--from {client}: write it as pod/NAMESPACE/NAME")
    pod = asyncio.run(find_client(cluster, *parts))
    if not pod.node_name:
        fail(f"{client} is not on any node yet")
    if pod.is_on_host_network:
        return "node", pod.node_name
    # The destination tells the family; a name of a Service means the primary one.
    wants_ipv6 = any(word.startswith("[") or word in ("ipv6", "--family=ipv6") for word in arguments)
    addresses = [ip.text for ip in pod.ips if ip.family is Family.IPV6 or not wants_ipv6]
    if not addresses:
        fail(f"{client} has no {'IPv6 ' if wants_ipv6 else ''}address")
    return addresses[0], pod.node_name


def _namespace(only: str | None) -> tuple[str, ...]:
    return () if only is None else ("--namespace", only)


def _color() -> tuple[str, ...]:
    """The option for a command that has this terminal, if anything but the terminal decides."""
    wanted = click.get_current_context().color
    return () if wanted is None else ("--color", "always" if wanted else "never")


def _run_on_nodes(cluster: Cluster, command: str, output: str, arguments: Sequence[str]) -> None:
    """Run a command on the nodes, print what it prints there, and end with the worst exit status."""
    _refuse_files(arguments)
    answers = _ask(cluster, (command, "--output", output, *arguments))
    if output == _JSON:
        answers = require_readable(answers, _require_json)
    if output == _JSON:
        click.echo(as_json(answers, _worst(answers)))
    else:
        _print(group_lines(answers))
        for line in silent_lines(answers):
            print_stderr(line)
    sys.exit(_worst(answers))


def _worst(answers: Answers) -> int:
    """The worst exit status of all nodes; that of an error if one gave no answer."""
    return max(its.status if isinstance(its, NodeOutput) else FAILED for its in answers.values())


def _run_live(cluster: Cluster, command: Sequence[str]) -> int:
    """Run a command on one node with this terminal; return 0, or FAILED after an error that it has told."""
    ((node, pod),) = asyncio.run(find_proxies(cluster)).items()
    if isinstance(pod, NoAnswer):
        fail(f"{node}: {no_answer_text(pod)}")
    kubectl = Kubectl(cluster.flags).command(*exec_command(pod, command, "--stdin", "--tty"))
    status = subprocess.call(kubectl)
    if status not in (0, FAILED):
        # It did not come to giving the terminal back, and what kubectl said was on the screen that is left now.
        click.echo(_LEAVE_SCREEN, nl=False)
        why: NoAnswer = ExecFailed(pod=pod.name, error="it failed, or the connection was lost")
        if status > BY_SIGNAL:
            why = CommandFailed(pod=pod.name, status=status, error="")
        fail(f"{node}: {no_answer_text(why)}")
    return status


def _ask(cluster: Cluster, command: Sequence[str]) -> Answers:
    return asyncio.run(ask(cluster, command))


def _refuse_files(arguments: Sequence[str]) -> None:
    for word in arguments:
        if word.startswith("-f") or word.partition("=")[0] == "--live":
            raise click.UsageError(f"{word}: files are here, not on the nodes; run `pykubeproxy` itself for them")


def _require_json(document: bytes) -> None:
    try:
        msgspec.json.decode(document)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None


def _print(lines: Iterable[str]) -> None:
    if text := "\n".join(lines):
        click.echo(text)
