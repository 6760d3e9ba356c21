"""The endpoints of a Service's port as seen from a node: which of them traffic may use; none of the project's code.

Sources: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/ and
`docs/reference/endpoints.md` sections 3, 4, 6 and 7.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fuzz.addresses import address, host_port
from fuzz.shapes import SERVICE_NAME, Object

HEADLESS = "service.kubernetes.io/headless"


@dataclass(frozen=True)
class Endpoint:
    """One address and port of a Service's port."""

    text: str
    address: str
    ready: bool
    serving: bool
    terminating: bool
    node: str
    zones: tuple[str, ...]
    nodes: tuple[str, ...]

    @property
    def leaving(self) -> bool:
        """True for one that may stand in when no ready one is left."""
        return not self.ready and self.serving and self.terminating


@dataclass(frozen=True)
class Backends:
    """The endpoints of one port: `everywhere` for policy Cluster, `here` for policy Local; whether there are `any`."""

    everywhere: tuple[Endpoint, ...]
    here: tuple[Endpoint, ...]
    any: bool


def backends(endpoints: Iterable[Endpoint], node: str, zone: str) -> Backends:
    """Who may be used, on a node in a zone (empty if it is in none)."""
    everything = tuple(endpoints)
    ready = tuple(each for each in everything if each.ready)
    leaving = tuple(each for each in everything if each.leaving)
    here = [tuple(each for each in some if node and each.node == node) for some in (ready, leaving)]
    return Backends(
        everywhere=_hinted(ready, node, zone) or leaving,
        here=here[0] or here[1],
        any=bool(ready or leaving),
    )


def endpoints_of(slices: Iterable[Object], service: Object, port: Object, version: int) -> list[Endpoint]:
    """The endpoints of a port. Of one that is listed twice, the entry in the better condition counts.

    Slices are taken in the order of their names; the API leaves that open.
    """
    found: dict[str, Endpoint] = {}
    for slice_ in sorted(slices, key=lambda each: each["metadata"]["name"]):
        if _belongs(slice_, service, version):
            for number in _numbers(slice_, port):
                for each in _usable(slice_, number, version):
                    before = found.get(each.text)
                    if before is None or _rank(each) + (not each.terminating) / 2 > _rank(before):
                        found[each.text] = each
    return list(found.values())


def _rank(endpoint: Endpoint) -> int:
    """How good the condition is that an entry tells of; the last of equals counts, if it is not terminating."""
    return 4 * endpoint.ready + 2 * endpoint.serving + (not endpoint.terminating)


def _hinted(ready: tuple[Endpoint, ...], node: str, zone: str) -> tuple[Endpoint, ...]:
    """The ready endpoints that topology hints leave to this node: all, unless every one of them has hints."""
    named: tuple[tuple[Callable[[Endpoint], tuple[str, ...]], str], ...] = (
        (lambda each: each.nodes, node),
        (lambda each: each.zones, zone),
    )
    for hints, mine in named:
        chosen = tuple(each for each in ready if mine and mine in hints(each))
        if chosen and all(hints(each) for each in ready):
            return chosen
    return ready


def _belongs(slice_: Object, service: Object, version: int) -> bool:
    metadata = slice_["metadata"]
    labels = metadata.get("labels") or {}
    return (
        slice_["addressType"] == f"IPv{version}"
        and labels.get(SERVICE_NAME) == service["metadata"]["name"]
        and metadata["namespace"] == service["metadata"]["namespace"]
        and HEADLESS not in labels
    )


def _numbers(slice_: Object, port: Object) -> Iterator[int]:
    """The numbers that a slice gives for a Service's port: found by name and protocol."""
    wanted = (port.get("name") or "", port.get("protocol") or "TCP")
    for each in slice_.get("ports") or ():
        is_told = each.get("name") is not None and each.get("port")
        if is_told and (each["name"], each.get("protocol") or "TCP") == wanted:
            yield each["port"]


def _usable(slice_: Object, number: int, version: int) -> Iterator[Endpoint]:
    for item in slice_.get("endpoints") or ():
        first = address((item.get("addresses") or [""])[0])
        if first is None or first.version != version:
            continue
        conditions = item.get("conditions") or {}
        hints = item.get("hints") or {}
        yield Endpoint(
            text=host_port(str(first), number),
            address=str(first),
            ready=conditions.get("ready") is not False,
            serving=conditions.get("serving") is not False,
            terminating=conditions.get("terminating") is True,
            node=item.get("nodeName") or "",
            zones=_names(hints.get("forZones")),
            nodes=_names(hints.get("forNodes")),
        )


def _names(hints: list[dict[str, Any]] | None) -> tuple[str, ...]:
    return tuple(hint.get("name", "") for hint in hints or ())
