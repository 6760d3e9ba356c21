"""Listening sockets, on the addresses that kube-proxy would listen on.

Source: `docs/reference/health-and-metrics.md` sections 1 and 4.
"""

import errno
import os
import socket
from collections.abc import Iterable

from pykubeproxy.config.addresses import split_host_port, with_port
from pykubeproxy.model.ip import Family

_BACKLOG = 128
_WILDCARD = {Family.IPV4: "0.0.0.0", Family.IPV6: "::"}  # noqa: S104  on purpose: probes come from outside
_NETWORK = {Family.IPV4: "tcp4", Family.IPV6: "tcp6"}
# A kernel without IPv6, or one that has it switched off.
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EADDRNOTAVAIL)


class CannotListen(Exception):
    """A port cannot be listened on; the text says where and why, in kube-proxy's words."""

    def __init__(self, network: str, address: str, error: OSError) -> None:
        reason = os.strerror(error.errno) if error.errno else str(error)
        super().__init__(f"listen {network} {address}: bind: {reason[:1].lower()}{reason[1:]}")


def listen(address: str) -> socket.socket:
    """Listen on `IP:port`; 0.0.0.0 and :: stand for every address of both families. Raises CannotListen.

    `address` has passed the validation of the configuration.
    """
    host, port = split_host_port(address) or (address, "0")
    try:
        if host in _WILDCARD.values():
            return _listen_everywhere(int(port))
        family = Family.IPV6 if ":" in host else Family.IPV4
        return _listen(family, host, int(port), v6_only=True)
    except OSError as error:
        raise CannotListen("tcp", address, error) from error


def listen_in_family(family: Family, addresses: Iterable[str] | None, port: int) -> list[socket.socket]:
    """Listen on `port` of some addresses of one family, or of all (None). Raises CannotListen; none is open then."""
    opened: list[socket.socket] = []
    for host in (_WILDCARD[family],) if addresses is None else addresses:
        try:
            opened.append(_listen(family, host, port, v6_only=True))
        except OSError as error:
            for sock in opened:
                sock.close()
            raise CannotListen(_NETWORK[family], with_port(host, port), error) from error
    return opened


def _listen_everywhere(port: int) -> socket.socket:
    try:
        return _listen(Family.IPV6, _WILDCARD[Family.IPV6], port, v6_only=False)
    except OSError as error:
        if error.errno not in _NO_IPV6:
            raise
    return _listen(Family.IPV4, _WILDCARD[Family.IPV4], port, v6_only=False)


def _listen(family: Family, host: str, port: int, *, v6_only: bool) -> socket.socket:
    sock = socket.socket(family.address_family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is Family.IPV6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6_only)
        sock.bind((host, port))
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
