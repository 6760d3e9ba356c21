"""Packets through the rules of a State, held against what the objects promise: the second oracle.

The walk is exact (`pykubeproxy.netfilter`), the promises are the model's (`fuzz.model`); both get one packet.
"""

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from random import Random

from msgspec.structs import replace

from fuzz.addresses import known
from fuzz.findings import Finding, difference
from fuzz.model import Asked, Cluster, Fate
from fuzz.proxy import Client
from fuzz.states import ADDRESSES, State, clients
from pykubeproxy.model.ip import IP, Family, parse_ip
from pykubeproxy.netfilter import Environment, Packet, Trace, Tracer, local_address
from pykubeproxy.rules.ruleset import Ruleset, Table

_MOST_PACKETS = 24
_MASKS = {4: "/24", 6: "/64"}
ENVIRONMENT = Environment(
    addresses=tuple(
        local_address(f"{text}{_MASKS[known(text).version]}" if not known(text).is_loopback else text, "eth0")
        for text in ADDRESSES
    )
)
_VERSION = {Family.IPV4: 4, Family.IPV6: 6}


def packets(state: State, cluster: Cluster, family: Family, most: int = _MOST_PACKETS) -> list[Asked]:
    """Packets that the Services of a family may care about, and some that differ from those in one thing."""
    random = Random(state.number)
    version = _VERSION[family]
    senders = clients(version)
    everything: list[Asked] = []
    for frontend in cluster.frontends:
        if frontend.served.version != version:
            continue
        own = [text for text in ADDRESSES if known(text).version == version]
        for where in [str(frontend.address)] if frontend.address is not None else own:
            hairpins = [Client(text, "cni0") for text in sorted(frontend.served.clients)[:2]]
            for client in _who(where, [*senders, *hairpins]):
                asked = Asked(client, where, frontend.protocol, frontend.port)
                everything.append(asked)
                if frontend.served.affinity_seconds is not None:
                    everything += [
                        Asked(client, where, frontend.protocol, frontend.port, seen)
                        for seen in sorted(frontend.served.endpoints)[:2]
                    ]
    chosen = random.sample(everything, min(most, len(everything)))
    near = [each for asked in chosen[:3] for each in _neighbours(asked)]
    return [*chosen, *random.sample(near, min(4, len(near)))]


def check_meaning(state: State, family: Family, ruleset: Ruleset) -> int:
    """Ask the rules about packets. Raises Finding for the first one that fares otherwise; returns how many fared well.

    Every affinity rule on the way must remember for as long as the Service says.
    """
    cluster = Cluster(state.objects, state.proxy)
    tracers: dict[str | None, Tracer] = {}
    asked_packets = packets(state, cluster, family)
    for asked in asked_packets:
        if asked.seen_at not in tracers:
            tracers[asked.seen_at] = Tracer(ruleset, replace(ENVIRONMENT, seen_at=asked.seen_at))
        found = tracers[asked.seen_at].trace(packet(asked))
        promised = cluster.promised(asked)
        if fate(found) not in promised:
            raise Finding(difference(f"{family}: {asked}", " or ".join(map(_shown, promised)), _shown(fate(found))))
        _check_seconds(cluster, asked, found)
    _check_health_checks(cluster, family, ruleset)
    return len(asked_packets)


def fate(found: Trace) -> Fate:
    """What becomes of a packet, in the model's words."""
    shares: Fate = {}
    for outcome in found.outcomes:
        key = (outcome.verdict.value, outcome.dnat, outcome.masquerade)
        shares[key] = shares.get(key, Fraction()) + outcome.probability
    return shares


def packet(asked: Asked) -> Packet:
    """The packet that is asked about, for the tracer."""
    source = asked.client.address
    if known(asked.address).is_loopback:
        source = asked.address  # what a process gets that connects to localhost
    return _packet(asked, source)


@cache
def _ip(text: str) -> IP:
    parsed = parse_ip(text)
    assert parsed is not None
    return parsed


def _packet(asked: Asked, source: str) -> Packet:
    return Packet(
        source=_ip(source),
        destination=_ip(asked.address),
        protocol=asked.protocol,
        source_port=40000,
        destination_port=asked.port,
        from_node=asked.client.is_node,
        in_interface=asked.client.interface,
    )


def _who(where: str, senders: list[Client]) -> list[Client]:
    """Those who can send packets to an address; localhost is the node's own affair, and multicast nobody's."""
    target = known(where)
    if target.is_multicast or target.is_unspecified:
        return []
    return [each for each in senders if each.is_node] if target.is_loopback else senders


def _neighbours(asked: Asked) -> Iterator[Asked]:
    """Packets that differ from one in one thing."""
    other = "udp" if asked.protocol == "tcp" else "tcp"
    yield Asked(asked.client, asked.address, other, asked.port)
    for step in (-1, 1, 16):
        yield Asked(asked.client, asked.address, asked.protocol, asked.port + step)
        number = known(asked.address)
        if not number.is_loopback and int(number) + step > 0:
            yield Asked(asked.client, str(number + step), asked.protocol, asked.port)


def _check_seconds(cluster: Cluster, asked: Asked, found: Trace) -> None:
    """A client is remembered for as long as one of the Services says that is asked for."""
    if asked.seen_at is None:
        return
    wanted = {f" --seconds {served.affinity_seconds} " for served in cluster.served if served.affinity_seconds}
    for step in (step for outcome in found.outcomes for step in outcome.path):
        if " --rcheck " in step.rule and not any(words in step.rule for words in wanted):
            raise Finding(difference(str(asked), " or ".join(wanted), step.rule))


def _check_health_checks(cluster: Cluster, family: Family, ruleset: Ruleset) -> None:
    """With everything else shut out of the node, the health-check node ports of load balancers are open."""
    of_family = [served for served in cluster.served if served.version == _VERSION[family]]
    ports = {served.health_check_node_port for served in of_family} - {0}
    tables = dict(ruleset.tables)
    tables["filter"] = Table(chains=tables["filter"].chains, policies={"INPUT": "DROP"})
    tables["nat"] = Table(chains={}, policies={})
    tracer = Tracer(Ruleset(tables=tables), ENVIRONMENT)
    client = clients(_VERSION[family])[3]
    where = next(text for text in ADDRESSES if known(text).version == _VERSION[family])
    refused = {frontend.port for frontend in cluster.frontends if frontend.address in (None, known(where))}
    for port in sorted({*ports, 31000, 31001} - refused):
        verdicts = {verdict for verdict, _, _ in fate(tracer.trace(packet(Asked(client, where, "tcp", port))))}
        if verdicts != {"ACCEPT" if port in ports else "DROP"}:
            raise Finding(f"{family}: health-check node port {port}, wanted {sorted(ports)}: {verdicts}")


def _shown(shares: Fate) -> str:
    return "; ".join(
        f"{share} {verdict}{f' {target}' if target else ''}{' masqueraded' if masqueraded else ''}"
        for (verdict, target, masqueraded), share in sorted(shares.items(), key=str)
    )
