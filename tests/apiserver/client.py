"""Requests to an API server that runs elsewhere."""

from __future__ import annotations

import http.client
import ssl
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tests.apiserver.errors import ApiError
from tests.apiserver.kubeconfig import Access

_TIMEOUT = 10.0


class Client:
    """Requests with a bearer token, one connection each. Raises ApiError, or OSError if there is no answer."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._context = ssl.create_default_context(cadata=access.pki.authority.decode())

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request, and return the decoded JSON of the answer."""
        connection = self.connect()
        try:
            headers = {"Authorization": f"Bearer {self._access.token}", "Content-Type": "application/json"}
            connection.request(method, path, None if body is None else msgspec.json.encode(body), headers)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            status = msgspec.json.decode(answer) if answer.startswith(b"{") else {}
            raise ApiError(response.status, status.get("reason", ""), status.get("message", ""))
        return msgspec.json.decode(answer) if answer.startswith(b"{") else answer.decode()

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection, not yet connected, for requests that the other methods do not cover."""
        return http.client.HTTPSConnection(urlsplit(self._access.url).netloc, timeout=_TIMEOUT, context=self._context)
