"""A pod: which addresses are its own, and where it runs. Only names need it; no rule depends on one.

Source: the Pod API (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/).
"""

from typing import NamedTuple

import msgspec

from pykubeproxy.model.ip import IP


class PodKey(NamedTuple):
    """What names a Pod."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Pod(msgspec.Struct, frozen=True, kw_only=True):
    """A Pod object, reduced to what tells whose address one is.

    It has no `node_name` before it is placed, and no `ips` before it starts, nor once it has ended: others may have
    them by then. On the host's network they are its node's.
    """

    key: PodKey
    node_name: str = ""
    ips: tuple[IP, ...] = ()
    is_on_host_network: bool = False
