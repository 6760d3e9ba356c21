"""`IP:port` texts of the health and metrics servers, and URLs as they may be shown."""

import re

from pykubeproxy.model.ip import Family, parse_ip

HEALTHZ_PORT = 10256
METRICS_PORT = 10249

_USER = re.compile(r"^((?:[^/?#]*:)?//)?[^/?#]*@")


def split_host_port(text: str) -> tuple[str, str] | None:
    """`1.2.3.4:80` or `[::1]:80` as (host, port), neither checked; None if the text has no such form."""
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]:")
        well_formed = bool(bracket)
    else:
        host, colon, port = text.partition(":")
        well_formed = bool(colon)
    if not well_formed or any(sign in part for part in (host, port) for sign in "[]") or ":" in port:
        return None
    return host, port


def is_port(text: str) -> bool:
    """True for a decimal number from 1 to 65535."""
    return text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65535


def with_port(address: str, port: int) -> str:
    """`address` with `port` appended if it is a bare IP; anything else stays as it is, for validation to judge."""
    if parse_ip(address) is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def default_addresses(bind_address: str) -> tuple[str, str]:
    """Where the (health, metrics) servers listen by default, given the bindAddress of a configuration file."""
    ip = parse_ip(bind_address)
    if ip is not None and ip.family is Family.IPV4:
        return f"0.0.0.0:{HEALTHZ_PORT}", f"127.0.0.1:{METRICS_PORT}"
    return f"[::]:{HEALTHZ_PORT}", f"[::1]:{METRICS_PORT}"


def without_secrets(url: str) -> str:
    """A URL, or `host:port`, for messages: a user, password or token in it is not shown."""
    return _USER.sub(r"\1xxxxx@", url)
