"""The log lines about syncs."""

from collections.abc import Sequence

import structlog

from pykubeproxy.daemon.follower import FinishedSync
from pykubeproxy.daemon.sync.set_aside import RefusedReport, RefusedService
from pykubeproxy.explain.summary import summarize
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.plan.refused import ADDRTYPE, RANDOM_FULLY
from pykubeproxy.rules.ruleset import ChainId

log = structlog.get_logger()

# At most so many chains, or Services, are named in one log line.
_NAMED = 5

# What it means for all Services that the kernel lacks an extension.
_WITHOUT = {
    RANDOM_FULLY: "the kernel lacks --random-fully; connections are masqueraded without it",
    ADDRTYPE: "the kernel lacks addrtype; node ports answer on the node's own address only",
}


def report(sync: FinishedSync) -> None:
    """Log a sync: its result or error, what was refused, and what could not be read."""
    seconds = round(sync.seconds, 4)
    if sync.result is not None and sync.result.refused != RefusedReport():
        _report_refused(sync.family, sync.result.refused)
    elif sync.result is not None and sync.refused_plans:
        log.warning(
            "a change was refused; it was made anew from the live rules",
            family=sync.family,
            error=str(sync.refused_plans[0].error),
        )
    if sync.result is None:
        log.error(
            "sync failed; the rules in force stay, and it is tried again",
            family=sync.family,
            seconds=seconds,
            error=str(sync.error),
        )
        return
    for table, unread in sync.result.unread.items():
        log.warning(
            "iptables cannot print all rules of a table; ours are kept in step there, others' are not looked at",
            family=sync.family,
            table=table,
            chains=", ".join(unread.chains) or "unknown",
            error=unread.why,
        )
    plan = sync.result.plan
    if plan.is_empty:
        level = log.info if sync.result.was_read and not sync.is_routine else log.debug
        level("in sync; nothing to write", family=sync.family, seconds=seconds)
    elif sync.result.drifted:
        log.warning(
            "rules were changed by another program; repaired",
            family=sync.family,
            by=str(sync.cause or "unknown"),
            chains=_chains(sync.result.drifted),
            plan=str(summarize(plan)),
            seconds=seconds,
        )
    else:
        event = "synced" if sync.result.is_written else "would write"
        log.info(event, family=sync.family, seconds=seconds, plan=str(summarize(plan)))


def _report_refused(family: Family, refused: RefusedReport) -> None:
    """Log Services that are newly refused, by error; missing extensions; and Services that work again."""
    by_cause: dict[tuple[str, str], list[RefusedService]] = {}
    for service in refused.new:
        by_cause.setdefault((service.cause, service.module), []).append(service)
    for (cause, module), services in by_cause.items():
        log.error(
            "rules were refused; the Services that they are for stay as they were, all others are served",
            family=family,
            services=_services([each.service for each in services]),
            error=cause,
            **_missing(module),
        )
    for extension, cause in refused.lost:
        if extension in _WITHOUT:
            log.error(_WITHOUT[extension], family=family, missing_module=extension.module, error=cause)
    if refused.back:
        log.info("Services are no longer refused", family=family, services=_services(refused.back))


def _missing(module: str) -> dict[str, str]:
    return {"missing_module": module} if module else {}


def _services(services: Sequence[ServiceKey]) -> str:
    """Services by name, or the first few of them."""
    more = len(services) - _NAMED
    named = ", ".join(map(str, services[:_NAMED]))
    return f"{named} and {more} more" if more > 0 else named


def _chains(chains: Sequence[ChainId]) -> str:
    """Chains by name, or the first few of them."""
    more = len(chains) - _NAMED
    named = ", ".join(f"{table} {chain}" for table, chain in chains[:_NAMED])
    return f"{named} and {more} more" if more > 0 else named
