"""What `top` has measured: Services with so many connections to each of their endpoints."""

from pykubeproxy.model.ip import Family
from pykubeproxy.rules.refusals import RefusalReason
from pykubeproxy.traffic.rates import EndpointRate, Rates, RefusalRate, ServiceRate


def service(
    name: str, *connections: int, history: tuple[float, ...] = (), refused: float = 0.0, seconds: float = 2.0
) -> ServiceRate:
    """A Service whose endpoints had so many connections in this time; all Services together had ten."""
    own, reason = sum(connections), RefusalReason.NO_LOCAL_ENDPOINTS
    refusal = RefusalRate(reason=reason, connections=int(refused * seconds), rate=refused, history=(refused,))
    endpoints = [
        EndpointRate(
            endpoint=f"[fd00::{number}]:80",
            connections=each,
            rate=each / seconds,
            share=each / own if own else None,
            expected=1 / len(connections),
            history=(each / seconds,),
        )
        for number, each in enumerate(connections, start=1)
    ]
    return ServiceRate(
        family=Family.IPV6,
        service=name,
        protocol="UDP",
        connections=own,
        rate=own / seconds,
        share=own / 10,
        history=history or (1.0, own / seconds),
        endpoints=tuple(endpoints),
        refusals=(refusal,) if refused else (),
    )


def rates(*services: ServiceRate, seconds: float = 2.0) -> Rates:
    return Rates(
        seconds=seconds,
        connections=sum(each.connections for each in services),
        refused=sum(refusal.connections for each in services for refusal in each.refusals),
        services=services,
        known_ports=1234,
        known_services=1000,
        known_endpoints=5678,
    )
