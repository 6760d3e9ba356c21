"""What cannot be asked in every cluster of kind's, and why. What is not named here is asked."""

from msgspec import Struct


class Exclusion(Struct, frozen=True, kw_only=True):
    """A Service that is neither made nor asked for where `test`, a command that is run in the pods' image, fails."""

    service: str
    reason: str
    test: tuple[str, ...]


SCTP = Exclusion(
    service="default/stream",
    reason="the kernel of this machine speaks no SCTP",
    test=("python3", "-c", "from socket import *; socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP)"),
)
