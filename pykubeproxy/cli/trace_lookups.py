"""What `trace` asks the API server beside the objects that it lists, one request for each question.

The answers join the objects of the Rules. Where the server does not allow a question, or does not answer, nothing is
said and nothing is missing but a name.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from pykubeproxy.cli.trace_rules import Rules
from pykubeproxy.cluster.api_error import ApiError
from pykubeproxy.explain.service_lookup import services_at
from pykubeproxy.model.ip import IP
from pykubeproxy.model.pod import PodKey
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Object
from pykubeproxy.netfilter import Packet

if TYPE_CHECKING:
    from pykubeproxy.cluster.lookups import Lookups

_POD = re.compile(r"([-a-z0-9]+)/([-.a-z0-9]+)")


def learn_pod(rules: Rules, name: str) -> str:
    """Ask for the pod `namespace/name`; return why there is no answer, empty if there is one, or nobody to ask."""
    found = _POD.fullmatch(name)
    return _learn(rules, lambda api: api.pod(PodKey(*found.groups()))) if found else ""


def learn_service(rules: Rules, name: str) -> None:
    """Ask for a Service (`namespace/name[:port]`) that is not among those that proxies follow: a headless one, say."""
    _learn(rules, lambda api: api.service(ServiceKey.of_title(name)))


def learn_addresses(rules: Rules, packet: Packet) -> None:
    """Ask for the pods that have the packet's source and its destination, and for the networks of cluster IPs.

    What the objects tell already is not asked for, and nothing about a destination that rules have as a Service's.
    """
    if not packet.from_node:
        _learn_holder(rules, packet.source)
    if services_at(rules.of(packet.family), packet.destination.text):
        return
    cluster = rules.cluster(packet.family)
    if cluster is not None and not _is_known(rules, packet.destination):
        _learn(rules, lambda api: api.service_cidrs())
        if not any(each.contains(packet.destination) for each in cluster.service_networks()):
            _learn_holder(rules, packet.destination)


def _learn_holder(rules: Rules, address: IP) -> None:
    if not _is_known(rules, address):
        _learn(rules, lambda api: api.pods_at(address))


def _is_known(rules: Rules, address: IP) -> bool:
    """True for an address of this node, and for one that objects tell of."""
    cluster = rules.cluster(address.family)
    return (
        address.is_loopback
        or address in (rules.addresses or ())
        or cluster is None
        or cluster.service_at(address.text) is not None
        or address.text in cluster.holders()
    )


def _learn(rules: Rules, ask: Callable[["Lookups"], tuple[Object, ...]]) -> str:
    """Ask the API server, and add the objects of its answer to those of `rules`.

    Returns why there is no answer; empty if there is one, or if the objects do not come from an API server.
    """
    if rules.api is None or rules.snapshot is None:
        return ""
    try:
        for obj in ask(rules.api):
            rules.snapshot.put(obj)
    except ApiError as error:
        return str(error)
    return ""
