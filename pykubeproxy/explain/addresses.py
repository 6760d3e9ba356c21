"""Where clients find a ServicePort, in sentences: its port and protocol, its addresses and node ports."""

import re
from collections.abc import Iterator, Sequence

import msgspec

from pykubeproxy.explain.chain_lines import ChainLines
from pykubeproxy.explain.refusals import is_outside, refusal_of
from pykubeproxy.rules.routing import Refusal

_PORT = re.compile(r"-A \S+ -d \S+/(?:32|128) -p (tcp|udp|sctp) .* --dport (\d+) ")
_ADDRESS = re.compile(r"-A \S+ -d (\S+)/(?:32|128) ")
_KIND = re.compile(r'--comment "\S+ (cluster IP|external IP|loadbalancer IP)"')
_NODE_PORT = re.compile(r"-A \S+ -p (tcp|udp|sctp) .* --dport (\d+) -j (?:KUBE-EXT-|REJECT|DROP)")


class _Known(msgspec.Struct, frozen=True):
    """Addresses and node ports in the rules that go, or that come, with their names; `refused` ones, and all others.

    Under a policy Local, what is `refused` to the outside is served to pods by rules that need not change.
    """

    named: dict[str, str]
    refused: frozenset[str]


def ports(dispatch: Sequence[ChainLines]) -> Iterator[str]:
    """The Service's own port, given what changes in the chains that all ServicePorts share."""
    gone, came = (
        {found.groups() for lines in dispatch for line in lines.side(added=added) if (found := _PORT.match(line))}
        for added in (False, True)
    )
    if len(gone) != 1 or len(came) != 1:
        return
    ((old_protocol, old),), ((new_protocol, new),) = gone, came
    if old != new:
        yield f"port {old} -> {new}"
    if old_protocol != new_protocol:
        yield f"protocol {old_protocol.upper()} -> {new_protocol.upper()}"


def addresses(dispatch: Sequence[ChainLines]) -> Iterator[str]:
    """Addresses and node ports under which the ServicePort is known now, or is not any more; refused ones as well."""
    gone, came = (_known(dispatch, added=added) for added in (False, True))
    yield from (f"{text} added" for text in _only_in(came, gone))
    yield from (f"{text} removed" for text in _only_in(gone, came))


def _only_in(here: _Known, there: _Known) -> list[str]:
    return sorted(text for key, text in here.named.items() if key not in there.named and key not in there.refused)


def _known(dispatch: Sequence[ChainLines], *, added: bool) -> _Known:
    named: dict[str, str] = {}
    refused: set[str] = set()
    for lines in dispatch:
        for line in lines.side(added=added):
            key, text = _named(lines, line)
            if not key:
                continue
            refusal = refusal_of((line,))
            if refusal:
                refused.add(key)
            if refusal is not Refusal.NO_LOCAL_ENDPOINTS:
                named[key] = text
    return _Known(named, frozenset(refused))


def _named(lines: ChainLines, line: str) -> tuple[str, str]:
    """The address or node port that a rule is for, and what to call it; empty if it is for none."""
    found = _ADDRESS.match(line)
    if found:
        kind = _KIND.search(line)
        if kind:
            return found[1], f"{kind[1]} {found[1]}"
        if refusal_of((line,)):
            return found[1], f"{'address' if is_outside(lines, line) else 'cluster IP'} {found[1]}"
        return "", ""
    port = _NODE_PORT.match(line)
    return (f"{port[2]}/{port[1]}", f"node port {port[2]}/{port[1]}") if port else ("", "")
