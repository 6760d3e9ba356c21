"""`cleanup`: removes everything that a Service proxy has installed."""

from collections.abc import Iterator

import msgspec

from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.daemon.setup.tools import split_for
from pykubeproxy.host.backend import Backend, Tools, find_tools, is_in_use
from pykubeproxy.host.errors import HostError, NotPermitted, ToolMissing
from pykubeproxy.host.iptables import IptablesHost
from pykubeproxy.host.leftovers import find_leftovers
from pykubeproxy.host.nft_tables import delete_table
from pykubeproxy.model.leftovers import Leftovers
from pykubeproxy.model.nft_table import NftTable
from pykubeproxy.plan.cleanup import cleanup as make_plan
from pykubeproxy.plan.diff import Plan
from pykubeproxy.plan.payload import Payload

# The canaries of kube-proxy are in mangle as well.
_TABLES = ("filter", "nat", "mangle")


class CleanupResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed with one set of tools, or is to be removed, or the `problem` that prevented it."""

    tools: Tools
    plan: Plan = Plan()
    problem: HostError | None = None


def cleanup(own_options: OwnOptions, *, is_dry: bool = False) -> Iterator[CleanupResult]:
    """Clean every family with every backend that holds something of a Service proxy; one that fails stops no other.

    With `is_dry`, only tell what there is to remove. Raises ToolMissing, NotPermitted.
    """
    for tools in _all_tools(own_options):
        try:
            cleaned = CleanupResult(tools=tools, plan=_clean(own_options, tools, is_dry=is_dry))
        except NotPermitted:
            raise
        except HostError as problem:
            cleaned = CleanupResult(tools=tools, problem=problem)
        yield cleaned


class TableCleanup(msgspec.Struct, frozen=True, kw_only=True):
    """A table of kube-proxy's nftables mode that was deleted, or is to be, or the `problem` that prevented it."""

    table: NftTable
    problem: HostError | None = None


def clean_leftovers(own_options: OwnOptions, *, is_dry: bool = False) -> tuple[Leftovers, tuple[TableCleanup, ...]]:
    """Delete the tables of kube-proxy's nftables mode; return all leftovers of its other modes, and the results.

    With the legacy tools chosen, nothing of nftables is touched; with `is_dry`, nothing at all.
    """
    left = find_leftovers(() if own_options.backend is Backend.LEGACY else own_options.wanted_families)
    return left, tuple(_clean_table(table, is_dry=is_dry) for table in left.tables)


def _clean_table(table: NftTable, *, is_dry: bool) -> TableCleanup:
    try:
        if not is_dry:
            delete_table(table)
    except HostError as problem:
        return TableCleanup(table=table, problem=problem)
    return TableCleanup(table=table)


def _clean(own_options: OwnOptions, tools: Tools, *, is_dry: bool) -> Plan:
    host = IptablesHost(tools)
    plan = make_plan(host.save(tables=_TABLES))
    if not is_dry:
        host.restore(Payload(*split_for(own_options, tools)(plan)))
    return plan


def _all_tools(own_options: OwnOptions) -> Iterator[Tools]:
    """The tools that are installed and whose kernel part is in use: asking legacy ones would load their tables."""
    found = False
    for family in own_options.wanted_families:
        for backend in (own_options.backend,) if own_options.backend else tuple(Backend):
            try:
                tools = find_tools(family, backend)
            except ToolMissing:
                continue
            found = True
            if is_in_use(tools):
                yield tools
    if not found:
        raise ToolMissing("iptables is not installed: nothing can be cleaned up without it")
