"""The error of this package, and its messages about a field, which have the form of the Kubernetes API machinery."""

import json
from collections.abc import Iterable

from pykubeproxy.config.duration import Duration
from pykubeproxy.model.errors import ReportedError
from pykubeproxy.model.printable import printable

ROOT = "KubeProxyConfiguration"


class ConfigError(ReportedError):
    """Flags or a configuration file that cannot be used. The text is one line: what, where, what would be right."""

    def __init__(self, text: str) -> None:
        # It may quote a text that has line breaks.
        super().__init__(printable(text))


def joined(messages: Iterable[str]) -> str:
    """Several messages as one line, in kube-proxy's form: `a`, or `[a, b]`; repeated messages appear once."""
    unique = tuple(dict.fromkeys(messages))
    return unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]"


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
