"""`version`: what is installed here."""

import platform
from collections.abc import Iterator

import click
import msgspec

from pykubeproxy.cli.errors import with_errors
from pykubeproxy.cli.help import node_command
from pykubeproxy.config.release import KUBERNETES_VERSION, program_version
from pykubeproxy.host import backend as backends
from pykubeproxy.host.backend import Backend, Tools
from pykubeproxy.host.errors import HostError, ToolMissing
from pykubeproxy.model.ip import Family


class FamilyVersions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The iptables tools of one IP family, each with its version, and the backend in use, or why that is not known."""

    tools: dict[str, str]
    backend: Backend | None
    problem: str = ""


class Versions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What `version` prints. `kubernetes` is the release whose kube-proxy this program takes the place of."""

    pykubeproxy: str
    kubernetes: str
    python: str
    families: dict[str, FamilyVersions]


@node_command("pykubeproxy version --output json")
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="What to print."
)
@with_errors
def version(output: str) -> None:
    """Print the versions of this program, of Python, and of the iptables tools found."""
    versions = Versions(
        pykubeproxy=program_version(),
        kubernetes=f"v{KUBERNETES_VERSION}",
        python=platform.python_version(),
        families={family.lower(): _family(family) for family in Family},
    )
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(versions)).decode())
    else:
        click.echo("\n".join(_lines(versions)))


def _lines(versions: Versions) -> Iterator[str]:
    yield f"pykubeproxy {versions.pykubeproxy}"
    yield f"python {versions.python}"
    for family in Family:
        its = versions.families[family.lower()]
        yield from (f"{program} {text}" for program, text in its.tools.items())
        yield f"{family} backend in use: {its.backend or f'unknown: {its.problem}'}"


def _family(family: Family) -> FamilyVersions:
    tools = {its.program: its.version_text for its in _installed(family)}
    try:
        return FamilyVersions(tools=tools, backend=backends.detect(family, may_load=False).backend)
    except HostError as error:
        return FamilyVersions(tools=tools, backend=None, problem=str(error))


def _installed(family: Family) -> Iterator[Tools]:
    for backend in Backend:
        try:
            yield backends.find_tools(family, backend)
        except ToolMissing:
            continue
