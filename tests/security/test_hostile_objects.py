"""Whatever the text in an object: no word of it is in a rule, others are served, and the log tells, line by line."""

import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from pykubeproxy.observe.logs import LogFormat
from tests.apiserver import testing
from tests.apiserver.objects import JsonObject
from tests.daemon.node import HEALTHZ, NAME, NFT4, NFT6, Daemon, Node

MARK = "evil"
"""In each text, in some case; nothing else has it."""

TEXTS = (
    f"{MARK}\n-A INPUT -j ACCEPT",
    f"{MARK}\nCOMMIT\n*nat\n-F\nCOMMIT",
    f'{MARK}" -j ACCEPT -m comment --comment "',
    f"{MARK}'; iptables -F #",
    f"${{{MARK}}}$({MARK})`{MARK}`",
    f"{MARK}\x00\r\x1b[2J\x1b]0;{MARK}\x07\x9b",
    f"\u202e{MARK}\u2028\u2029\u0085\ufeff",
    f"{MARK}\u0435\u0456\U0001f4a9",
    f"\n2026-11-22T00:00:00Z [info     ] {MARK}",
    f'", "event": "{MARK}',
    f"{MARK} " * 2000,
    MARK.upper(),
)
# Where a text is put: a key `%` is the text itself, `[]` a list with nothing but the text in it.
IN_SERVICES = (
    *("metadata name", "metadata namespace", "metadata annotations %", "metadata labels %"),
    *("spec type", "spec clusterIP", "spec clusterIPs []", "spec externalIPs []", "spec loadBalancerSourceRanges []"),
    *("spec sessionAffinity", "spec externalTrafficPolicy", "spec trafficDistribution"),
    *(f"spec ports 0 {name}" for name in ("name", "protocol", "port", "nodePort", "targetPort")),
    *("status loadBalancer ingress 0 ip", "status loadBalancer ingress 0 hostname"),
)
IN_SLICES = (
    *("metadata name", "metadata namespace", "metadata labels kubernetes.io/service-name", "addressType"),
    *("endpoints 0 addresses []", *(f"endpoints 0 {name}" for name in ("nodeName", "zone", "hostname", "hints"))),
    *("ports 0 name", "ports 0 port", "ports 0 protocol"),
)

OPTION = re.compile(r"!|--?[a-z-]+|-[A-Z]")
VALUE = re.compile(r"[A-Za-z0-9:][A-Za-z0-9./:_,-]*")
COMMENT = re.compile(r"[a-zA-Z0-9 ./:;>,-]+")
LONGEST_LINE = 3000


def hostile_objects(text: str, number: int) -> Iterator[JsonObject]:
    """Objects with this text in every place where there can be one; `number` tells those of several texts apart."""
    for index, place in enumerate(IN_SERVICES + IN_SLICES):
        name, address = f"bad-{number}-{index}", f"10.96.{66 + number}.{index}"
        if index < len(IN_SERVICES):
            made = testing.service(name, type="LoadBalancer", clusterIP=address, clusterIPs=[address])
            made["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.66"}]}}
        else:
            made = testing.endpoint_slice(name, "10.244.6.6", of="neighbour")
        put(text, made, *place.split())
        yield made


def put(text: str, into: Any, *place: str) -> None:
    """Put a text at a place of an object."""
    key: Any = 0 if place[0] == "0" else text if place[0] == "%" else place[0]
    if place[1:] in ((), ("[]",)):
        into[key] = [text] if place[1:] else text
    else:
        put(text, into[key] if key == 0 else into.setdefault(key, {}), *place[1:])


def served(node: Node, daemon: Daemon, endpoint: str) -> None:
    """See to it that a Service which nothing is wrong with follows its endpoints."""
    node.api.apply(testing.endpoint_slice("good", endpoint))
    daemon.wait(lambda: f"--to-destination {endpoint}:8080\n" in node.dump(), f"{endpoint} behind default/good")


def is_as_ours(line: str) -> bool:
    """True for a line of iptables-save that has nothing in it but what our rules are made of."""
    if line in ("COMMIT", "*nat", "*filter", "*mangle", "*raw", "*security"):
        return True
    if line.startswith(":"):
        return re.fullmatch(r":[A-Za-z0-9./:-]{1,28} (ACCEPT|-) \[\d+:\d+\]", line) is not None
    words = shlex.split(line)
    return all(
        (COMMENT if before == "--comment" else VALUE).fullmatch(word) or OPTION.fullmatch(word)
        for before, word in pairwise(("", *words))
    )


def check_rules(node: Node) -> None:
    lines = [line for kind in (NFT4, NFT6) for line in node.dump(kind).splitlines()]
    assert len(lines) > 50, "there are rules to look at"
    assert [line for line in lines if MARK in line.lower()] == []
    assert [line for line in lines if not is_as_ours(line)] == []
    built_in = [line for line in lines if re.match(r"-A (INPUT|OUTPUT|FORWARD|PREROUTING|POSTROUTING) ", line)]
    assert all(re.search(r" -j KUBE-[A-Z-]+$", line) for line in built_in), built_in


@pytest.mark.parametrize("log_format", LogFormat)
def test_no_word_of_it_is_in_a_rule_and_others_are_served(node: Node, log_format: LogFormat) -> None:
    api = node.api
    api.create(testing.node(NAME, "192.0.2.1"))
    api.create(testing.service("good", clusterIP="10.96.0.20"))
    api.create(testing.service("neighbour", clusterIP="10.96.0.21"))
    bad = [obj for number, text in enumerate(TEXTS) for obj in hostile_objects(text, number)]
    listed, watched = bad[::2], bad[1::2]
    for obj in listed:
        api.inject(obj)
    daemon = node.start("--v=10", f"--log-format={log_format}")
    served(node, daemon, "10.244.0.5")
    check_rules(node)
    for obj in watched:
        api.inject(obj)
    served(node, daemon, "10.244.0.6")
    check_rules(node)
    daemon.wait(lambda: daemon.get("/healthz", HEALTHZ)[0] == 200, "health")
    assert MARK not in daemon.get("/metrics")[1].decode().lower()

    daemon.end()
    check_log(daemon.log, log_format, len(bad))


def check_log(log: str, log_format: LogFormat, objects: int) -> None:
    """One line on each thing that was left out, and no line that somebody else has written."""
    lines = log.removesuffix("\n").split("\n")
    assert all(line.isprintable() for line in lines), [line for line in lines if not line.isprintable()]
    assert [line[:200] for line in lines if len(line) >= LONGEST_LINE] == []
    if log_format is LogFormat.JSON:
        events = [json.loads(line)["event"] for line in lines]
    else:
        prefix = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z \[(info|warning|error|debug) *\] ")
        assert all(prefix.match(line) for line in lines), [line for line in lines if not prefix.match(line)]
        events = [line[line.index("]") + 2 :] for line in lines]
    # A sync is logged with the names of Services: those that can be used at all.
    told = [event for event in events if MARK in event.lower() and not event.startswith(("synced ", "service "))]
    assert objects // 2 < len(told) < 3 * objects, "most objects had something to be told of"
    assert [event for event in told if not re.match(r"(Service|EndpointSlice) ", event)] == []
