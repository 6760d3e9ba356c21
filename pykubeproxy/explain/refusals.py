"""Whether a ServicePort comes to be refused, or is no longer, in sentences.

It has two ways in, the cluster IP and everything else, and they may differ: under a traffic policy Local, one of them
is refused for want of local endpoints while the other is served (`docs/reference/iptables-rules.md` section 6).
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from pykubeproxy.explain.chain_lines import ChainLines
from pykubeproxy.rules import names
from pykubeproxy.rules.routing import Refusal
from pykubeproxy.rules.ruleset import Lines


class _Side(msgspec.Struct, frozen=True):
    """Of the rules for one way in, those that go, or those that come: the ones in nat serve, others may refuse."""

    nat: Lines
    filter: Lines

    @property
    def refusal(self) -> Refusal | None:
        """Why the way in is refused; None if it is not."""
        return refusal_of(self.filter)


def refusals(dispatch: Sequence[ChainLines], *, has_new_policy: bool) -> Iterator[str]:
    """What changes about refusals, given what changes in the chains that all ServicePorts share.

    `has_new_policy`: a traffic policy changes as well, so that endpoints need not have come or gone.
    """
    inside, outside = (
        _sentence(
            _side(dispatch, outside=outside, added=False),
            _side(dispatch, outside=outside, added=True),
            outside=outside,
            has_new_policy=has_new_policy,
        )
        for outside in (False, True)
    )
    if inside and outside and inside != outside:
        yield f"{inside} at the cluster IP"
    elif inside:
        yield inside
    if outside and inside != outside:
        yield f"{outside} from outside"


def refusal_of(lines: Iterable[str]) -> Refusal | None:
    """Why some of these rules refuse; None if none does."""
    return next((reason for line in lines for reason in Refusal if f' {reason}"' in line), None)


def is_outside(lines: ChainLines, line: str) -> bool:
    """True for a rule of a shared chain that is for other addresses than the cluster IP."""
    if lines.table == "nat":
        return ' cluster IP"' not in line
    return lines.chain.startswith((names.EXTERNAL_SERVICES, names.EXTERNAL))


def _side(dispatch: Sequence[ChainLines], *, outside: bool, added: bool) -> _Side:
    found: dict[str, list[str]] = {"nat": [], "filter": []}
    for lines in dispatch:
        found[lines.table] += (line for line in lines.side(added=added) if is_outside(lines, line) is outside)
    return _Side(tuple(found["nat"]), tuple(found["filter"]))


def _sentence(gone: _Side, came: _Side, *, outside: bool, has_new_policy: bool) -> str:
    """What changes for one way in; empty if nothing does."""
    before, after = gone.refusal, came.refusal
    if before is after:
        return ""
    if before and after:
        return _FOR_ANOTHER_REASON[after]
    is_due_to_policy = has_new_policy and Refusal.NO_LOCAL_ENDPOINTS in (before, after)
    if after:
        what = after.removeprefix("has ")
        was_served = not is_due_to_policy and _is_served_else(came, gone, outside=outside)
        return f"{what} any more: refused" if was_served else f"{what}: refused"
    if not _is_served_else(gone, came, outside=outside):
        return ""
    local = "local " if before is Refusal.NO_LOCAL_ENDPOINTS else ""
    return "no longer refused" if is_due_to_policy else f"{local}endpoints again: no longer refused"


_FOR_ANOTHER_REASON = {
    Refusal.NO_ENDPOINTS: "other nodes have no endpoints any more either: still refused",
    Refusal.NO_LOCAL_ENDPOINTS: "endpoints again, but no local ones: still refused",
}


def _is_served_else(refused: _Side, other: _Side, *, outside: bool) -> bool:
    """True for a way in that is served while it is not refused; False if it then is not there at all."""
    if outside and refused.refusal is Refusal.NO_LOCAL_ENDPOINTS:
        # Pods and the node itself are served all the same, by rules in nat that stay.
        return bool(other.nat) or not refused.nat
    return bool(other.nat)
