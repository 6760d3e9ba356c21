"""Random rulesets, such as no person would write, that iptables accepts all the same."""

import random
import re
from collections.abc import Callable, Iterator

from pykubeproxy.model.route import Route
from pykubeproxy.netfilter import Environment, local_address
from tests.builders import cidr, ip
from tests.netfilter.corpus_lab import LENGTH, NODE, POD_ENDS, POD_NETWORK, ROUTER

PORTS = (1000, 1001, 1002, 1003)
FIRST_SOURCE_PORT = 20_000

CLIENT = {4: "10.244.0.9", 6: "fd00:10:244::9"}
SERVERS = {4: ("10.9.1.2", "10.9.1.3", "10.96.0.1"), 6: ("fd00:9:1::2", "fd00:9:1::3", "fd00:96::1")}
TO_CLIENT = {version: own for version, (own, _) in POD_ENDS["cni0"].items()}
_WIDE = {4: ("10.0.0.0/8", "10.9.1.0/24", "127.0.0.0/8"), 6: ("fd00::/16", "fd00:9:1::/64", "::1/128")}

_TYPES = {
    4: ("LOCAL", "UNICAST", "BROADCAST", "LOCAL,BROADCAST", "MULTICAST"),
    6: ("LOCAL", "UNICAST", "LOCAL,UNICAST", "MULTICAST"),
}
_STATES = ("NEW", "NEW,DNAT", "DNAT", "SNAT", "INVALID", "UNTRACKED", "RELATED,ESTABLISHED", "ESTABLISHED,SNAT,DNAT")
_HOOKS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
_WITHOUT_INPUT_DEVICE = ("OUTPUT", "POSTROUTING")
_WITHOUT_OUTPUT_DEVICE = ("PREROUTING", "INPUT")

# Words in braces are drawn anew each time.
_UDP = (
    "-m udp {no}--dport {port}",
    "-m udp --dport {range}",
    "-m udp --sport 1024:65535",
    f"-m udp {{no}}--sport {FIRST_SOURCE_PORT}:{FIRST_SOURCE_PORT + 4}",
    "-m multiport {no}--dports {pair}",
    "-m multiport --ports 1:{pair}",
    "-m udp",
)
# By subject, so that each is as frequent.
_MATCHES = (
    ("-m mark {no}--mark {bits}/{mask}", "-m connmark {no}--mark {bits}/{mask}"),
    (
        "-m conntrack {no}--ctstate {state}",
        "-m conntrack {no}--ctorigdst {network}",
        "-m conntrack {no}--ctreplsrc {network}",
        "-m conntrack {no}--ctorigdstport {port}",
        "-m conntrack --ctstate NEW {no}--ctorigsrc {network}",
        "-m conntrack --ctdir ORIGINAL",
        "-m state {no}--state NEW",
    ),
    ("-m addrtype {no}--src-type {type}{limit}", "-m addrtype {no}--dst-type {type}{limit}"),
    (
        '-m comment --comment "a \\"quoted\\" word, -j DROP"',
        "-m iprange {no}--src-range {servers}",
        "-m iprange --dst-range {servers}",
        "-m pkttype {no}--pkt-type unicast",
        "-m statistic --mode random --probability 1.0",
        "-m helper ! --helper ftp",
    ),
)
_CHANGE = "{operation} {bits}"
_TARGETS = {
    "": (
        *("-j RETURN", "-j ACCEPT", "", f"-j MARK {_CHANGE}", f"-j CONNMARK {_CHANGE}", "-j CONNMARK --save-mark"),
        *("-j CONNMARK --restore-mark --mask 0x3", "-j MARK --set-xmark {bits}/{bits}", "-j NFLOG --nflog-group 9"),
    ),
    "raw": ("-j CT --notrack",),
    "filter": ("-j DROP", "-j REJECT"),
    # Which address the kernel takes for a packet that never leaves is its own affair.
    "nat POSTROUTING": (
        *(f"-m addrtype ! --dst-type LOCAL -j MASQUERADE{option}" for option in ("", " --random-fully")),
        "-j SNAT --to-source {node}",
    ),
    "nat INPUT": ("-j SNAT --to-source {server}",),
    "nat": ("-j DNAT --to-destination {server}", "-j DNAT --to-destination {node}", "-j NETMAP --to {server}"),
    "nat to ports": (
        *("-j DNAT --to-destination {host}:{port}", "-j DNAT --to-destination {host}:1001-1003"),
        *("-j REDIRECT --to-ports 1001-1003", "-j REDIRECT --to-ports {port}"),
    ),
}


def environment(version: int) -> Environment:
    """The node of the lab, as a trace is told of it."""
    ends = {device: its[version] for device, its in POD_ENDS.items()}
    held = {"eth0": NODE[version], **{device: own for device, (own, _) in ends.items()}}
    everything = "0.0.0.0/0" if version == 4 else "::/0"
    return Environment(
        addresses=(
            *(local_address(f"{address}/{LENGTH[version]}", device) for device, address in held.items()),
            *(local_address(address, "lo") for address in ("127.0.0.1/8", "::1")),
        ),
        routes=(
            Route(destination=cidr(str(POD_NETWORK[version])), device="cni0", via=ip(ends["cni0"][1])),
            Route(destination=cidr(everything), device="eth0", via=ip(ROUTER[version])),
        ),
    )


class RandomRules:
    """A source of random rules; the same seed gives the same ones."""

    def __init__(self, seed: int, version: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 (nothing secret)
        servers, node = SERVERS[version], (TO_CLIENT[version], NODE[version])
        networks = (CLIENT[version], *node, *servers, *_WIDE[version], str(POD_NETWORK[version]))
        pick = self._random.choice
        self._words: dict[str, Callable[[], str]] = {
            "no": lambda: "! " if self._random.random() < 0.3 else "",
            "network": lambda: pick(networks),
            "node": lambda: pick(node),
            "server": lambda: pick(servers[:2]),
            "host": lambda: pick(servers[:2]) if version == 4 else f"[{pick(servers[:2])}]",
            "servers": lambda: f"{servers[0]}-{pick((servers[1], node[0]))}",
            "interface": lambda: pick(("cni0", "eth0", "lo", "cn+", "et+", "veth0123")),
            "state": lambda: pick(_STATES),
            "type": lambda: pick(_TYPES[version]),
            "port": lambda: str(pick(PORTS)),
            "pair": lambda: ",".join(self._two_ports()),
            "range": lambda: ":".join(self._two_ports()),
            "bits": lambda: hex(self._random.randint(0, 3)),
            "mask": lambda: pick(("0x1", "0x3", "0xffffffff")),
            "operation": lambda: pick(("--set-mark", "--set-xmark", "--or-mark", "--xor-mark", "--and-mark")),
        }

    def document(self) -> str:
        """A whole ruleset, as input of iptables-restore."""
        return "".join(self._table(table) for table in _HOOKS)

    def _two_ports(self) -> list[str]:
        return [str(port) for port in sorted(self._random.sample(PORTS, 2))]

    def _fill(self, templates: tuple[str, ...], **words: str) -> str:
        template = self._random.choice(templates)
        return re.sub(r"\{(\w+)\}", lambda found: words.get(found[1]) or self._words[found[1]](), template)

    def _table(self, table: str) -> str:
        declared, rules = [], []
        for hook in _HOOKS[table]:
            chains = [hook, *(f"{hook}-{table}-{number}" for number in range(3))]
            policy = "DROP" if table == "filter" and self._random.random() < 0.1 else "ACCEPT"
            declared += [f":{hook} {policy} [0:0]", *(f":{chain} - [0:0]" for chain in chains[1:])]
            for index, chain in enumerate(chains):
                its = (self._rule(table, hook, chain, chains[index + 1 :]) for _ in range(self._random.randint(1, 4)))
                rules += [" ".join(("-A", chain, *words)) for words in its]
        return "\n".join([f"*{table}", *declared, *rules, "COMMIT\n"])

    def _rule(self, table: str, hook: str, chain: str, below: list[str]) -> Iterator[str]:
        chance = self._random.random
        for likelihood, match, without in (
            (0.2, "{no}-s {network}", ()),
            (0.25, "{no}-d {network}", ()),
            (0.15, "{no}-i {interface}", _WITHOUT_INPUT_DEVICE),
            (0.15, "{no}-o {interface}", _WITHOUT_OUTPUT_DEVICE),
        ):
            if chance() < likelihood and not (chain == hook and hook in without):
                yield self._fill((match,))
        is_udp = chance() < 0.4
        if is_udp:
            yield f"-p udp {self._fill(_UDP)}"
        elif chance() < 0.1:
            yield self._fill(tuple(f"{{no}}-p {protocol}" for protocol in ("tcp", "udp", "sctp", "icmp")))
        for _ in range(self._random.choice((0, 0, 1, 1, 2))):
            yield self._fill(self._random.choice(_MATCHES), limit=self._limit(hook))
        yield self._target(table, hook, below, is_udp=is_udp)

    def _limit(self, hook: str) -> str:
        if hook == "FORWARD" or self._random.random() > 0.2:
            return " "
        return " --limit-iface-out" if hook in _WITHOUT_INPUT_DEVICE else " --limit-iface-in"

    def _target(self, table: str, hook: str, below: list[str], *, is_udp: bool) -> str:
        if below and self._random.random() < 0.35:
            return f"{self._random.choice(('-j', '-j', '-g'))} {self._random.choice(below)}"
        its = _TARGETS.get(f"{table} {hook}") or _TARGETS.get(table, ())
        to_ports = _TARGETS["nat to ports"] if its is _TARGETS["nat"] and is_udp else ()
        return self._fill((*_TARGETS[""], *its, *to_ports))
