"""The errors of reading and changing the node. The text of each is one line, for users."""

from pykubeproxy.model.errors import ReportedError


class HostError(ReportedError):
    """Anything that the node refused."""


class ToolMissing(HostError):
    """A program that is needed is not installed."""


class NotStarted(HostError):
    """A program could not be started: this process or the machine is short of files, processes or memory."""


class NotPermitted(HostError):
    """The process may not do what was asked."""

    needs_root = True


class BackendConflict(HostError):
    """Both iptables backends hold rules of a Service proxy, or another one than was asked for does."""


class ReadOnly(HostError):
    """A write was attempted in a mode that never writes."""


class SaveError(HostError):
    """iptables-save failed, or printed what is not a dump."""


class RestoreError(HostError):
    """iptables-restore refused its input: nothing of the table in question was changed.

    `line` counts from 1, and is 0 where the tool named none; `text` is that line of the input.
    """

    def __init__(self, tool: str, message: str, line: int = 0, text: str = "") -> None:
        where = f" at line {line} ({text})" if line else ""
        super().__init__(f"{tool} failed{where}: {message}")
        self.line = line
        self.text = text


class LockTimeout(RestoreError):
    """Another program held the xtables lock for too long."""
