"""What all commands share: our flags beside kube-proxy's, and how errors reach the user."""

import functools
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from pykubeproxy.cluster.manifests import Manifests, SourceError
from pykubeproxy.cluster.source import Note, ObjectChanges
from pykubeproxy.config.completed import Completed, check, complete
from pykubeproxy.config.errors import ConfigError
from pykubeproxy.daemon.errors import FatalError
from pykubeproxy.daemon.setup.node_view import NodeView, host_name
from pykubeproxy.daemon.setup.run_settings import CommitMode, OwnOptions
from pykubeproxy.host.backend import Backend, Tools
from pykubeproxy.host.errors import HostError
from pykubeproxy.model.ip import IP, Family, parse_ip
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.observe.logs import DEBUG_VERBOSITY, LogFormat, set_up
from pykubeproxy.plan.live_services import live_services
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import Ruleset

_R = TypeVar("_R")

# Stands for the API server where a path could.
API = "api"

# Exit statuses: of `diff`, of `run`, and of every command that could not do its work.
DIFFERENT = 1
NOT_IN_SYNC = 1
FAILED = 2


class AddressType(click.ParamType[IP]):
    """An IP address."""

    name = "IP"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> IP:
        """Parse, as Kubernetes would."""
        ip = parse_ip(str(value))
        if ip is None:
            self.fail(f"{value!r} is not an IP address", param, ctx)
        return ip


_OPTIONS = (
    click.option(
        "--host-address",
        "host_addresses",
        type=AddressType(),
        multiple=True,
        help="Use these instead of the addresses of this machine's interfaces, to speak for another node. Repeatable.",
    ),
    click.option(
        "--family",
        type=click.Choice([family.lower() for family in Family]),
        help="Only this IP family (default: both).",
    ),
    click.option(
        "--dispatch",
        type=click.Choice([dispatch.value for dispatch in Dispatch]),
        default=Dispatch.TREE.value,
        show_default=True,
        help="Layout of the chains that find a packet's Service; linear is kube-proxy's, byte for byte.",
    ),
    click.option(
        "--commit",
        type=click.Choice([commit.value for commit in CommitMode]),
        default=CommitMode.AUTO.value,
        show_default=True,
        help="How changes are committed: auto divides very large ones with the nft tools; single never does.",
    ),
    click.option(
        "--backend",
        type=click.Choice(["auto", *(backend.value for backend in Backend)]),
        default="auto",
        show_default=True,
        help="Which iptables tools to use; auto asks the node which ones its other programs use.",
    ),
)


def our_options(command: Callable[..., _R]) -> Callable[..., _R]:
    """Give a command our options; it gets one argument for all of them, `own_options`."""

    @functools.wraps(command)
    def with_choices(
        *args: Any,
        host_addresses: tuple[IP, ...],
        family: str | None,
        dispatch: str,
        commit: str,
        backend: str,
        **kwargs: Any,
    ) -> _R:
        own_options = OwnOptions(
            families=None if family is None else (_family(family),),
            backend=None if backend == "auto" else Backend(backend),
            dispatch=Dispatch(dispatch),
            commit=CommitMode(commit),
            host_addresses=host_addresses,
        )
        return command(*args, own_options=own_options, **kwargs)

    decorated: Callable[..., _R] = with_choices
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def object_options(command: Callable[..., _R]) -> Callable[..., _R]:
    """Give a command -f and --source; it gets one argument for both, `objects`: paths, or `api`."""

    @functools.wraps(command)
    def with_objects(*args: Any, files: tuple[str, ...], source: str | None, **kwargs: Any) -> _R:
        return command(*args, objects=(*files, *((source,) if source else ())), **kwargs)

    decorated: Callable[..., _R] = click.option(
        "--source", metavar="api|PATH", help="Objects from the API server, or as with -f."
    )(with_objects)
    return click.option(
        "-f", "files", multiple=True, metavar="PATH", help="Objects: a file, a folder, or - for stdin. Repeatable."
    )(decorated)


def _family(text: str) -> Family:
    return next(family for family in Family if family.lower() == text)


def read_config(flags: Mapping[str, object]) -> Completed:
    """The configuration that flags and file amount to; its warnings are told. Raises ConfigError."""
    completed = complete_config(flags)
    tell_warnings(completed)
    return completed


def complete_config(flags: Mapping[str, object]) -> Completed:
    """The configuration that flags and file amount to. Raises ConfigError."""
    path = flags.get("config")
    try:
        file = Path(str(path)).read_bytes() if path else None
    except OSError as error:
        raise ConfigError(f"failed complete: {error.filename}: {error.strerror}") from None
    try:
        completed = complete(flags, file, host_name())
        check(completed)
    except ConfigError as error:
        raise ConfigError(f"{error} (--config {path})" if path else str(error)) from None
    return completed


def tell_warnings(completed: Completed) -> None:
    """Print what is not wrong with a configuration, and may not be what was meant."""
    for warning in completed.warnings:
        complain(warning)


def read_objects(files: tuple[str, ...], completed: Completed) -> ObjectChanges:
    """The objects in files and folders; those of the API server if there are none, or `api` is one of them.

    Raises SourceError, also if there are mistakes and nothing else.
    """
    if files and API not in files:
        change = Manifests(files).load()
        mistakes = [note.text for note in change.notes if note.is_error]
        if mistakes and not change.put:
            # Not a cluster without Services, such as `diff` would take all rules away for.
            more = f" (the first of {len(mistakes)} mistakes)" if len(mistakes) > 1 else ""
            raise SourceError(f"nothing to work with: {mistakes[0]}{more}")
        return change
    # The client of the API server takes long to import, and most commands do without.
    from pykubeproxy.daemon.watch.api_source import list_objects  # noqa: PLC0415

    return list_objects(completed)


def compile_for(
    completed: Completed,
    own_options: OwnOptions,
    change: ObjectChanges,
    tools: Mapping[Family, Tools],
    families: Iterable[Family],
    live: Mapping[Family, Ruleset] | None = None,
) -> dict[Family, Ruleset]:
    """The rules that the objects of `change` amount to on this node, or on the one that the options describe.

    With `live`, the Services that those rules serve are kept, as `run` does while not all objects can be read.
    """
    snapshot = Snapshot()
    for obj in change.put:
        snapshot.put(obj)
    node = NodeView(completed, own_options, tools)
    own = snapshot.nodes.get(completed.node_name)
    held = {family: live_services(its) for family, its in (live or {}).items()}
    return {family: compile_ruleset(snapshot, node.options_for(own, family), held.get(family)) for family in families}


def tell(notes: tuple[Note, ...]) -> None:
    """Print what a source has to say about its input."""
    for note in notes:
        complain(note.text)


def complain(text: str) -> None:
    """One line on stderr; where that is full or gone, nobody can be told, and the exit status has to do."""
    with suppress(OSError):
        click.echo(text, err=True)


def with_errors(command: Callable[..., _R], status: int = FAILED) -> Callable[..., _R]:
    """Turn the errors that a command can meet into one line on stderr and a status.

    Also those that nobody thought of; `-v 4` shows where they come from. What is logged goes to stderr: by default, it
    would go where the data is expected.
    """

    @functools.wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> _R:
        set_up(LogFormat.CONSOLE, 0)
        try:
            return command(*args, **kwargs)
        except (ConfigError, HostError, SourceError, FatalError) as error:
            fail(str(error), status)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except BrokenPipeError:
            # Who reads has had enough, and is not to take 1 for an answer. Nothing is left to be said at the end.
            sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
            sys.exit(status)
        except Exception as error:
            if int(kwargs.get("flags", {}).get("v", 0)) >= DEBUG_VERBOSITY:
                raise
            what = str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            hint = f" (-v {DEBUG_VERBOSITY} tells more)" if "flags" in kwargs else ""
            fail(f"{' '.join(what.split())}{hint}", status)

    return guarded


def fail(text: str, status: int = FAILED) -> NoReturn:
    """End with one line on stderr."""
    complain(f"Error: {text}")
    sys.exit(status)
