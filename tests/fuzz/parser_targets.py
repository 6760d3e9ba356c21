"""The parsers of the project, each with inputs that it accepts, and the errors that it may raise."""

import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import cycle
from unittest import mock

import msgspec
import yaml

from pykubeproxy.cluster.api_error import refused
from pykubeproxy.cluster.documents import parse_manifest
from pykubeproxy.cluster.input_notes import input_note_text
from pykubeproxy.cluster.resources import ALL, ENDPOINT_SLICES, SERVICES, own_node
from pykubeproxy.cluster.tracker import Tracker
from pykubeproxy.cluster.watch_protocol import EventLine, ListBody, RequestList, WatchEnded, WatchProtocol
from pykubeproxy.config.completed import check, complete
from pykubeproxy.config.defaults import DEFAULTS
from pykubeproxy.config.errors import ConfigError
from pykubeproxy.config.flag_table import FLAGS
from pykubeproxy.config.write import write
from pykubeproxy.flows.live_frontends import live_udp_frontends
from pykubeproxy.host import conntrack_wire, generations, interfaces, netlink, nfnetlink, routes, rtnetlink
from pykubeproxy.host.netlink import Netlink, NetlinkError, NetlinkMessage, attribute, nested
from pykubeproxy.model.ip import Family, parse_cidr, parse_ip
from pykubeproxy.model.service import Protocol
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.netfilter import Environment, Tracer
from pykubeproxy.plan.cleanup import cleanup
from pykubeproxy.plan.diff import diff
from pykubeproxy.plan.payload import Payload
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.parse import DumpError, parse
from pykubeproxy.rules.ruleset import Ruleset, render
from tests.builders import options, snapshot
from tests.corpus import GOLDEN, TESTS
from tests.fuzz.rule_lines import check_lines
from tests.packets import Client, Destination, packet

_FOLDERS = ("dual-stack", "session-affinity", "loadbalancer-source-ranges", "nodeport-local", "headless")
_LONGEST_PAUSE = 3600.0


@dataclass(frozen=True)
class Target:
    """A parser: what it is called, what it reads, inputs that it accepts, and the errors that it may raise."""

    name: str
    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...] = field(repr=False)
    errors: tuple[type[Exception], ...] = ()


@cache
def targets() -> tuple[Target, ...]:
    """All of them."""
    return (
        Target("iptables-save text", _dump, _dumps(), (DumpError,)),
        Target("manifest", _manifest, (*_manifests(), *_objects())),
        Target("object", _object, _objects(), (msgspec.DecodeError,)),
        Target("watch", _watch, _watch_lines()),
        Target("list", _list, _lists()),
        Target("error answer", _answer, (*_watch_lines()[-2:], b'{"code": 410, "details": {"retryAfterSeconds": 3}}')),
        Target("configuration file", _config, _configs(), (ConfigError,)),
        Target("flag value", _flags, (b"0.0.0.0/0,::/0", b"1h2m3s", b"true", b"10256", b"A=true,B=false", b"x=2,y=3")),
        Target("address", _address, (b"10.0.0.1", b"fd00::1", b"::ffff:1.2.3.4", b"10.0.0.0/8", b"::ffff:0:0/96")),
        Target("conntrack message", _flow, _flow_messages()),
        Target("netlink datagram", _datagram, _datagrams()),
    )


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


# Rules


def _dump(data: bytes) -> None:
    """What somebody else has put into the kernel: it is read, compared, repaired, cleaned up and traced."""
    lines = _text(data).splitlines()
    live = parse(lines)
    desired = _desired()
    assert parse(lines, known=desired).tables == live.tables
    rules = [rule for table in live.tables.values() for its in table.chains.values() for rule in its]
    for line in (*Payload(diff(desired, live)), *Payload(cleanup(live))):
        # Of foreign text, nothing is written back but the names of chains, and rules to be deleted.
        assert "\n" not in line or any(line[3:] in rule for rule in rules)
    live_udp_frontends(live)
    tracer = Tracer(live, Environment(addresses=()))
    tracer.trace(packet(Destination("10.96.0.1", "tcp", 80), Client("10.244.0.9", "cni0")))


@cache
def _desired() -> Ruleset:
    text = (GOLDEN / "dual-stack" / "ipv4.save").read_text()
    return parse(text.splitlines())


def _dumps() -> tuple[bytes, ...]:
    saved = [(GOLDEN / folder / "ipv4.save").read_bytes() for folder in _FOLDERS]
    counted = saved[0].replace(b"\n-A ", b"\n[12:3456] -A ")
    foreign = b'*filter\n:INPUT ACCEPT [1:2]\n:MY - [0:0]\n-A INPUT -m comment --comment "a\nb \\"c\\"" -j MY\nCOMMIT\n'
    return (*saved, counted, foreign)


# Objects


def _manifest(data: bytes) -> None:
    parsed = parse_manifest(_text(data), "f", ALL)
    assert all(input_note_text(note).isprintable() for note in parsed.notes)
    _check_rules(snapshot(*parsed.objects.values()))


def _object(data: bytes) -> None:
    """Whatever the API server sends as an object: what is used of it makes rules that say what they should."""
    for resource in (SERVICES, ENDPOINT_SLICES, own_node("node-0")):
        tracker = Tracker(resource)
        tracker.begin_list()
        tracker.put(data)
        tracker.end_list()
        tracker.remove(data)
        tracker.put(data)
        _check_rules(snapshot(*tracker.take().put))


def _check_rules(known: Snapshot) -> None:
    for family in Family:
        ruleset = compile_ruleset(known, options(family, dispatch=Dispatch.TREE))
        check_lines(ruleset)
        assert parse(render(ruleset)).tables == ruleset.tables


@cache
def _objects() -> tuple[bytes, ...]:
    files = [yaml.safe_load_all((GOLDEN / folder / "objects.yaml").read_text()) for folder in _FOLDERS]
    return tuple(msgspec.json.encode(obj) for documents in files for obj in documents)


def _manifests() -> tuple[bytes, ...]:
    texts = [(GOLDEN / folder / "objects.yaml").read_bytes() for folder in _FOLDERS]
    listed = [b'{"kind":"List","apiVersion":"v1","items":[' + b",".join(_objects()[:4]) + b"]}"]
    typed = [b'{"kind":"ServiceList","apiVersion":"v1","items":[' + b",".join(_objects()[:2]) + b"]}"]
    return (*texts, *listed, *typed)


# The API server


def _watch(data: bytes) -> None:
    """Lines of a watch, good and bad ones: the protocol goes on whatever has come."""
    protocol = WatchProtocol(Tracker(SERVICES), can_stream=True, watch_seconds=lambda: 300)
    for line in data.splitlines()[:50]:
        protocol.take(ListBody(line) if isinstance(protocol.command, RequestList) else EventLine(line))
    protocol.take(ListBody(data) if isinstance(protocol.command, RequestList) else WatchEnded())


def _list(data: bytes) -> None:
    """Answers to lists."""
    protocol = WatchProtocol(Tracker(ENDPOINT_SLICES), can_stream=False, watch_seconds=lambda: 300)
    for _ in range(4):
        protocol.take(ListBody(data) if isinstance(protocol.command, RequestList) else EventLine(data))


def _answer(data: bytes) -> None:
    error = refused(500, data, _text(data)[:100])
    assert len(str(error).splitlines()) <= 1
    assert 0 <= (error.retry_after or 0) <= _LONGEST_PAUSE


def _watch_lines() -> tuple[bytes, ...]:
    objects = _objects()
    kinds = cycle((b"ADDED", b"MODIFIED", b"DELETED"))
    events = [b'{"type":"' + kind + b'","object":' + obj + b"}" for kind, obj in zip(kinds, objects, strict=False)]
    version = b'{"kind":"Service","apiVersion":"v1","metadata":{"resourceVersion":"12"'
    mark = b',"annotations":{"k8s.io/initial-events-end":"true"}}}}'
    bookmark = b'{"type":"BOOKMARK","object":' + version + mark
    gone = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}'
    return (*events, b"\n".join([*events[:3], bookmark, *events[3:6]]), bookmark, gone)


def _lists() -> tuple[bytes, ...]:
    items = b",".join(_objects()[1:5])
    whole = b'{"kind":"ServiceList","metadata":{"resourceVersion":"7"},"items":[' + items + b"]}"
    page = whole.replace(b'"7"', b'"7","continue":"abc","remainingItemCount":3')
    return whole, page, *_watch_lines()[-2:]


# Configuration


def _config(data: bytes) -> None:
    check(complete({}, data, "node-0"))


def _flags(data: bytes) -> None:
    for flag in FLAGS:
        with suppress(ValueError):
            flag.type.combine([flag.type.read(_text(data))])


def _configs() -> tuple[bytes, ...]:
    folder = TESTS / "config" / "data"
    files = [path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in (".conf", ".yaml", ".json")]
    head = b"apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
    return (*files, write(DEFAULTS).encode(), head + b"clusterCIDR: 10.0.0.0/8\niptables: {syncPeriod: 30s}\n")


def _address(data: bytes) -> None:
    text = _text(data)
    for found in (parse_ip(text), parse_cidr(text)):
        assert found is None or (found.text.isascii() and found.text.isprintable() and " " not in found.text)


# The kernel


def _flow(data: bytes) -> None:
    for protocol in (Protocol.TCP, Protocol.UDP):
        flow = conntrack_wire.FlowReader(Family.IPV6 if data[:1] == b"\n" else Family.IPV4, protocol).read(data)
        if flow is not None:
            conntrack_wire.identity(flow.entry)


def _flow_messages() -> tuple[bytes, ...]:
    found = []
    for family, width in ((Family.IPV4, 4), (Family.IPV6, 16)):
        ends = [bytes([number]) * width + struct.pack("!H", 1000 + number) for number in (1, 2, 3)]
        for protocol in (17, 6):
            original = conntrack_wire.direction(conntrack_wire.ORIGINAL, ends[0], ends[1], protocol)
            reply = conntrack_wire.direction(conntrack_wire.REPLY, ends[2], ends[0], protocol)
            zone = attribute(18, struct.pack("!H", 7)) + attribute(12, struct.pack("!I", 99))
            found += [nfnetlink.nfgenmsg(family.address_family) + original + reply + rest for rest in (b"", zone)]
    return tuple(found)


class _Netlink(Netlink):
    """Answers every request with the same datagram."""

    answer = b""

    def dump_all(self, what: str, kind: int, body: bytes) -> list[NetlinkMessage]:
        """What the datagram holds."""
        del what, kind, body
        return list(netlink._messages(self.answer))


def _datagram(data: bytes) -> None:
    """A datagram, taken for each kind of answer in turn."""
    _Netlink.answer = data
    with mock.patch.object(rtnetlink, "Netlink", _Netlink):
        for ask in (interfaces.interface_addresses, routes.kernel_routes):
            with suppress(NetlinkError):
                ask()
    for message in netlink._messages(data):
        generations._generation(message)


def _datagrams() -> tuple[bytes, ...]:
    address = struct.pack("=BBBBI", 2, 24, 0, 0, 1) + attribute(1, bytes(4)) + attribute(2, b"\x0a\x00\x00\x01")
    hop = struct.pack("=HBBi", 16, 0, 0, 1) + attribute(5, b"\x0a\x00\x00\x02")
    route = struct.pack("=BBBBBBBBI", 2, 16, 0, 0, 254, 0, 0, 1, 0) + attribute(1, b"\x0a\x00\x00\x00")
    several = nested(9, hop, hop)
    generation = (
        bytes(4) + attribute(1, struct.pack("!I", 9)) + attribute(2, struct.pack("!I", 8)) + attribute(3, b"x\0")
    )
    bodies = (address, route + attribute(4, struct.pack("=I", 1)), route + several, generation)
    return tuple(struct.pack("=IHHII", 16 + len(body), 24, 2, 1, 0) + body for body in bodies)
