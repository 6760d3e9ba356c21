"""Requests and their answers, without sockets: which verb a request is, and what the API says to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import yaml

from tests.apiserver import discovery, errors, patches, presentation
from tests.apiserver.core import Core
from tests.apiserver.listing import list_objects, selected
from tests.apiserver.options import parse
from tests.apiserver.resources import Target, target_of

JsonObject = dict[str, Any]

HEALTH = ("/healthz", "/livez", "/readyz")
_JSON = "application/json"
_YAML = ("application/yaml", patches.APPLY)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request: ``target`` is None for a path that is no resource. Header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    target: Target | None = None

    @property
    def verb(self) -> str:
        """The verb as in audit logs."""
        if self.target is None:
            return self.method.lower()
        if self.method == "GET":
            if self.query.get("watch", "").lower() in ("true", "1"):
                return "watch"
            return "get" if self.target.name else "list"
        if self.method == "DELETE":
            return "delete" if self.target.name else "deletecollection"
        return {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(self.method, self.method.lower())

    @property
    def subject(self) -> str:
        """The plural name of the resource, or the path."""
        return self.target.resource.plural if self.target else self.path


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is known in full. ``headers`` come on top of the usual ones."""

    code: int = 200
    body: bytes
    content_type: str = _JSON
    headers: Mapping[str, str] = {}


def asked(method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> Asked:
    """Return the request, with what its path names."""
    return Asked(method=method, path=path, query=query, headers=headers, body=body, target=target_of(path))


def is_public(path: str) -> bool:
    """Whether anybody may read the path, as the role system:public-info-viewer has it."""
    return path in HEALTH or path.startswith(tuple(f"{health}/" for health in HEALTH)) or path == "/version"


def answer(core: Core, request: Asked) -> Answer:
    """Answer anything but a watch. Raises ApiError."""
    target = request.target
    if target is None:
        return _no_resource(request)
    _check_accept(request.headers.get("accept", ""))
    serve = _VERBS.get(request.verb)
    if serve is None:
        raise errors.method_not_allowed()
    return serve(core, request, target)


def _list(core: Core, request: Asked, target: Target) -> Answer:
    options = parse(target, request.query, watch_list=core.faults.watch_list)
    return Answer(body=list_objects(core.store, target.resource, options, core.patience))


def _get(core: Core, request: Asked, target: Target) -> Answer:
    version = core.registry.get(target.resource, target.namespace, target.name)
    return Answer(body=presentation.whole(target.resource, version) + b"\n")


def _create(core: Core, request: Asked, target: Target) -> Answer:
    if target.name or (target.resource.namespaced and not target.namespace):
        raise errors.method_not_allowed()
    version = core.registry.create(target.resource, target.namespace, _object(request))
    return Answer(code=201, body=presentation.whole(target.resource, version) + b"\n")


def _change(core: Core, request: Asked, target: Target) -> Answer:
    if not target.name:
        raise errors.method_not_allowed()
    where = (target.resource, target.namespace, target.name)
    if request.verb == "update":
        version, created = core.registry.update(*where, _object(request), target.subresource)
    else:
        content_type = _content_type(request)
        if content_type not in patches.TYPES:
            raise errors.unsupported_media_type(content_type, patches.TYPES)
        version, created = core.registry.patch(
            *where, _decoded(request), content_type=content_type, subresource=target.subresource
        )
    return Answer(code=201 if created else 200, body=presentation.whole(target.resource, version) + b"\n")


def _delete(core: Core, request: Asked, target: Target) -> Answer:
    resource = target.resource
    options = _decoded(request) if request.body else {}
    preconditions = options.get("preconditions") if isinstance(options, dict) else None
    version, gone = core.registry.delete(resource, target.namespace, target.name, preconditions)
    if resource.delete_returns_object or not gone:
        return Answer(body=presentation.whole(resource, version) + b"\n")
    uid = version.data()["metadata"].get("uid", "")
    return Answer(body=msgspec.json.encode(errors.success(resource, target.name, uid)) + b"\n")


def _delete_collection(core: Core, request: Asked, target: Target) -> Answer:
    resource = target.resource
    predicate = parse(target, request.query, watch_list=core.faults.watch_list).predicate
    with core.store.lock:
        doomed = [v for v in core.store.snapshot(resource.storage).versions if selected(predicate, v)]
        gone = [core.registry.delete(resource, v.namespace, v.data()["metadata"]["name"])[0] for v in doomed]
    return Answer(body=presentation.listing(resource, gone, {"resourceVersion": str(core.store.revision)}))


_VERBS: dict[str, Callable[[Core, Asked, Target], Answer]] = {
    "list": _list,
    "get": _get,
    "create": _create,
    "update": _change,
    "patch": _change,
    "delete": _delete,
    "deletecollection": _delete_collection,
}


def _no_resource(request: Asked) -> Answer:
    if is_public(request.path) and request.path != "/version":
        return Answer(body=b"ok", content_type="text/plain; charset=utf-8")
    document = discovery.document(request.path.rstrip("/"))
    if document is None:
        raise errors.no_such_path()
    if request.method != "GET":
        raise errors.method_not_allowed()
    return Answer(body=msgspec.json.encode(document) + b"\n")


def _check_accept(accept: str) -> None:
    ranges = [part.split(";")[0].strip() for part in accept.split(",")]
    if accept and not {"*/*", "application/*", _JSON} & set(ranges):
        raise errors.not_acceptable()


def _content_type(request: Asked) -> str:
    return request.headers.get("content-type", _JSON).split(";")[0].strip()


def _object(request: Asked) -> JsonObject:
    content_type = _content_type(request)
    if content_type not in (_JSON, *_YAML):
        raise errors.unsupported_media_type(content_type, (_JSON, *_YAML))
    decoded = _decoded(request)
    if not isinstance(decoded, dict):
        raise errors.bad_request("the object provided is unrecognized: it is no JSON object")
    return decoded


def _decoded(request: Asked) -> Any:
    try:
        if _content_type(request) in _YAML:
            return yaml.safe_load(request.body)
        return msgspec.json.decode(request.body)
    except (msgspec.DecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise errors.bad_request(f"the object provided is unrecognized: json parse error: {error}") from error
