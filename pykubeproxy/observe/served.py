"""Whom the live rules serve: which endpoint chains belong to which Service port, and the share that each should get.

Told from the rules alone, kube-proxy's or ours, with or without comments (`iptables-rules.md` sections 7 and 8). All
chains of one Service port but those of its endpoints have one hash in their names; so whatever rule leads to one of
them can tell the name for all. Pure.
"""

import msgspec

from pykubeproxy.plan.owners import destination, title_of
from pykubeproxy.rules import names
from pykubeproxy.rules.ruleset import Lines, Ruleset

_POLICIES = (names.CLUSTER_POLICY, names.LOCAL_POLICY)
_TO_CLUSTER_IP = ' cluster IP" '


class ServedPort(msgspec.Struct, kw_only=True):
    """One Service port in the rules.

    `title` is `namespace/name:port`, empty if no rule tells. `policies` are the endpoint chains that its policy chains
    spread traffic over, groups of them included; `serving` is the policy chain that its cluster IP leads to.
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
    """All Service ports in the nat table of one family, found by the hash in their chains' names."""

    def __init__(self, ruleset: Ruleset) -> None:
        table = ruleset.tables.get("nat")
        self._chains = table.chains if table is not None else {}
        self.ports: dict[str, ServedPort] = {}
        self._owners: dict[str, str] = {}
        for chain, lines in self._chains.items():
            if chain.startswith("KUBE-") and not chain.startswith(names.ENDPOINT):
                self._learn(chain, lines)

    def owner(self, chain: str) -> str:
        """The hash of the Service port that an endpoint chain belongs to; empty if no policy chain leads there."""
        return self._owners.get(chain, "")

    def endpoint(self, chain: str) -> str:
        """Where an endpoint chain sends traffic, as `ip:port`."""
        return destination(self._chains.get(chain, ()))

    def has_namespace(self, namespace: str) -> bool:
        """True if a Service port of that namespace is served."""
        return any(port.namespace == namespace for port in self.ports.values())

    def _learn(self, chain: str, lines: Lines) -> None:
        """What the rules of one chain tell: whose chains they lead to, and what these are for."""
        own = names.service_hash(chain)
        for line in lines:
            target = line.rpartition(" -j ")[2]
            if own and target.startswith(names.ENDPOINT):
                self._owners[target] = own
                policy = chain[: len(names.CLUSTER_POLICY) + len(own)]
                self._port(own).policies.setdefault(policy, {})[target] = None
            elif target.startswith(names.HASHED_PREFIXES):
                self._name(line, target)

    def _name(self, line: str, target: str) -> None:
        """Learn from a rule that leads to a Service port's own chain."""
        hashed = names.service_hash(target)
        if not hashed:
            return
        port = self._port(hashed)
        if not port.title:
            port.title = title_of(line)
        if _TO_CLUSTER_IP in line and target.startswith(_POLICIES):
            port.serving = target

    def _port(self, hashed: str) -> ServedPort:
        return self.ports.setdefault(hashed, ServedPort())
