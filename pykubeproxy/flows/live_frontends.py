"""The UDP frontends that live rules serve, read back from them.

A Service that was deleted while no proxy ran is known to nobody but the rules that are still there. Their frontends
tell, before those rules are removed, which flows may have to go with them (`flows.stale`).
"""

import re
from collections.abc import Iterator

from pykubeproxy.flows.stale import Frontend, pack_port, pack_socket
from pykubeproxy.rules.ruleset import Ruleset

_DESTINATION = re.compile(r" -d (\S+)/(?:32|128) ")
_SERVED = re.compile(r" --dport (\d+) .*-j KUBE-(?:SVC|SVL|EXT|FW)-")


def live_udp_frontends(live: Ruleset) -> frozenset[Frontend]:
    """The frontends of all UDP ServicePorts in `live`, as kube-proxy or this program has written it."""
    return frozenset(_frontends(live))


def _frontends(live: Ruleset) -> Iterator[Frontend]:
    table = live.tables.get("nat")
    for lines in table.chains.values() if table is not None else ():
        for line in lines:
            served = _SERVED.search(line) if " -p udp " in line else None
            if not served:
                continue
            destination = _DESTINATION.search(line)
            port = int(served[1])
            yield pack_socket(destination[1], port) if destination else pack_port(port)
