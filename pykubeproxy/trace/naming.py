"""Services by name, found in the rules themselves: no cluster is needed to know where one lives.

Comments say `namespace/name:port cluster IP`, or that it `has no endpoints` (`iptables-rules.md` section 7).
"""

import re
from collections.abc import Iterator
from difflib import get_close_matches

import msgspec

from pykubeproxy.rules import names
from pykubeproxy.rules.ruleset import Ruleset

_ADDRESS = re.compile(r" -d (\S+)/(?:32|128) -p (tcp|udp|sctp) ")
_COMMENT = re.compile(r'--comment "(\S+/\S+) (cluster IP|has no endpoints|has no local endpoints)"')
_PORT = re.compile(r" --dport (\d+) ")


class NamedService(msgspec.Struct, frozen=True, kw_only=True):
    """One port of a Service: `title` is `namespace/name:port`, the address its cluster IP."""

    title: str
    address: str
    protocol: str
    port: int


class UnknownService(ValueError):
    """A name that the rules do not tell, or that fits several ports; the message says what would be right."""


def named_services(ruleset: Ruleset) -> Iterator[NamedService]:
    """The Services whose cluster IP the rules know, whether they have endpoints or not."""
    seen = set()
    for name in ("nat", "filter"):
        table = ruleset.tables.get(name)
        for chain, lines in table.chains.items() if table is not None else ():
            # Rules for external addresses say `has no endpoints` as well.
            for line in lines if chain.startswith((names.SERVICES, names.CLUSTER_POLICY)) else ():
                found = _in_line(line)
                if found is not None and found not in seen:
                    seen.add(found)
                    yield found


def find_service(ruleset: Ruleset, name: str) -> NamedService:
    """The Service port called `namespace/name:port`, or `namespace/name` if it has only one. Raises UnknownService."""
    known = list(named_services(ruleset))
    exact = [service for service in known if service.title == name]
    ports = exact or [service for service in known if service.title.partition(":")[0] == name]
    if len(ports) == 1:
        return ports[0]
    if ports:
        choices = ", ".join(f"{service.title} ({service.protocol} {service.port})" for service in ports)
        raise UnknownService(f"{name} has several ports: {choices}; name one")
    raise UnknownService(f"no Service {name} in these rules{_suggestion(name, [service.title for service in known])}")


def _suggestion(name: str, titles: list[str]) -> str:
    if not titles:
        return "; they know no Service at all"
    known = {title.partition(":")[0] for title in titles} | set(titles)
    close = get_close_matches(name, sorted(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _in_line(line: str) -> NamedService | None:
    comment = _COMMENT.search(line)
    where = _ADDRESS.search(line) if comment else None
    port = _PORT.search(line) if where else None
    # The rule that masquerades repeats the cluster IP in the Service's own chain; it tells the same.
    if comment is None or where is None or port is None:
        return None
    return NamedService(title=comment[1], address=where[1], protocol=where[2], port=int(port[1]))


def is_node_port(ruleset: Ruleset, address: str, protocol: str, port: int) -> bool:
    """True if rules send traffic for a port to a Service whatever local address it is for, and none is for `address`.

    Where nothing else is known of a node, this tells that `address` is most likely one of its own.
    """
    has_port = False
    for name in ("nat", "filter"):
        table = ruleset.tables.get(name)
        for chain, lines in table.chains.items() if table is not None else ():
            if not chain.startswith("KUBE-"):
                continue
            for line in lines:
                if f" -d {address}/" in line:
                    return False
                if f" --dport {port} " in line and f" -p {protocol} " in line and " -d " not in line:
                    has_port = True
    return has_port
