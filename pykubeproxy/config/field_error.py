"""Messages about a field, in the form of the Kubernetes API machinery: where, what is there, what would be right."""

import json
from collections.abc import Iterable

from pykubeproxy.config.duration import Duration

ROOT = "KubeProxyConfiguration"


def invalid(path: str, value: object, message: str) -> str:
    """A value that is not allowed; `path` is below the root."""
    return f"{ROOT}.{path}: Invalid value: {_shown(value)}: {message}"


def unsupported(path: str, value: str, *, supported: Iterable[str]) -> str:
    """A word that is none of those allowed."""
    words = ", ".join(_shown(word) for word in supported)
    return f"{ROOT}.{path}: Unsupported value: {_shown(value)}: supported values: {words}"


def forbidden(path: str, message: str) -> str:
    """A field that may not be set here."""
    return f"{ROOT}.{path}: Forbidden: {message}"


def required(path: str, message: str) -> str:
    """A field that must be set."""
    return f"{ROOT}.{path}: Required value: {message}"


def _shown(value: object) -> str:
    """Text and durations are quoted, numbers are not, lists and mappings are JSON."""
    if isinstance(value, Duration):
        value = str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
