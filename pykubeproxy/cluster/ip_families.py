"""The IP families of a Service's cluster IPs, where a hand-written manifest leaves them to the API server.

Source: `ipFamilies`, `ipFamilyPolicy`, `clusterIP` and `clusterIPs` in
https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/, and the API server's
pkg/registry/core/service/storage/alloc.go, which appends the family of each cluster IP that has none yet.
"""

from collections.abc import Iterator, Sequence

from pykubeproxy.cluster import wire
from pykubeproxy.model.ip import Family, parse_ip

_HEADLESS = "None"
_EXTERNAL_NAME = "ExternalName"
_SINGLE, _REQUIRED = "SingleStack", "RequireDualStack"
_POLICIES = (_SINGLE, "PreferDualStack", _REQUIRED)
_MOST = len(Family)


def filled_in(spec: wire.ServiceSpec) -> tuple[str, ...]:
    """`spec.ipFamilies`, with the families of those `spec.clusterIPs` that have none yet.

    Empty if it is not given and `spec.clusterIP` is not the first of `spec.clusterIPs`: a proxy uses the former then.
    """
    given = tuple(spec.ip_families or ())
    addresses = spec.cluster_ips or ([spec.cluster_ip] if spec.cluster_ip else [])
    if not given and spec.cluster_ip and addresses[0] != spec.cluster_ip:
        return ()
    families = []
    for text in addresses[len(given) :]:
        ip = parse_ip(text)
        if ip is None:
            break
        families.append(ip.family)
    return (*given, *families)


def contradictions(spec: wire.ServiceSpec) -> Iterator[tuple[str, str]]:
    """What the API server would not have accepted about the addresses, each as field and problem."""
    addresses = spec.cluster_ips or []
    if spec.ip_family_policy and spec.ip_family_policy not in _POLICIES:
        yield "spec.ipFamilyPolicy", f"{spec.ip_family_policy!r} is not one of {', '.join(_POLICIES)}"
    texts = {text for text in (spec.cluster_ip, *addresses) if text}
    if _HEADLESS in texts and len(texts) > 1:
        yield "spec.clusterIPs", "None beside an address; a Service is headless or has addresses"
    if _HEADLESS in texts or spec.type == _EXTERNAL_NAME:
        return
    if spec.cluster_ip and addresses and addresses[0] != spec.cluster_ip:
        used = "clusterIPs" if spec.ip_families else "clusterIP"
        yield "spec.clusterIP", f"{spec.cluster_ip!r} is not clusterIPs[0], {addresses[0]!r}; {used} is used"
    if texts:
        yield from _family_contradictions(spec, addresses or [spec.cluster_ip or ""])


def _family_contradictions(spec: wire.ServiceSpec, addresses: Sequence[str]) -> Iterator[tuple[str, str]]:
    families = filled_in(spec)
    for i, (text, family) in enumerate(zip(addresses, families, strict=False)):
        ip = parse_ip(text)
        if family not in tuple(Family):
            yield f"spec.ipFamilies[{i}]", f"{family!r} is neither IPv4 nor IPv6"
        elif ip is None or ip.family != family:
            yield f"spec.clusterIPs[{i}]", f"{text!r} is not {family}, as ipFamilies[{i}] says; it is not served"
        elif family in families[:i]:
            yield f"spec.clusterIPs[{i}]", f"{text!r} is a second {family} address; only the first one is served"
    for i in range(len(addresses), len(families)):
        yield f"spec.ipFamilies[{i}]", f"{families[i]} has no address in clusterIPs; nothing is served in it"
    if len(addresses) > _MOST:
        yield "spec.clusterIPs", f"{len(addresses)} addresses; one of each family is the most"
    if spec.ip_family_policy == _SINGLE and len(addresses) > 1:
        yield "spec.ipFamilyPolicy", f"{_SINGLE}, but clusterIPs has {len(addresses)} addresses; all are served"
    if spec.ip_family_policy == _REQUIRED and len(families) < _MOST:
        yield "spec.ipFamilyPolicy", f"{_REQUIRED}, but there is one address; only that family is served"
