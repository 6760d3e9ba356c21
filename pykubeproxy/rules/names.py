"""Names of chains, and who owns them.

Chain names are part of kube-proxy's interface: other tools look for them, and a proxy that takes a node over
recognises the former one's chains by them (`docs/reference/services.md` section 12, `docs/reference/iptables-rules.md`
sections 1 and 9).
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from pykubeproxy.model.service import ServicePort

SERVICES = "KUBE-SERVICES"
EXTERNAL_SERVICES = "KUBE-EXTERNAL-SERVICES"
NODE_PORTS = "KUBE-NODEPORTS"
POSTROUTING = "KUBE-POSTROUTING"
MARK_MASQ = "KUBE-MARK-MASQ"
FORWARD = "KUBE-FORWARD"
PROXY_FIREWALL = "KUBE-PROXY-FIREWALL"
FIREWALL = "KUBE-FIREWALL"
CANARY = "KUBE-PROXY-CANARY"

CLUSTER_POLICY = "KUBE-SVC-"
LOCAL_POLICY = "KUBE-SVL-"
EXTERNAL = "KUBE-EXT-"
SOURCE_RANGES = "KUBE-FW-"
ENDPOINT = "KUBE-SEP-"

FIXED_CHAINS: dict[str, tuple[str, ...]] = {
    "filter": (SERVICES, EXTERNAL_SERVICES, FORWARD, NODE_PORTS, PROXY_FIREWALL, FIREWALL),
    "nat": (SERVICES, NODE_PORTS, POSTROUTING, MARK_MASQ),
}
_SERVICE_CHAIN = re.compile(r"KUBE-(?:SVC|SVL|EXT|FW|SEP)-([A-Z2-7]{16})(?:-[0-9a-f]{1,2})?")

# XT_EXTENSION_MAXNAMELEN of the kernel (linux/netfilter/x_tables.h), less the byte that ends the name.
LONGEST_NAME = 28
_WRITABLE = re.compile(rf"[\w./:-]{{1,{LONGEST_NAME}}}", re.ASCII)

# Groups of endpoints in one chain, at most: their names have room for two hexadecimal digits.
MOST_GROUPS = 256

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]

HASHED_PREFIXES = (CLUSTER_POLICY, LOCAL_POLICY, ENDPOINT, SOURCE_RANGES, EXTERNAL)


class ChainNames:
    """The chains of one ServicePort. All but the endpoint chains share one hash, the same in both families."""

    __slots__ = ("_endpoints", "_seed", "cluster", "external", "firewall", "local")

    def __init__(self, port: ServicePort) -> None:
        self._seed = port.title + port.protocol.lower()
        self._endpoints: dict[str, str] = {}
        digest = _hash(self._seed)
        self.cluster = CLUSTER_POLICY + digest
        self.local = LOCAL_POLICY + digest
        self.external = EXTERNAL + digest
        self.firewall = SOURCE_RANGES + digest

    def endpoint(self, text: str) -> str:
        """The chain of one endpoint, given as `ip:port`. Asked for by every rule that leads there: computed once."""
        name = self._endpoints.get(text)
        if name is None:
            name = self._endpoints[text] = ENDPOINT + _hash(self._seed + text)
        return name


def port_hash(title: str, protocol: str) -> str:
    """The hash in the names of all chains of a ServicePort, `namespace/name:port`, but those of its endpoints."""
    return _hash(title + protocol.lower())


def group(chain: str, number: int) -> str:
    """The chain of one group of the endpoints that `chain` leads to: `KUBE-SVC-XPGD46QRK7WJZT7O-1f`."""
    return f"{chain}-{number:x}"


def subtree(prefix: str, title: str) -> str:
    """The chain of a subtree of destinations, named by its `title`, or by a hash where the kernel would cut that.

    Either way it cannot be taken for the chain of a Service, whose hash follows the prefix at once.
    """
    name = prefix + title
    return name if len(name) <= LONGEST_NAME else f"{prefix}at-{_hash(title)}"


def _hash(text: str) -> str:
    """The first 16 characters of the base32 (RFC 4648) of the SHA-256: its first 80 bits, ten at a time.

    `base64.b32encode` would take three times as long, for every endpoint of a cluster.
    """
    digest = _sha256()(text.encode()).digest()
    first, second = int.from_bytes(digest[:5], "big"), int.from_bytes(digest[5:10], "big")
    return (
        f"{_PAIRS[first >> 30]}{_PAIRS[first >> 20 & 0x3FF]}{_PAIRS[first >> 10 & 0x3FF]}{_PAIRS[first & 0x3FF]}"
        f"{_PAIRS[second >> 30]}{_PAIRS[second >> 20 & 0x3FF]}{_PAIRS[second >> 10 & 0x3FF]}{_PAIRS[second & 0x3FF]}"
    )


@cache
def _sha256() -> Callable[[bytes], Any]:
    """hashlib.sha256. Loading it brings OpenSSL along, and few one-shot commands need a hash."""
    from hashlib import sha256  # noqa: PLC0415

    return sha256


def is_stale_candidate(table: str, chain: str) -> bool:
    """True for a chain that a Service proxy made for some Service, and may delete when no Service needs it.

    By the same prefixes, kube-proxy recognises those in nat (`docs/reference/iptables-rules.md` section 9); it has none
    in filter. Another program's chain with a name that iptables-restore does not read as it is printed is none.
    """
    return table in FIXED_CHAINS and chain.startswith(HASHED_PREFIXES) and bool(_WRITABLE.fullmatch(chain))


def without_hash(chain: str) -> str:
    """The prefix of a Service's, group's or endpoint's own chain (`KUBE-SEP-`); any other name unchanged."""
    found = _SERVICE_CHAIN.fullmatch(chain)
    return chain[: found.start(1)] if found else chain


def shortened(chain: str) -> str:
    """A chain's name for pictures, with the first four characters of its hash: `KUBE-SVC-CDGG…`."""
    digest = service_hash(chain)
    return chain.replace(digest, f"{digest[:4]}…") if digest else chain


def is_tree_chain(chain: str) -> bool:
    """True for a chain of tree dispatch, which stands for a part of all destinations."""
    return chain.startswith(HASHED_PREFIXES) and not service_hash(chain)


def service_hash(chain: str) -> str:
    """The hash in the name of a Service's, group's or endpoint's own chain; empty for any other chain."""
    found = _SERVICE_CHAIN.fullmatch(chain)
    return found[1] if found else ""
