"""The log lines about syncs."""

import logging
from collections.abc import Iterator

from pykubeproxy import logger
from pykubeproxy.daemon.follower import FinishedSync
from pykubeproxy.daemon.sync.family import SyncResult
from pykubeproxy.daemon.sync.set_aside import RefusedReport
from pykubeproxy.explain import sync_facts as facts
from pykubeproxy.explain.summary import summarize
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.plan.diff import Plan
from pykubeproxy.plan.refused import ADDRTYPE, RANDOM_FULLY

log = logger.get()


def report(sync: FinishedSync) -> None:
    """Log a sync; with more verbosity also each Service that it touched, and each chain that it wrote."""
    for fact in facts_of(sync):
        line = facts.log_line(fact)
        getattr(log, line.level)(line.message, family=sync.family, **line.values)
    if sync.result is not None and not sync.result.plan.is_empty and logger.logs_services():
        for service in sorted(sync.touched, key=str):
            log.info("service", family=sync.family, service=facts.shortened(str(service)))
    if sync.result is not None and log.is_enabled_for(logging.DEBUG):
        _report_chains(sync.family, sync.result.plan)


def _report_chains(family: Family, plan: Plan) -> None:
    for change in plan.chains:
        what = "added" if change.before is None else "removed" if change.after is None else "changed"
        log.debug("chain", action=what, family=family, table=change.table, chain=change.chain)


def facts_of(sync: FinishedSync) -> Iterator[facts.SyncFact]:
    """What was refused, what could not be read, and the result or error."""
    result, seconds = sync.result, round(sync.seconds, 4)
    if result is None:
        yield facts.SyncFailed(error=str(sync.error), seconds=seconds)
        return
    if result.refused != RefusedReport():
        yield from _refusals(result.refused)
    elif sync.refused_plans:
        yield facts.PlanRefused(error=str(sync.refused_plans[0].error))
    for table, unread in result.unread.items():
        yield facts.TableUnread(table=table, unread=unread)
    yield _effect(sync, result, seconds)


def _effect(sync: FinishedSync, result: SyncResult, seconds: float) -> facts.SyncFact:
    if result.plan.is_empty:
        return facts.NothingToWrite(seconds=seconds, is_expected=sync.is_routine or not result.was_read)
    summary = summarize(result.plan)
    if result.drifted:
        by = str(sync.cause or "unknown")
        return facts.DriftRepaired(by=by, chains=result.drifted, summary=summary, seconds=seconds)
    services = tuple(sorted(sync.touched, key=str))
    return facts.RulesWritten(summary=summary, seconds=seconds, services=services, is_shadow=not result.is_written)


def _refusals(refused: RefusedReport) -> Iterator[facts.SyncFact]:
    by_error: dict[tuple[str, str], list[ServiceKey]] = {}
    for each in refused.new:
        by_error.setdefault((each.cause, each.module), []).append(each.service)
    for (error, module), services in by_error.items():
        yield facts.ServicesSetAside(services=tuple(services), error=error, module=module)
    for extension, error in refused.lost:
        if extension in (RANDOM_FULLY, ADDRTYPE):
            yield facts.ExtensionMissing(extension=extension, error=error)
    if refused.back:
        yield facts.ServicesAccepted(services=refused.back)
