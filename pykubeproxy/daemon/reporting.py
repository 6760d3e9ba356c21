"""What the log says about syncs."""

from collections.abc import Sequence

import structlog

from pykubeproxy.daemon.follower import Outcome
from pykubeproxy.plan.summary import summarize
from pykubeproxy.rules.ruleset import ChainId

log = structlog.get_logger()

# Chains named in one log line; more would be no help.
_NAMED = 5


def report(outcome: Outcome) -> None:
    """One line on a sync that did something, failed, or was the first."""
    seconds = round(outcome.seconds, 4)
    if outcome.synced is not None and outcome.refusals:
        log.warning(
            "a change was refused; it was made anew from the live rules",
            family=outcome.family,
            error=str(outcome.refusals[0].error),
        )
    if outcome.synced is None:
        log.error(
            "sync failed; the rules in force stay, and it is tried again",
            family=outcome.family,
            seconds=seconds,
            error=str(outcome.error),
        )
        return
    plan = outcome.synced.plan
    if plan.is_empty:
        level = log.info if outcome.synced.was_read and not outcome.is_routine else log.debug
        level("in sync; nothing to write", family=outcome.family, seconds=seconds)
    elif outcome.synced.drifted:
        log.warning(
            "rules were changed by another program; repaired",
            family=outcome.family,
            by=str(outcome.cause or "unknown"),
            chains=_chains(outcome.synced.drifted),
            plan=str(summarize(plan)),
            seconds=seconds,
        )
    else:
        event = "synced" if outcome.synced.is_written else "would write"
        log.info(event, family=outcome.family, seconds=seconds, plan=str(summarize(plan)))


def _chains(chains: Sequence[ChainId]) -> str:
    """Chains by name, or the first few of them."""
    more = len(chains) - _NAMED
    named = ", ".join(f"{table} {chain}" for table, chain in chains[:_NAMED])
    return f"{named} and {more} more" if more > 0 else named
