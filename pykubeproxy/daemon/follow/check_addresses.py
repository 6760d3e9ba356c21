"""On which addresses the health checks of Services are answered (`docs/reference/health-and-metrics.md` section 4).

kube-proxy asks once, when it knows its Node object. Here it is asked after every sync: the node's addresses may change,
and rules follow them as well.
"""

from collections.abc import Callable

import structlog

from pykubeproxy.host.errors import HostError
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node

log = structlog.get_logger()

AddressesFor = Callable[[Node | None, Family], tuple[str, ...] | None]
"""The addresses of a family, `Node` being this node's object if there is one; None for all. May raise HostError."""


class CheckAddresses:
    """What `ask` says; where it fails, what it said last, and before that all addresses, as in kube-proxy."""

    def __init__(self, ask: AddressesFor) -> None:
        self._ask = ask
        self._known: dict[Family, tuple[str, ...] | None] = {}

    def __call__(self, node: Node | None, family: Family) -> tuple[str, ...] | None:
        """The addresses as they are now; None for all."""
        try:
            self._known[family] = self._ask(node, family)
        except HostError as error:
            log.warning("cannot look at the node's addresses; health checks stay where they are", error=str(error))
        return self._known.get(family)
