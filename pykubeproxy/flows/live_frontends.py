"""The UDP frontends that live rules serve, read back from them.

A Service that was deleted while no proxy ran is known to nobody but the rules that are still there. Their frontends
tell, before those rules are removed, which flows may have to go with them (`flows.stale`).
"""

from collections.abc import Iterator

from pykubeproxy.flows.stale import Frontend, pack_frontend
from pykubeproxy.rules import names
from pykubeproxy.rules.reading import read
from pykubeproxy.rules.ruleset import Ruleset

_SERVICE_CHAINS = (names.CLUSTER_POLICY, names.LOCAL_POLICY, names.EXTERNAL, names.SOURCE_RANGES)


def live_udp_frontends(live: Ruleset) -> frozenset[Frontend]:
    """The frontends of all UDP ServicePorts in `live`, as kube-proxy or this program has written it."""
    return frozenset(_frontends(live))


def _frontends(live: Ruleset) -> Iterator[Frontend]:
    for lines in live.chains("nat").values():
        for line in lines:
            view = read(line) if " -p udp " in line and " --dport " in line else None
            if view is not None and view.port and view.target.startswith(_SERVICE_CHAINS):
                yield pack_frontend(view.address, view.port)
