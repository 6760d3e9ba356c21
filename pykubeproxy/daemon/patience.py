"""How long the daemon waits for others."""

import msgspec

from pykubeproxy.cluster.connections import Timeouts
from pykubeproxy.cluster.outage import Pauses


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds.

    `once` is how long a single sync waits for objects; `pod_cidrs` how long a node may have no pod networks, counted
    from when its Node object was looked for, where rules depend on them (`docs/reference/lifecycle.md` section 6).
    """

    once: float = 60.0
    pod_cidrs: float = 300.0
    api: Timeouts = Timeouts()
    pauses: Pauses = Pauses()
