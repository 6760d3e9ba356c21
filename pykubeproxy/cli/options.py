"""Our own options beside kube-proxy's flags, and those that name objects."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from pykubeproxy.daemon.setup.run_settings import CommitMode, OwnOptions
from pykubeproxy.host.backend import Backend
from pykubeproxy.model.ip import IP, Family, parse_ip
from pykubeproxy.rules.options import Dispatch, RejectUnused

_R = TypeVar("_R")

API = "api"
"""The value of `--source` that stands for the API server."""


class AddressParam(click.ParamType[IP]):
    """An IP address."""

    name = "IP"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> IP:
        """Parse an address as Kubernetes does."""
        ip = parse_ip(str(value))
        if ip is None:
            self.fail(f"{value!r} is not an IP address", param, ctx)
        return ip


STRICT = click.option(
    "--strict", "is_strict", is_flag=True, help="Fail if anything of the objects given could not be used."
)
ALLOW_EMPTY = click.option(
    "--allow-empty", is_flag=True, help="Allow for removing all Services because no Service was read."
)


def complete_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Have the shell complete the name of a file or folder."""
    del ctx, param
    return [CompletionItem(incomplete, type="file")]


_OPTIONS = (
    click.option(
        "--host-address",
        "host_addresses",
        type=AddressParam(),
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
        "--reject-unused-ports",
        "reject_unused",
        type=click.Choice([addresses.value for addresses in RejectUnused]),
        default=RejectUnused.NONE.value,
        show_default=True,
        help="Refuse connections to ports that no Service has, at cluster IPs or also at load-balancer IPs.",
    ),
    click.option(
        "--end-established-tcp",
        is_flag=True,
        help="Forget TCP connections to endpoints that are gone for good, so that clients get a reset.",
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
    """Give a command our own options; it gets them in one argument, `own_options`."""

    @functools.wraps(command)
    def with_choices(
        *args: Any,
        host_addresses: tuple[IP, ...],
        family: str | None,
        dispatch: str,
        commit: str,
        reject_unused: str,
        end_established_tcp: bool,
        backend: str,
        **kwargs: Any,
    ) -> _R:
        own_options = OwnOptions(
            families=None if family is None else (_family(family),),
            backend=None if backend == "auto" else Backend(backend),
            dispatch=Dispatch(dispatch),
            commit=CommitMode(commit),
            reject_unused=RejectUnused(reject_unused),
            end_established_tcp=end_established_tcp,
            host_addresses=host_addresses,
        )
        if own_options.reject_unused is not RejectUnused.NONE and own_options.dispatch is not Dispatch.TREE:
            raise click.UsageError("--reject-unused-ports needs --dispatch tree")
        return command(*args, own_options=own_options, **kwargs)

    decorated: Callable[..., _R] = with_choices
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def object_options(command: Callable[..., _R]) -> Callable[..., _R]:
    """Give a command -f and --source; it gets both in one argument, `objects`: paths, or `api`."""

    @functools.wraps(command)
    def with_objects(*args: Any, files: tuple[str, ...], source: str | None, **kwargs: Any) -> _R:
        return command(*args, objects=(*files, *((source,) if source else ())), **kwargs)

    decorated: Callable[..., _R] = click.option(
        "--source",
        metavar="api|PATH",
        shell_complete=complete_files,
        help="Objects from the API server, or as with -f.",
    )(with_objects)
    return click.option(
        "-f",
        "files",
        multiple=True,
        metavar="PATH",
        shell_complete=complete_files,
        help="Objects: a file, a folder, or - for stdin. Repeatable.",
    )(decorated)


def _family(text: str) -> Family:
    return next(family for family in Family if family.lower() == text)
