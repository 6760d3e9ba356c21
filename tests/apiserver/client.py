"""Requests to an API server that runs elsewhere."""

import http.client
import ssl
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tests.apiserver.kubeconfig import Access


class Client:
    """Requests with a bearer token, one connection each."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._context = ssl.create_default_context(cadata=access.pki.authority.decode())

    def request(self, method: str, path: str, body: Any) -> Any:
        """Send a request, and return the decoded JSON of the answer. AssertionError if it is refused."""
        host = urlsplit(self._access.url).netloc
        headers = {"Authorization": f"Bearer {self._access.token}", "Content-Type": "application/json"}
        with closing(http.client.HTTPSConnection(host, timeout=10.0, context=self._context)) as connection:
            connection.request(method, path, msgspec.json.encode(body), headers)
            response = connection.getresponse()
            answer = response.read()
        assert response.status < http.HTTPStatus.BAD_REQUEST, answer
        return msgspec.json.decode(answer)
