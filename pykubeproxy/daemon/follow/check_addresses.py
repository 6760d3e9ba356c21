"""The local addresses on which health checks of Services are answered.

kube-proxy finds them once (`docs/reference/health-and-metrics.md` section 4). Here they are found after every sync,
since the node's addresses may change.
"""

from collections.abc import Callable

from pykubeproxy import logger
from pykubeproxy.host.errors import HostError
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node

log = logger.get()

AddressesFor = Callable[[Node | None, Family], tuple[str, ...] | None]
"""The addresses of a family, `Node` being this node's object if there is one; None for all. May raise HostError."""


class CheckAddresses:
    """Calls `ask`. If that fails, the last answer stays; before the first answer, it is all, as in kube-proxy."""

    def __init__(self, ask: AddressesFor) -> None:
        self._ask = ask
        self._known: dict[Family, tuple[str, ...] | None] = {}

    def __call__(self, node: Node | None, family: Family) -> tuple[str, ...] | None:
        """The addresses as of now; None for all. `node` is this node's Node object, if there is one."""
        try:
            self._known[family] = self._ask(node, family)
        except HostError as error:
            log.warning("cannot look at the node's addresses; health checks stay where they are", error=str(error))
        return self._known.get(family)
