"""Single questions to the API server about what a proxy does not follow: pods, headless Services, networks of Services.

Nobody has to allow them: kube-proxy's own rights do not, those of most people do. No question makes the server send, or
read from its database, all Pods.
"""

import msgspec

from pykubeproxy.cluster.api_error import MALFORMED, ApiError
from pykubeproxy.cluster.client import connect
from pykubeproxy.cluster.resources import ENDPOINT_SLICES, PODS, SERVICE_CIDRS, SERVICES, Resource
from pykubeproxy.cluster.timeouts import Timeouts
from pykubeproxy.cluster.translate import BadObject
from pykubeproxy.config.completed import Completed
from pykubeproxy.model.endpoint import SERVICE_NAME_LABEL
from pykubeproxy.model.ip import IP
from pykubeproxy.model.pod import PodKey
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Object

_TIMEOUTS = Timeouts(connect=2.0, silence=2.0)

# Any version will do: the server answers from its memory, where otherwise it would read the whole collection anew.
_ANY_VERSION = {"resourceVersion": "0"}


class _Items(msgspec.Struct):
    items: list[msgspec.Raw] | None = None


class Lookups:
    """Questions to the API server of a configuration. Each raises ApiError if there is no answer, or no right to ask.

    The answers are objects as in a manifest; what cannot be used is left out.
    """

    def __init__(self, completed: Completed) -> None:
        self._session = connect(completed.config.client_connection, completed.master, _TIMEOUTS).session()

    def pod(self, key: PodKey) -> tuple[Object, ...]:
        """The pod of a name."""
        body = self._session.get(f"/api/v1/namespaces/{key.namespace}/pods/{key.name}", {})
        return _read(PODS, [msgspec.Raw(body)])

    def pods_at(self, address: IP) -> tuple[Object, ...]:
        """The pods that have an address: one, or all in the host's network of a node.

        Of a pod with addresses of both families the API server compares only the first one.
        """
        return self._list(PODS, {"fieldSelector": f"status.podIP={address.text}"})

    def service_cidrs(self) -> tuple[Object, ...]:
        """The ServiceCIDRs, of which there are few."""
        return self._list(SERVICE_CIDRS, {})

    def service(self, key: ServiceKey) -> tuple[Object, ...]:
        """The Service of a name and its EndpointSlices, also one that no proxy makes rules for."""
        named = f"metadata.name={key.name},metadata.namespace={key.namespace}"
        slices = {
            "labelSelector": f"{SERVICE_NAME_LABEL}={key.name}",
            "fieldSelector": f"metadata.namespace={key.namespace}",
        }
        return (*self._list(SERVICES, {"fieldSelector": named}), *self._list(ENDPOINT_SLICES, slices))

    def _list(self, resource: Resource, query: dict[str, str]) -> tuple[Object, ...]:
        body = self._session.get(resource.path, {**query, **_ANY_VERSION})
        try:
            return _read(resource, msgspec.json.decode(body, type=_Items).items or [])
        except msgspec.MsgspecError as error:
            raise _malformed(error) from None


def _read(resource: Resource, items: list[msgspec.Raw]) -> tuple[Object, ...]:
    try:
        found = [resource.translate(msgspec.json.decode(item, type=resource.wire))[0] for item in items]
    except (msgspec.MsgspecError, BadObject) as error:
        raise _malformed(error) from None
    return tuple(each for each in found if each is not None)


def _malformed(error: Exception) -> ApiError:
    return ApiError(f"the API server's answer cannot be read: {error}", kind=MALFORMED)
