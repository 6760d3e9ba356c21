"""The calls of :class:`Cluster` over HTTP, for a server that runs elsewhere."""

from __future__ import annotations

import http.client
import ssl
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from tests.apiserver import errors, patches
from tests.apiserver.errors import ApiError
from tests.apiserver.kubeconfig import Access
from tests.apiserver.resources import Resource

JsonObject = dict[str, Any]

_TIMEOUT = 10.0


class Client:
    """Requests with a bearer token, one connection each. Raises ApiError, or OSError if there is no answer."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._context: ssl.SSLContext | None = None
        if access.pki is not None:
            self._context = ssl.create_default_context(cadata=access.pki.authority.decode())

    def request(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json", **query: str
    ) -> Any:
        """Send a request, and return the decoded JSON of the answer."""
        code, answer = self.raw(method, path + (f"?{urlencode(query)}" if query else ""), body, content_type)
        decoded = self.decode(answer) if answer else None
        if code >= http.HTTPStatus.BAD_REQUEST:
            raise errors.from_status(decoded if isinstance(decoded, dict) else {}, code)
        return decoded

    def raw(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> tuple[int, bytes]:
        """Send a request, and return status and body of the answer."""
        connection = self.connect()
        try:
            headers = {"Authorization": f"Bearer {self._access.token}", "Accept": "application/json"}
            encoded = None if body is None else msgspec.json.encode(body)
            if encoded is not None:
                headers["Content-Type"] = content_type
            connection.request(method, path, encoded, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    @staticmethod
    def decode(body: bytes) -> Any:
        """Return the JSON of an answer."""
        return msgspec.json.decode(body)

    def get(self, resource: Resource, namespace: str, name: str) -> JsonObject:
        """Return an object."""
        return dict(self.request("GET", resource.path(namespace, name)))

    def items(self, resource: Resource, namespace: str) -> list[JsonObject]:
        """Return all objects of the namespace, or of all if it is empty, with their kind and apiVersion."""
        items = self.request("GET", resource.path(namespace))["items"]
        return [{"kind": resource.kind, "apiVersion": resource.api_version} | item for item in items or []]

    def post(self, resource: Resource, namespace: str, obj: JsonObject) -> JsonObject:
        """Create an object."""
        return dict(self.request("POST", resource.path(namespace), obj))

    def put(self, resource: Resource, namespace: str, obj: JsonObject, subresource: str = "") -> JsonObject:
        """Replace an object, or its status."""
        return dict(self.request("PUT", resource.path(namespace, obj["metadata"]["name"], subresource), obj))

    def patch(self, path: str, patch: Any, content_type: str = patches.MERGE) -> JsonObject:
        """Change the object at ``path``."""
        return dict(self.request("PATCH", path, patch, content_type=content_type))

    def delete(self, resource: Resource, namespace: str, name: str) -> None:
        """Delete an object."""
        self.request("DELETE", resource.path(namespace, name))

    def is_ready(self) -> bool:
        """Whether the server says that it is."""
        try:
            return self.raw("GET", "/readyz")[0] == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False

    def ensure_namespace(self, resource: Resource, name: str) -> None:
        """Make a namespace unless there is one."""
        try:
            self.post(resource, "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection, not yet connected, for requests that the other methods do not cover."""
        address = urlsplit(self._access.url).netloc
        if self._context is None:
            return http.client.HTTPConnection(address, timeout=_TIMEOUT)
        return http.client.HTTPSConnection(address, timeout=_TIMEOUT, context=self._context)
