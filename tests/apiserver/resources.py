"""The resources that are served, and how paths name them.

One entry per resource holds everything that the generic code needs to know of it. Sources: the API reference, and
"API Concepts" for the paths.
"""

from __future__ import annotations

from typing import Any

import msgspec

_NAME_FIELDS = {"metadata.name": "metadata.name"}
_OBJECT_FIELDS = _NAME_FIELDS | {"metadata.namespace": "metadata.namespace"}

_CORE_EVENT_FIELDS = _OBJECT_FIELDS | {
    field: field
    for field in (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "reason",
        "reportingComponent",
        "type",
    )
}

_EVENT_FIELDS = _OBJECT_FIELDS | {
    "regarding.kind": "involvedObject.kind",
    "regarding.namespace": "involvedObject.namespace",
    "regarding.name": "involvedObject.name",
    "regarding.uid": "involvedObject.uid",
    "reason": "reason",
    "reportingController": "reportingComponent",
    "type": "type",
}

_NO_NODE_INFO = dict.fromkeys(
    (
        "machineID",
        "systemUUID",
        "bootID",
        "kernelVersion",
        "osImage",
        "containerRuntimeVersion",
        "kubeletVersion",
        "kubeProxyVersion",
        "operatingSystem",
        "architecture",
    ),
    "",
)


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One served resource.

    ``storage`` names the table of the store (two API groups serve the same events); ``fields`` maps a field
    selector's label to the path in the stored object; ``zero`` is what an empty object of this kind looks like on the
    wire besides its metadata, as bookmarks show it (Go writes absent structs and lists without ``omitempty`` as
    ``{}`` and ``null``).
    """

    group: str = ""
    version: str = "v1"
    plural: str
    kind: str
    storage: str
    namespaced: bool = True
    status: bool = False
    create_on_update: bool = False
    delete_returns_object: bool = False
    fields: dict[str, str]
    zero: dict[str, Any]

    @property
    def api_version(self) -> str:
        """``v1`` or ``group/version``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_resource(self) -> str:
        """``services`` or ``endpointslices.discovery.k8s.io``, as error messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def base_path(self) -> str:
        """The path of the group and version."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the path of an object, or of a collection if ``name`` is empty."""
        parts = [self.base_path]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        return "/".join([*parts, self.plural, *([name] if name else []), *([subresource] if subresource else [])])


SERVICES = Resource(
    plural="services",
    kind="Service",
    storage="services",
    status=True,
    create_on_update=True,
    delete_returns_object=True,
    fields=_OBJECT_FIELDS | {"spec.clusterIP": "spec.clusterIP", "spec.type": "spec.type"},
    zero={"spec": {}, "status": {"loadBalancer": {}}},
)
ENDPOINT_SLICES = Resource(
    group="discovery.k8s.io",
    plural="endpointslices",
    kind="EndpointSlice",
    storage="endpointslices",
    fields=_OBJECT_FIELDS,
    zero={"addressType": "", "endpoints": None, "ports": None},
)
NODES = Resource(
    plural="nodes",
    kind="Node",
    storage="nodes",
    namespaced=False,
    status=True,
    fields=_NAME_FIELDS,
    zero={
        "spec": {},
        "status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 0}}, "nodeInfo": _NO_NODE_INFO},
    },
)
NAMESPACES = Resource(
    plural="namespaces",
    kind="Namespace",
    storage="namespaces",
    namespaced=False,
    status=True,
    fields=_NAME_FIELDS | {"status.phase": "status.phase"},
    zero={"spec": {}, "status": {}},
)
CORE_EVENTS = Resource(
    plural="events",
    kind="Event",
    storage="events",
    create_on_update=True,
    fields=_CORE_EVENT_FIELDS,
    zero={"involvedObject": {}, "source": {}, "reportingComponent": "", "reportingInstance": ""},
)
EVENTS = Resource(
    group="events.k8s.io",
    plural="events",
    kind="Event",
    storage="events",
    create_on_update=True,
    fields=_EVENT_FIELDS,
    zero={"eventTime": None, "regarding": {}, "deprecatedSource": {}},
)
SERVICE_CIDRS = Resource(
    group="networking.k8s.io",
    plural="servicecidrs",
    kind="ServiceCIDR",
    storage="servicecidrs",
    namespaced=False,
    status=True,
    fields=_NAME_FIELDS,
    zero={"spec": {}, "status": {}},
)

RESOURCES = (SERVICES, ENDPOINT_SLICES, NODES, NAMESPACES, CORE_EVENTS, EVENTS, SERVICE_CIDRS)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a path names: a collection (no ``name``), an object, or a subresource of it."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def by_kind(kind: str, api_version: str = "") -> Resource:
    """Return the resource of a kind; without ``api_version`` the first one of that name. KeyError if none is served."""
    for resource in RESOURCES:
        if resource.kind == kind and api_version in ("", resource.api_version):
            return resource
    raise KeyError(f"{api_version or 'any group'} {kind}")


def target_of(path: str) -> Target | None:
    """Read an API path; None if it names nothing that is served."""
    for resource in RESOURCES:
        if path.startswith(resource.base_path + "/"):
            target = _target_in(resource, path[len(resource.base_path) + 1 :].split("/"))
            if target is not None:
                return target
    return None


def _target_in(resource: Resource, parts: list[str]) -> Target | None:
    namespace = ""
    if resource.namespaced and parts[0] == "namespaces" and len(parts) >= 3:
        namespace, parts = parts[1], parts[2:]
    match parts:
        case [plural] if plural == resource.plural:
            return Target(resource=resource, namespace=namespace)
        case [plural, name] if plural == resource.plural and (namespace or not resource.namespaced):
            return Target(resource=resource, namespace=namespace, name=name)
        case [plural, name, "status"] if plural == resource.plural and resource.status:
            return Target(resource=resource, namespace=namespace, name=name, subresource="status")
    return None
