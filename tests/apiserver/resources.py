"""The resources that are served, and how paths name them.

Source: "API Concepts" for the paths.
"""

from typing import Any

import msgspec

JsonObject = dict[str, Any]


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One served resource; all are of version v1 of their group."""

    group: str = ""
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def typed(self) -> JsonObject:
        return {"kind": self.kind, "apiVersion": self.api_version}

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the path of an object, or of a collection if ``name`` is empty."""
        base = f"/apis/{self.api_version}" if self.group else "/api/v1"
        inside = ["namespaces", namespace] if self.namespaced and namespace else []
        return "/".join([base, *inside, self.plural, *([name] if name else [])])


SERVICES = Resource(plural="services", kind="Service")
ENDPOINT_SLICES = Resource(group="discovery.k8s.io", plural="endpointslices", kind="EndpointSlice")
NODES = Resource(plural="nodes", kind="Node", namespaced=False)
EVENTS = Resource(group="events.k8s.io", plural="events", kind="Event")
SERVICE_CIDRS = Resource(group="networking.k8s.io", plural="servicecidrs", kind="ServiceCIDR", namespaced=False)

PODS = Resource(plural="pods", kind="Pod")

RESOURCES = (SERVICES, ENDPOINT_SLICES, NODES, EVENTS, SERVICE_CIDRS, PODS)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a path names: a collection (no ``name``) or an object."""

    resource: Resource
    namespace: str = ""
    name: str = ""


def named(kind: str) -> Resource:
    return {resource.kind: resource for resource in RESOURCES}[kind]


def target_of(path: str) -> Target | None:
    """Read an API path; None if it names nothing that is served."""
    for resource in RESOURCES:
        match path.removeprefix(resource.path().removesuffix(resource.plural)).split("/"):
            case [resource.plural, *name] if len(name) <= 1:
                return Target(resource=resource, name="".join(name))
            case ["namespaces", namespace, resource.plural, *name] if resource.namespaced and len(name) <= 1:
                return Target(resource=resource, namespace=namespace, name="".join(name))
    return None
