"""The one error of this package, and how several messages become one line."""

from collections.abc import Iterable

from pykubeproxy.model.errors import ReportedError
from pykubeproxy.model.printable import printable


class ConfigError(ReportedError):
    """Flags or a configuration file that cannot be used. The text is one line: what, where, what would be right."""

    def __init__(self, text: str) -> None:
        # What it quotes may have line breaks in it of which JSON knows nothing.
        super().__init__(printable(text))


def joined(messages: Iterable[str]) -> str:
    """Several messages as one line, in kube-proxy's form: `a`, or `[a, b]`; repeated messages appear once."""
    unique = tuple(dict.fromkeys(messages))
    return unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]"
