"""The kinds of objects that are read: where they are in the API, which of them, and how they are read.

A proxy follows three of them. The others only add names to what it shows.

Selectors: `docs/reference/lifecycle.md` section 9.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from pykubeproxy.cluster import translate, wire
from pykubeproxy.cluster.translate import Ignored
from pykubeproxy.model.endpoint import HEADLESS_LABEL
from pykubeproxy.model.service import SERVICE_PROXY_NAME_LABEL
from pykubeproxy.model.snapshot import Object


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """A collection of the API, reduced by selectors, and the way from its wire form to the model.

    `translate` gives None for an object that a proxy has no use for, and raises BadObject.
    """

    kind: str
    plural: str
    group: str = ""
    selectors: dict[str, str]
    wire: type[Any]
    translate: Callable[[Any], tuple[Object | None, tuple[Ignored, ...]]]

    @property
    def api_version(self) -> str:
        """`v1` or `discovery.k8s.io/v1`, as objects have it in `apiVersion`."""
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def is_namespaced(self) -> bool:
        """False for Nodes and ServiceCIDRs, which are in no namespace."""
        return self.kind not in ("Node", "ServiceCIDR")

    @property
    def is_one_object(self) -> bool:
        """True if the selectors leave one object at most."""
        return self.selectors.get("fieldSelector", "").startswith("metadata.name=")

    @property
    def path(self) -> str:
        """The path of the collection, all namespaces together."""
        return f"/{'apis' if self.group else 'api'}/{self.api_version}/{self.plural}"

    @property
    def group_resource(self) -> str:
        """`services` or `endpointslices.discovery.k8s.io`, as RBAC rules and error messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


SERVICES = Resource(
    kind="Service",
    plural="services",
    selectors={"labelSelector": f"!{SERVICE_PROXY_NAME_LABEL}", "fieldSelector": "spec.clusterIP!=None"},
    wire=wire.Service,
    translate=translate.service,
)
ENDPOINT_SLICES = Resource(
    kind="EndpointSlice",
    plural="endpointslices",
    group="discovery.k8s.io",
    selectors={"labelSelector": f"!{HEADLESS_LABEL}"},
    wire=wire.EndpointSlice,
    translate=translate.endpoint_slice,
)
ENDPOINT_SLICES_WITHOUT_PODS = msgspec.structs.replace(
    ENDPOINT_SLICES, translate=partial(translate.endpoint_slice, with_pods=False)
)
"""For who explains nothing to anybody: the names of pods are most of the text in EndpointSlices."""
NODES = Resource(kind="Node", plural="nodes", selectors={}, wire=wire.Node, translate=translate.node)
PODS = Resource(kind="Pod", plural="pods", selectors={}, wire=wire.Pod, translate=translate.pod)
SERVICE_CIDRS = Resource(
    kind="ServiceCIDR",
    plural="servicecidrs",
    group="networking.k8s.io",
    selectors={},
    wire=wire.ServiceCIDR,
    translate=translate.service_cidr,
)

FOLLOWED = (SERVICES, ENDPOINT_SLICES, NODES)
"""The kinds that rules are made of."""

ALL = (*FOLLOWED, PODS, SERVICE_CIDRS)


def own_node(name: str) -> Resource:
    """The Node object of this name and no other."""
    return msgspec.structs.replace(NODES, selectors={"fieldSelector": f"metadata.name={name}"})
