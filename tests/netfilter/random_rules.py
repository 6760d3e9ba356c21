"""Random rulesets, such as no person would write, that iptables accepts all the same."""

import random
from collections.abc import Iterator

from tests.netfilter.kernel_lab import PORTS, Plan

_STATES = ("NEW", "NEW,DNAT", "DNAT", "SNAT", "INVALID", "UNTRACKED", "RELATED,ESTABLISHED", "ESTABLISHED,SNAT,DNAT")
_TYPES = {
    4: ("LOCAL", "UNICAST", "BROADCAST", "LOCAL,BROADCAST", "MULTICAST"),
    6: ("LOCAL", "UNICAST", "LOCAL,UNICAST", "MULTICAST"),
}
_INTERFACES = ("cl", "sv", "lo", "c+", "s+", "eth0")

_HOOKS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
_WITHOUT_INPUT_DEVICE = ("OUTPUT", "POSTROUTING")
_WITHOUT_OUTPUT_DEVICE = ("PREROUTING", "INPUT")


class RandomRules:
    """A source of random rules; the same seed gives the same ones."""

    def __init__(self, seed: int, plan: Plan, source_port: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 (nothing secret)
        self._plan = plan
        self._source_port = source_port
        addresses = (plan.client, plan.to_client, plan.to_server, *plan.servers, plan.service)
        wide = (plan.everything, plan.server_network, plan.client_network, plan.loopback)
        self._networks = (*addresses, *wide)

    def document(self) -> str:
        """A whole ruleset, as input of iptables-restore."""
        return "".join(self._table(table) for table in _HOOKS)

    def _table(self, table: str) -> str:
        groups = {f"{hook}-{table}"[:20]: hook for hook in _HOOKS[table]}
        lines = [f"*{table}"]
        rules: list[str] = []
        for name, hook in groups.items():
            chains = [hook, *(f"{name}-{number}" for number in range(3))]
            policy = "DROP" if table == "filter" and self._random.random() < 0.1 else "ACCEPT"
            lines.append(f":{hook} {policy} [0:0]")
            lines.extend(f":{chain} - [0:0]" for chain in chains[1:])
            for index, chain in enumerate(chains):
                below = chains[index + 1 :]
                many = self._random.randint(1, 4)
                rules.extend(" ".join(("-A", chain, *self._rule(table, hook, chain, below))) for _ in range(many))
        return "\n".join([*lines, *rules, "COMMIT\n"])

    def _rule(self, table: str, hook: str, chain: str, below: list[str]) -> Iterator[str]:
        is_udp = self._random.random() < 0.4
        yield from self._basic(hook, chain)
        if is_udp:
            yield f"-p udp {self._ports()}"
        elif self._random.random() < 0.1:
            yield f"{self._not()}-p {self._random.choice(('tcp', 'udp', 'sctp', 'icmp'))}"
        for _ in range(self._random.choice((0, 0, 1, 1, 2))):
            yield self._random.choice((self._mark, self._state, self._type, self._other))(hook)
        target = self._target(table, hook, below, is_udp=is_udp)
        # Which address the kernel takes for a packet that never leaves is its own affair.
        yield target if "MASQUERADE" not in target else f"-m addrtype ! --dst-type LOCAL {target}"

    def _basic(self, hook: str, chain: str) -> Iterator[str]:
        chance = self._random.random
        if chance() < 0.2:
            yield f"{self._not()}-s {self._random.choice(self._networks)}"
        if chance() < 0.25:
            yield f"{self._not()}-d {self._random.choice(self._networks)}"
        if chance() < 0.15 and (chain != hook or hook not in _WITHOUT_INPUT_DEVICE):
            yield f"{self._not()}-i {self._random.choice(_INTERFACES)}"
        if chance() < 0.15 and (chain != hook or hook not in _WITHOUT_OUTPUT_DEVICE):
            yield f"{self._not()}-o {self._random.choice(_INTERFACES)}"

    def _ports(self) -> str:
        low, high = sorted(self._random.sample(PORTS, 2))
        return self._random.choice(
            (
                f"-m udp {self._not()}--dport {low}",
                f"-m udp --dport {low}:{high}",
                "-m udp --sport 1024:65535",
                f"-m udp {self._not()}--sport {self._source_port}:{self._source_port + 4}",
                f"-m multiport {self._not()}--dports {low},{high}",
                f"-m multiport --ports 1:{low},{high}",
                "-m udp",
            )
        )

    def _mark(self, _hook: str) -> str:
        module = self._random.choice(("mark", "connmark"))
        return f"-m {module} {self._not()}--mark {self._bits()}/{self._random.choice(('0x1', '0x3', '0xffffffff'))}"

    def _state(self, _hook: str) -> str:
        return self._random.choice(
            (
                f"-m conntrack {self._not()}--ctstate {self._random.choice(_STATES)}",
                f"-m conntrack {self._not()}--ctorigdst {self._random.choice(self._networks)}",
                f"-m conntrack {self._not()}--ctreplsrc {self._random.choice(self._networks)}",
                f"-m conntrack {self._not()}--ctorigdstport {self._random.choice(PORTS)}",
                f"-m conntrack --ctstate NEW {self._not()}--ctorigsrc {self._random.choice(self._networks)}",
                "-m conntrack --ctdir ORIGINAL",
                f"-m state {self._not()}--state NEW",
            )
        )

    def _type(self, hook: str) -> str:
        side = self._random.choice(("src", "dst"))
        limit = ""
        if self._random.random() < 0.2:
            limit = " --limit-iface-out" if hook in _WITHOUT_INPUT_DEVICE else " --limit-iface-in"
            limit = "" if hook == "FORWARD" else limit
        return f"-m addrtype {self._not()}--{side}-type {self._random.choice(_TYPES[self._plan.version])}{limit}"

    def _other(self, _hook: str) -> str:
        plan = self._plan
        return self._random.choice(
            (
                '-m comment --comment "a \\"quoted\\" word, -j DROP"',
                f"-m iprange {self._not()}--src-range {plan.servers[0]}-{plan.to_client}",
                f"-m iprange --dst-range {plan.servers[0]}-{plan.servers[1]}",
                f"-m pkttype {self._not()}--pkt-type unicast",
                "-m statistic --mode random --probability 1.0",
                "-m helper ! --helper ftp",
            )
        )

    def _target(self, table: str, hook: str, below: list[str], *, is_udp: bool) -> str:
        if below and self._random.random() < 0.35:
            return f"{self._random.choice(('-j', '-j', '-g'))} {self._random.choice(below)}"
        choices = ["-j RETURN", "-j ACCEPT", "", f"-j MARK {self._mark_change()}", f"-j CONNMARK {self._mark_change()}"]
        choices += ["-j CONNMARK --save-mark", "-j CONNMARK --restore-mark --mask 0x3", "-j NFLOG --nflog-group 9"]
        if table == "raw":
            choices += ["-j CT --notrack"]
        if table == "filter":
            choices += ["-j DROP", "-j REJECT"]
        if table == "nat":
            choices += self._translations(hook, is_udp=is_udp)
        return self._random.choice(choices)

    def _translations(self, hook: str, *, is_udp: bool) -> list[str]:
        plan, port = self._plan, self._random.choice(PORTS)
        if hook == "POSTROUTING":
            return ["-j MASQUERADE", "-j MASQUERADE --random-fully", f"-j SNAT --to-source {plan.to_server}"]
        if hook == "INPUT":
            return [f"-j SNAT --to-source {plan.servers[1]}"]
        anywhere = [
            f"-j DNAT --to-destination {self._random.choice((*plan.servers, plan.to_client))}",
            f"-j NETMAP --to {plan.servers[1]}",
        ]
        to_ports = [
            f"-j DNAT --to-destination {plan.with_port(plan.servers[1], port)}",
            f"-j REDIRECT --to-ports 1001-{max(port, 1002)}",
            f"-j DNAT --to-destination {plan.with_port(plan.servers[0], '1001-1003')}",
            f"-j REDIRECT --to-ports {port}",
        ]
        return anywhere + to_ports if is_udp else anywhere

    def _mark_change(self) -> str:
        operation = self._random.choice(("--set-mark", "--set-xmark", "--or-mark", "--xor-mark", "--and-mark"))
        mask = f"/{self._bits()}" if operation.startswith("--set") and self._random.random() < 0.5 else ""
        return f"{operation} {self._bits()}{mask}"

    def _bits(self) -> str:
        return hex(self._random.randint(0, 3))

    def _not(self) -> str:
        return "! " if self._random.random() < 0.3 else ""
