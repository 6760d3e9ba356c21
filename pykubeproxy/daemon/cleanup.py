"""`cleanup`: take away everything that a Service proxy installed."""

from collections.abc import Iterator

import msgspec

from pykubeproxy.daemon.assembly import Choices, split_for
from pykubeproxy.host.backend import Backend, Tools, find_tools, is_in_use
from pykubeproxy.host.errors import HostError, NotPermitted, ToolMissing
from pykubeproxy.host.iptables import IptablesHost
from pykubeproxy.plan.cleanup import cleanup as make_plan
from pykubeproxy.plan.diff import Plan
from pykubeproxy.plan.payload import Payload

# The canaries of kube-proxy are in mangle as well.
_TABLES = ("filter", "nat", "mangle")


class Cleaned(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken away with one set of tools, or why it could not be."""

    tools: Tools
    plan: Plan = Plan()
    problem: HostError | None = None


def cleanup(choices: Choices) -> Iterator[Cleaned]:
    """Clean every family with every backend that holds something of a Service proxy; one that fails stops no other.

    Raises ToolMissing, NotPermitted.
    """
    for tools in _all_tools(choices):
        try:
            cleaned = Cleaned(tools=tools, plan=_clean(choices, tools))
        except NotPermitted:
            raise
        except HostError as problem:
            cleaned = Cleaned(tools=tools, problem=problem)
        yield cleaned


def _clean(choices: Choices, tools: Tools) -> Plan:
    host = IptablesHost(tools)
    plan = make_plan(host.save(tables=_TABLES))
    host.restore(Payload(*split_for(choices, tools)(plan)))
    return plan


def _all_tools(choices: Choices) -> Iterator[Tools]:
    """The tools that are installed and whose kernel part is in use: asking legacy ones would load their tables."""
    found = False
    for family in choices.wanted_families:
        for backend in (choices.backend,) if choices.backend else tuple(Backend):
            try:
                tools = find_tools(family, backend)
            except ToolMissing:
                continue
            found = True
            if is_in_use(tools):
                yield tools
    if not found:
        raise ToolMissing("iptables is not installed: nothing can be cleaned up without it")
