"""Whom the live rules serve: which endpoint chains belong to which Service port, and the share that each should get.

Told from the rules alone, kube-proxy's or ours, with or without comments (`docs/reference/iptables-rules.md` sections 7
and 8). All chains of one Service port but those of its endpoints have one hash in their names; so whatever rule leads
to one of them can tell the name for all. Pure.
"""

import msgspec

from pykubeproxy.rules import names
from pykubeproxy.rules.reading import kind_of, read, target_of, title_of
from pykubeproxy.rules.ruleset import Lines, Ruleset
from pykubeproxy.rules.text import RuleKind
from pykubeproxy.traffic.counters import sends_to_endpoint

_POLICIES = (names.CLUSTER_POLICY, names.LOCAL_POLICY)


class ServedPort(msgspec.Struct, kw_only=True):
    """One Service port in the rules.

    `title` is `namespace/name:port`, empty if no rule tells. `policies` are, by policy chain, the endpoint chains that
    it spreads traffic over, with those of its groups; `serving` is the policy chain that the cluster IP leads to.
    """

    title: str = ""
    serving: str = ""
    policies: dict[str, dict[str, None]] = {}

    @property
    def namespace(self) -> str:
        """The Service's namespace."""
        return self.title.partition("/")[0]

    @property
    def endpoint_chains(self) -> dict[str, None]:
        """The chains of all its endpoints, by whatever way traffic gets there."""
        return {chain: None for chains in self.policies.values() for chain in chains}

    def expected(self, chain: str) -> float | None:
        """The share of traffic that an endpoint chain should get; None if traffic to the cluster IP never gets there.

        Where the rules refuse the cluster IP, what serves the external addresses counts.
        """
        serving = next((name for name in (self.serving, *self.policies) if name in self.policies), "")
        chains = self.policies.get(serving, {})
        return 1 / len(chains) if chain in chains else None


class Served:
    """The Service ports with endpoints in the nat table of one family, by the hash in their chains' names."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._chains = ruleset.chains("nat")
        self._owners: dict[str, str] = {}
        ports: dict[str, ServedPort] = {}
        for chain, lines in self._chains.items():
            if chain.startswith("KUBE-") and not chain.startswith(names.ENDPOINT):
                self._learn(chain, lines, ports)
        self.ports = {hashed: port for hashed, port in ports.items() if port.policies}

    def owner(self, chain: str) -> str:
        """The hash of the Service port that an endpoint chain belongs to; empty if no policy chain leads there."""
        return self._owners.get(chain, "")

    def target(self, chain: str) -> tuple[str, str]:
        """The protocol of an endpoint chain, and where it sends traffic, as `ip:port`; both empty if it does not."""
        for line in self._chains.get(chain, ()):
            if sends_to_endpoint(line):
                view = read(line)
                return view.protocol.upper(), view.endpoint
        return "", ""

    def _learn(self, chain: str, lines: Lines, ports: dict[str, ServedPort]) -> None:
        """What the rules of one chain tell: whose chains they lead to, and what these are for."""
        own = names.service_hash(chain)
        for line in lines:
            target = target_of(line)
            if not target.startswith(names.HASHED_PREFIXES):
                continue
            is_endpoint = target.startswith(names.ENDPOINT)
            hashed = own if is_endpoint else names.service_hash(target)
            if not hashed:
                continue
            port = ports.setdefault(hashed, ServedPort())
            port.title = port.title or title_of(line)
            if is_endpoint:
                self._owners[target] = hashed
                port.policies.setdefault(_policy(chain, hashed), {})[target] = None
            elif target.startswith(_POLICIES) and kind_of(line) is RuleKind.CLUSTER_IP:
                port.serving = target


def _policy(chain: str, hashed: str) -> str:
    """The policy chain that `chain` is, or is a group of."""
    return chain.partition(hashed)[0] + hashed
