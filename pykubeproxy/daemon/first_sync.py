"""What has to be known before the first sync: without it, the sync would remove rules that are needed."""

from collections.abc import Collection

from pykubeproxy.daemon.messages import POD_CIDRS
from pykubeproxy.model.node import Node


class FirstSync:
    """Knows which kinds of objects have not been listed yet, and whether this node's pod CIDRs are still missing.

    A list is waited for without limit. The wait for pod CIDRs, which only some configurations need, ends `timeout`
    seconds after Nodes were listed.
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
        """The time at which the wait for pod CIDRs ends without success; None if they are not waited for."""
        if self._node_listed_at is None or POD_CIDRS not in self._missing:
            return None
        return self._node_listed_at + self._timeout

    @property
    def timeout_message(self) -> str:
        """Why the wait ended without success, in kube-proxy's words."""
        if self._node_exists:
            return f'timeout waiting for PodCIDR allocation on node "{self._node_name}"'
        return f'timeout waiting for node "{self._node_name}" to exist'

    def listed(self, kinds: Collection[str], now: float) -> None:
        """A source has sent all objects of these kinds."""
        if "Node" in kinds and self._node_listed_at is None:
            self._node_listed_at = now
        self._missing.difference_update(kinds)

    def saw_node(self, node: Node | None) -> None:
        """This node's Node object was added or changed; None if there is none."""
        self._node_exists = node is not None
        if node is not None and node.pod_cidrs:
            self._missing.discard(POD_CIDRS)
