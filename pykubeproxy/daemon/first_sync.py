"""What has to be known before the first sync. Nothing is written until then: it would take rules away."""

from collections.abc import Collection

from pykubeproxy.daemon.messages import POD_CIDRS
from pykubeproxy.model.node import Node


class FirstSync:
    """Waits for kinds of objects to be listed, and for this node's pod networks where rules depend on them.

    A list is waited for without limit. Pod networks are given up `timeout` seconds after the Node was looked for.
    """

    def __init__(self, wait_for: Collection[str], node_name: str, timeout: float) -> None:
        self._missing = set(wait_for)
        self._node_name = node_name
        self._timeout = timeout
        self._node_exists = False
        self._node_listed_at: float | None = None

    @property
    def missing(self) -> frozenset[str]:
        """What is not known yet."""
        return frozenset(self._missing)

    @property
    def given_up_at(self) -> float | None:
        """The time at which waiting makes no more sense; None if it does, or there is nothing to wait for."""
        if self._node_listed_at is None or POD_CIDRS not in self._missing:
            return None
        return self._node_listed_at + self._timeout

    @property
    def timeout_message(self) -> str:
        """What to say when it has been given up, in kube-proxy's words."""
        if self._node_exists:
            return f'timeout waiting for PodCIDR allocation on node "{self._node_name}"'
        return f'timeout waiting for node "{self._node_name}" to exist'

    def listed(self, kinds: Collection[str], now: float) -> None:
        """All objects of these kinds are known that there were at first."""
        if "Node" in kinds and self._node_listed_at is None:
            self._node_listed_at = now
        self._missing.difference_update(kinds)

    def saw_node(self, node: Node | None) -> None:
        """This node's Node object is new, different, or gone (None)."""
        self._node_exists = node is not None
        if node is not None and node.pod_cidrs:
            self._missing.discard(POD_CIDRS)
