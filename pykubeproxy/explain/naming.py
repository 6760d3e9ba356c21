"""Services by name, found in the rules themselves: no cluster is needed to know where one lives.

Comments say `namespace/name:port cluster IP`, or that it `has no endpoints` (`docs/reference/iptables-rules.md` section
7).
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from pykubeproxy.explain.finding_words import unknown
from pykubeproxy.rules import names, text
from pykubeproxy.rules.ruleset import Ruleset

_ADDRESS = re.compile(r" -d (\S+)/(?:32|128) ")
_PROTOCOL = re.compile(r" -p (tcp|udp|sctp) ")
_COMMENT = re.compile(r'--comment "(\S+/\S+) (cluster IP|has no endpoints|has no local endpoints)"')
_SERVICE = re.compile(r'--comment "(\S+/\S+) (cluster IP|external IP|loadbalancer IP|has no |traffic not accepted)')
_SUGGESTED = 3
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
                found = _in_line(line, _COMMENT) if " cluster IP" in line or " has no " in line else None
                if found is not None and found not in seen:
                    seen.add(found)
                    yield found


def find_service(ruleset: Ruleset, name: str, others: Iterable[str] = ()) -> NamedService:
    """The Service port called `namespace/name:port`, or `namespace/name` if it has only one. Raises UnknownService.

    The port may be given by its number as well. `others` are names that may have been meant, besides those in rules.
    """
    known = list(named_services(ruleset))
    exact = [service for service in known if service.title == name]
    ports = exact or [service for service in known if service.title.partition(":")[0] == name]
    service, _, port = name.partition(":")
    ports = ports or [each for each in known if each.title.partition(":")[0] == service and str(each.port) == port]
    if len(ports) == 1:
        return ports[0]
    if ports:
        raise UnknownService(f"{name} has several ports: {_choices(ports)}; name one")
    siblings = [each for each in known if each.title.partition(":")[0] == service]
    if siblings:
        raise UnknownService(f"{service} has no port {name.partition(':')[2]} in these rules, but {_choices(siblings)}")
    raise UnknownService(f"no Service {name} in these rules{unknown(name, [*_titles(known), *others])}")


def meant(ruleset: Ruleset, name: str, others: Iterable[str] = ()) -> str:
    """The end of a sentence about what is no `namespace/name`: the Services of that name, in whatever spelling."""
    wanted = name.lower()
    found = {title for title in (*_titles(named_services(ruleset)), *others) if wanted in (title, _name_in(title))}
    return f"; did you mean {' or '.join(sorted(found)[:_SUGGESTED])}?" if found else ""


def _titles(services: Iterable[NamedService]) -> Iterator[str]:
    """The names by which Services may be asked for, with and without their ports'."""
    for each in services:
        yield each.title
        yield each.title.partition(":")[0]


def _name_in(title: str) -> str:
    """The name in `namespace/name:port`."""
    return title.partition("/")[2].partition(":")[0]


def services_at(ruleset: Ruleset, address: str) -> tuple[NamedService, ...]:
    """The ServicePorts that live at an address, in whatever role: as cluster IP, external or load-balancer IP."""
    found: dict[NamedService, None] = {}
    match = f" -d {text.address(address)}/"
    for table in ruleset.tables.values():
        for chain, lines in table.chains.items():
            for line in lines if chain.startswith("KUBE-") else ():
                if match in line:
                    service = _in_line(line, _SERVICE)
                    if service is not None:
                        found[service] = None
    return tuple(found)


def is_endpoint(ruleset: Ruleset, address: str) -> bool:
    """True if rules send traffic for Services to an address."""
    table = ruleset.tables.get("nat")
    written = text.address(address)
    target = f" --to-destination {f'[{written}]' if ':' in written else written}:"
    return any(
        target in line
        for chain, lines in (table.chains.items() if table is not None else ())
        if chain.startswith(names.ENDPOINT)
        for line in lines
    )


def is_node_port(ruleset: Ruleset, address: str, protocol: str, port: int) -> bool:
    """True if rules send traffic for a port to a Service whatever local address it is for, and none is for `address`.

    Where nothing else is known of a node, this tells that `address` is most likely one of its own.
    """
    has_port = False
    wanted, its, other = f" --dport {port} ", f" -p {protocol} ", f" -d {text.address(address)}/"
    for name in ("nat", "filter"):
        table = ruleset.tables.get(name)
        for chain, lines in table.chains.items() if table is not None else ():
            if not chain.startswith("KUBE-"):
                continue
            for line in lines:
                if other in line:
                    return False
                if wanted in line and its in line and " -d " not in line:
                    has_port = True
    return has_port


def _choices(ports: list[NamedService]) -> str:
    return ", ".join(f"{each.title} ({each.protocol} {each.port})" for each in ports)


def _in_line(line: str, pattern: "re.Pattern[str]") -> NamedService | None:
    comment = pattern.search(line)
    where = _ADDRESS.search(line) if comment else None
    protocol = _PROTOCOL.search(line) if where else None
    port = _PORT.search(line) if protocol else None
    # The rule that masquerades repeats the cluster IP in the Service's own chain; it tells the same.
    if comment is None or where is None or protocol is None or port is None:
        return None
    return NamedService(title=comment[1], address=where[1], protocol=protocol[1], port=int(port[1]))
