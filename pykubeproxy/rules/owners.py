"""Which Service a rule or chain belongs to, told from the rules themselves.

Comments name the ServicePort (`namespace/name:port`). Where a large cluster has dropped them from the rules per
endpoint, an endpoint's chain belongs to whatever leads to it.
"""

from pykubeproxy.rules import names
from pykubeproxy.rules.reading import endpoint_of, target_of, title_of
from pykubeproxy.rules.ruleset import Ruleset


class Owners:
    """The ServicePorts that chains of nat belong to, in one Ruleset.

    Looked up from the top: each Service's policy chain knows its name, and the chains below it are its own.
    """

    def __init__(self, ruleset: Ruleset) -> None:
        self._chains = ruleset.chains("nat")
        self._titles: dict[str, str] = {}

    def endpoints(self, chain: str) -> tuple[str, ...]:
        """The endpoints, as `ip:port`, that a policy chain spreads traffic over, groups of them included."""
        found: dict[str, None] = {}
        for line in self._chains.get(chain, ()):
            target = target_of(line)
            if target.startswith(names.ENDPOINT):
                rewritten = map(endpoint_of, self._chains.get(target, ()))
                found.update(dict.fromkeys(filter(None, rewritten)))
            elif target.startswith(f"{chain}-"):
                found.update(dict.fromkeys(self.endpoints(target)))
        return tuple(found)

    def title(self, chain: str) -> str:
        """The ServicePort that a chain belongs to; empty if that cannot be told."""
        own = self._named(chain)
        if own:
            return own
        if chain.startswith(names.ENDPOINT):
            if not self._titles:
                self._learn()
            return self._titles.get(chain, "")
        digest = names.service_hash(chain)
        related = (prefix + digest for prefix in (names.CLUSTER_POLICY, names.EXTERNAL) if digest)
        return next(filter(None, map(self._named, related)), "")

    def _named(self, chain: str) -> str:
        """The ServicePort that a chain's own comments name; empty if none does."""
        return next(filter(None, map(title_of, self._chains.get(chain, ()))), "")

    def _learn(self) -> None:
        """Name all endpoint chains by what leads to them."""
        for chain, lines in self._chains.items():
            if chain.startswith((names.CLUSTER_POLICY, names.LOCAL_POLICY)) and names.service_hash(chain):
                title = self.title(chain)
                for line in lines:
                    self._name(target_of(line), title)

    def _name(self, chain: str, title: str) -> None:
        if chain.startswith(names.ENDPOINT) and chain not in self._titles:
            self._titles[chain] = title
            for line in self._chains.get(chain, ()):
                self._name(target_of(line), title)
