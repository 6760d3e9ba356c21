"""Whatever the text in an object: no word of it is in a rule, others are served, and the log tells, line by line."""

import json
import re
import shlex
from collections.abc import Iterator

import pytest

from pykubeproxy.observe.logs import LogFormat
from tests.apiserver import testing
from tests.daemon.node import HEALTHZ, NAME, NFT4, NFT6, Daemon, Node
from tests.security.hostile import MARK, TEXTS, objects

OPTIONS = frozenset(
    [
        "-A",
        "-d",
        "-s",
        "-p",
        "-m",
        "-j",
        "!",
        "--dport",
        "--comment",
        "--mark",
        "--to-destination",
        "--reject-with",
        "--set-xmark",
        "--random-fully",
        "--mode",
        "--probability",
        "--src-type",
        "--dst-type",
        "--ctstate",
        "--limit-iface-in",
        "--xor-mark",
        "--on-ip",
        "--icmp-type",
    ]
)
VALUE = re.compile(r"[A-Za-z0-9:][A-Za-z0-9./:_,-]*")
COMMENT = re.compile(r"[a-zA-Z0-9 ./:;>,-]+")
LONGEST_LINE = 3000


def served(node: Node, daemon: Daemon, endpoint: str) -> None:
    """See to it that a Service which nothing is wrong with follows its endpoints."""
    node.api.apply(testing.endpoint_slice("good", endpoint))
    daemon.wait(lambda: f"--to-destination {endpoint}:8080\n" in node.dump(), f"{endpoint} behind default/good")


def rules(node: Node) -> Iterator[str]:
    for kind in (NFT4, NFT6):
        yield from node.dump(kind).splitlines()


def is_as_ours(line: str) -> bool:
    """True for a line of iptables-save that has nothing in it but what our rules are made of."""
    if line in ("COMMIT", "*nat", "*filter", "*mangle", "*raw", "*security"):
        return True
    if line.startswith(":"):
        return re.fullmatch(r":[A-Za-z0-9./:-]{1,28} (ACCEPT|-) \[\d+:\d+\]", line) is not None
    words = shlex.split(line)
    texts = [words[i + 1] for i, word in enumerate(words) if word == "--comment"]
    values = [word for word in words if word not in OPTIONS and word not in texts]
    return all(COMMENT.fullmatch(text) for text in texts) and all(VALUE.fullmatch(word) for word in values)


def check(node: Node, number: int) -> None:
    lines = list(rules(node))
    assert len(lines) > number, "there are rules to look at"
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
    bad = [obj for number, text in enumerate(TEXTS) for obj in objects(text, number)]
    listed, watched = bad[::2], bad[1::2]
    for obj in listed:
        api.inject(obj)
    daemon = node.start("--v=10", f"--log-format={log_format}")
    served(node, daemon, "10.244.0.5")
    check(node, 50)
    for obj in watched:
        api.inject(obj)
    served(node, daemon, "10.244.0.6")
    check(node, 50)
    daemon.wait(lambda: daemon.get("/healthz", HEALTHZ)[0] == 200, "health")
    assert MARK not in daemon.get("/metrics")[1].decode().lower()

    for kind, ours in (("Service", ("good", "kubernetes")), ("EndpointSlice", ("good", "kubernetes"))):
        for obj in api.objects(kind):
            if obj["metadata"]["name"] not in ours:
                api.delete(kind, obj["metadata"]["namespace"], obj["metadata"]["name"])
    served(node, daemon, "10.244.0.7")
    assert [line for line in rules(node) if "10.244.6.6" in line] == []
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
