"""The modules of the official `kubernetes` client that read configurations and connect, without the rest of it.

Importing one of its modules imports the whole package: classes for every API, informers, pydantic, websocket, asyncio
and OAuth, which are 11 MB and 0.15 s of CPU for each process on each node. The four modules that are used here need
none of that, but for OAuth in kubeconfigs with an `auth-provider`, as there were until Kubernetes 1.26.
"""

import contextlib
import importlib
import sys
import threading
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import msgspec

_LOCK = threading.Lock()
_PACKAGES = ("client", "config", "utils")
_NEVER_CALLED = {"kubernetes.client": "ApiClient", "oauthlib": "oauth2", "requests_oauthlib": "OAuth2Session"}
"""Names that the modules import, and that only kubeconfigs with an `auth-provider` use, by where they are."""


class OfficialClient(msgspec.Struct, frozen=True):
    """Modules of the client: `client.configuration`, `client.rest`, `config.incluster_config`, `config.kube_config`."""

    configuration: Any
    rest: Any
    incluster_config: Any
    kube_config: Any


@cache
def whole() -> OfficialClient:
    """The four modules of OfficialClient, imported as usual: with all of the `kubernetes` package."""
    return _modules()


@cache
def part() -> OfficialClient:
    """The four modules of OfficialClient, imported alone.

    If a version of the package does not allow that, they are those of `whole`.
    """
    with _LOCK:
        try:
            with _empty_packages():
                sys.modules["kubernetes.client"].__dict__["Configuration"] = _module(
                    "client.configuration"
                ).Configuration
                return _modules()
        except (ImportError, AttributeError):
            pass
    return whole()


def _modules() -> OfficialClient:
    return OfficialClient(
        configuration=_module("client.configuration"),
        rest=_module("client.rest"),
        incluster_config=_module("config.incluster_config"),
        kube_config=_module("config.kube_config"),
    )


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"kubernetes.{name}")


@contextlib.contextmanager
def _empty_packages() -> Iterator[None]:
    """Have empty modules in the place of packages, so that nothing but the modules in them is imported.

    Afterwards, whoever imports the packages gets them as they are.
    """
    before = {name: module for name, module in sys.modules.items() if _is_replaced(name)}
    for name in before:
        del sys.modules[name]
    spec = find_spec("kubernetes")
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    sys.modules["kubernetes"] = _package("kubernetes", folders)
    for each in _PACKAGES:
        sys.modules[f"kubernetes.{each}"] = _package(f"kubernetes.{each}", [f"{folder}/{each}" for folder in folders])
    for name, attribute in _NEVER_CALLED.items():
        module = sys.modules.setdefault(name, ModuleType(name))
        module.__dict__[attribute] = sys.modules.setdefault(f"{name}.{attribute}", ModuleType(f"{name}.{attribute}"))
    try:
        yield
    finally:
        for name in [name for name in sys.modules if _is_replaced(name)]:
            del sys.modules[name]
        sys.modules.update(before)


def _package(name: str, folders: list[str]) -> ModuleType:
    package = ModuleType(name)
    package.__path__ = folders
    return package


def _is_replaced(name: str) -> bool:
    return name.partition(".")[0] in ("kubernetes", "oauthlib", "requests_oauthlib")
