"""The cluster as known now: Services, EndpointSlices and Nodes, found by name; Pods and ServiceCIDRs, where asked for.

One thread owns the Snapshot. Each change returns the Services that it touches, so that compiling rules takes time in
proportion to the change, not to the cluster.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pykubeproxy.model.endpoint import Endpoint, EndpointSlice, PortKey, SliceKey, merge_slices
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.pod import Pod, PodKey
from pykubeproxy.model.service import Service, ServiceCIDR, ServiceKey

Object = Service | EndpointSlice | Node | Pod | ServiceCIDR
Touched = frozenset[ServiceKey]

NOTHING: Touched = frozenset()


class ObjectId(NamedTuple):
    """What names an object of the cluster; `namespace` is empty for a Node or a ServiceCIDR."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def identify(obj: Object) -> ObjectId:
    """The kind and name of an object."""
    if isinstance(obj, Node | ServiceCIDR):
        return ObjectId(type(obj).__name__, "", obj.name)
    return ObjectId(type(obj).__name__, *obj.key)


class Snapshot:
    """The objects that are known. `services`, `nodes`, `pods` and `service_cidrs` are for reading.

    `put` and `remove` change them.
    """

    def __init__(self) -> None:
        self.services: dict[ServiceKey, Service] = {}
        self.nodes: dict[str, Node] = {}
        self.pods: dict[PodKey, Pod] = {}
        self.service_cidrs: dict[str, ServiceCIDR] = {}
        self._slices: dict[SliceKey, EndpointSlice] = {}
        # Nearly all Services have one slice: for each a dictionary would take more memory than the slice.
        self._slices_of: dict[ServiceKey, tuple[EndpointSlice, ...]] = {}

    def put(self, obj: Object) -> Touched:
        """Add `obj`, or replace the object of the same kind and name; return the Services whose rules may change."""
        match obj:
            case Service():
                return self._put_service(obj)
            case EndpointSlice():
                return self._put_slice(obj)
            case Node():
                self.nodes[obj.name] = obj
            case Pod():
                self.pods[obj.key] = obj
            case ServiceCIDR():
                self.service_cidrs[obj.name] = obj
        return NOTHING

    def remove(self, name: ObjectId) -> Touched:
        """Forget an object; an unknown one is ignored. Return the Services whose rules may change."""
        match name.kind:
            case "Service":
                key = ServiceKey(name.namespace, name.name)
                return frozenset({key}) if self.services.pop(key, None) is not None else NOTHING
            case "EndpointSlice":
                return self._remove_slice(SliceKey(name.namespace, name.name))
            case "Pod":
                self.pods.pop(PodKey(name.namespace, name.name), None)
            case "ServiceCIDR":
                self.service_cidrs.pop(name.name, None)
            case _:
                self.nodes.pop(name.name, None)
        return NOTHING

    def endpoints(self, key: ServiceKey, family: Family, node_name: str) -> dict[PortKey, tuple[Endpoint, ...]]:
        """All endpoints of a Service in one family, by port, whether or not there is such a Service."""
        slices = [slice_ for slice_ in self.slices_of(key) if slice_.family is family]
        return merge_slices(slices, node_name)

    def slices_of(self, key: ServiceKey) -> tuple[EndpointSlice, ...]:
        """The EndpointSlices of a Service, whether or not there is such a Service."""
        return self._slices_of.get(key, ())

    def slices(self) -> Iterator[EndpointSlice]:
        """All EndpointSlices, in no particular order."""
        return iter(self._slices.values())

    def slice_named(self, name: ObjectId) -> EndpointSlice | None:
        """The EndpointSlice of this name, if `name` is of one and there is one."""
        return self._slices.get(SliceKey(name.namespace, name.name)) if name.kind == "EndpointSlice" else None

    def _remove_slice(self, key: SliceKey) -> Touched:
        old = self._slices.pop(key, None)
        if old is None:
            return NOTHING
        siblings = tuple(slice_ for slice_ in self._slices_of.pop(old.service) if slice_ is not old)
        if siblings:
            self._slices_of[old.service] = siblings
        return frozenset({old.service})

    def _put_service(self, service: Service) -> Touched:
        if self.services.get(service.key) == service:
            return NOTHING
        self.services[service.key] = service
        return frozenset({service.key})

    def _put_slice(self, slice_: EndpointSlice) -> Touched:
        old = self._slices.get(slice_.key)
        if old == slice_:
            return NOTHING
        # A slice whose service-name label changed leaves its old Service; kube-proxy forgets to let it go.
        touched = self._remove_slice(slice_.key)
        self._slices[slice_.key] = slice_
        self._slices_of[slice_.service] = (*self._slices_of.get(slice_.service, ()), slice_)
        return touched | {slice_.service}
