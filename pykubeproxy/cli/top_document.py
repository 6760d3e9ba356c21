"""The document of `top --output json` (docs/cli.md): written on one machine, and read, maybe, on another one."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from pykubeproxy.model.ip import Family
from pykubeproxy.model.printable import printable
from pykubeproxy.rules.refusals import RefusalReason
from pykubeproxy.traffic.rates import EndpointRate, Rates, RefusalRate, ServiceRate

VERSION = 1


class _Part(msgspec.Struct, rename="camel", kw_only=True):
    """A part of the document. A reader ignores fields that are not named here; a default is for older releases."""


class _Endpoint(_Part, kw_only=True):
    endpoint: str
    connections: int
    rate: float
    share: float | None = None
    expected_share: float | None = None
    pod: str | UnsetType = UNSET
    node: str | UnsetType = UNSET


class _Refusal(_Part, kw_only=True):
    reason: RefusalReason
    connections: int
    rate: float


class _Service(_Part, kw_only=True):
    service: str
    namespace: str = ""
    name: str = ""
    port: str = ""
    family: str
    protocol: str
    connections: int
    rate: float
    share: float | None = None
    refused: Sequence[_Refusal] = ()
    endpoints: Sequence[_Endpoint]
    more: int = 0


class _Known(_Part, kw_only=True):
    services: int
    service_ports: int = 0
    """0 in a document of an older release, whose `services` is the number of Service ports."""
    endpoints: int


class _Document(_Part, kw_only=True):
    version: int
    time: str = ""
    seconds: float
    connections: int
    rate: float = 0.0
    refused: int = 0
    known: _Known
    services: Sequence[_Service]
    more: int = 0


def as_json(rates: Rates, time: str, limit: int | None) -> str:
    """One document in one line: the Services that had connections in the interval, and their endpoints.

    There are at most `limit` Services in it, and endpoints of each; `more` is the number of all others.
    """
    busy = [its for its in rates.services if its.connections or any(each.connections for each in its.refusals)]
    document = _Document(
        version=VERSION,
        time=time,
        seconds=round(rates.seconds, 6),
        connections=rates.connections,
        rate=rates.rate,
        refused=rates.refused,
        known=_Known(services=rates.known_services, service_ports=rates.known_ports, endpoints=rates.known_endpoints),
        services=[_service(service, limit) for service in busy[:limit]],
        more=len(busy) - len(busy[:limit]),
    )
    return msgspec.json.encode(document).decode()


def read_json(document: bytes) -> Rates:
    """The Rates that `as_json` was given, without their histories. Raises ValueError."""
    try:
        read = msgspec.json.decode(document, type=_Document)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None
    if read.version != VERSION or read.seconds <= 0:
        message = f"version {read.version} of the document is not known here"
        raise ValueError(message)
    return Rates(
        seconds=read.seconds,
        connections=read.connections,
        services=tuple(map(_service_rate, read.services)),
        refused=read.refused,
        known_ports=read.known.service_ports or read.known.services,
        known_services=read.known.services,
        known_endpoints=read.known.endpoints,
    )


def _service(rate: ServiceRate, limit: int | None) -> _Service:
    namespace, _, rest = rate.service.partition("/")
    name, _, port = rest.partition(":")
    return _Service(
        service=rate.service,
        namespace=namespace,
        name=name,
        port=port,
        family=rate.family.lower(),
        protocol=rate.protocol,
        connections=rate.connections,
        rate=rate.rate,
        share=rate.share,
        refused=[
            _Refusal(reason=each.reason, connections=each.connections, rate=each.rate)
            for each in rate.refusals
            if each.connections
        ],
        endpoints=[_endpoint(endpoint) for endpoint in rate.endpoints[:limit]],
        more=len(rate.endpoints) - len(rate.endpoints[:limit]),
    )


def _endpoint(rate: EndpointRate) -> _Endpoint:
    return _Endpoint(
        endpoint=rate.endpoint,
        connections=rate.connections,
        rate=rate.rate,
        share=rate.share,
        expected_share=rate.expected,
        pod=rate.pod or UNSET,
        node=rate.node or UNSET,
    )


def _service_rate(its: _Service) -> ServiceRate:
    return ServiceRate(
        family=Family.IPV6 if its.family == Family.IPV6.lower() else Family.IPV4,
        service=printable(its.service),
        protocol=printable(its.protocol),
        connections=its.connections,
        rate=its.rate,
        share=its.share,
        history=(its.rate,),
        endpoints=tuple(map(_endpoint_rate, its.endpoints)),
        refusals=tuple(
            RefusalRate(reason=each.reason, connections=each.connections, rate=each.rate, history=(each.rate,))
            for each in its.refused
        ),
    )


def _endpoint_rate(its: _Endpoint) -> EndpointRate:
    return EndpointRate(
        endpoint=printable(its.endpoint),
        connections=its.connections,
        rate=its.rate,
        share=its.share,
        expected=its.expected_share,
        history=(its.rate,),
        pod=printable(its.pod or ""),
        node=printable(its.node or ""),
    )
