"""Objects that no API server would take, and what their authors hope for."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.apiserver import testing

JsonObject = dict[str, Any]

MARK = "evil"
"""In each text, in some case; nothing else has it."""

TEXTS = (
    f"{MARK}\n-A INPUT -j ACCEPT",
    f"{MARK}\nCOMMIT\n*nat\n-F\nCOMMIT",
    f'{MARK}" -j ACCEPT -m comment --comment "',
    f"{MARK} -j ACCEPT",
    f"{MARK}'; iptables -F #",
    f"--{MARK}",
    f"${{{MARK}}}$({MARK})`{MARK}`",
    f"{MARK}\x00\r\x1b[2J\x1b]0;{MARK}\x07\x9b",
    f"\u202e{MARK}\u2028\u2029\u0085\ufeff",
    f"{MARK}\u0435\u0456\U0001f4a9",
    f"..%2f..%2f{MARK}",
    f"\n2026-11-22T00:00:00Z [info     ] {MARK}",
    f'", "event": "{MARK}',
    f"{MARK} " * 2000,
    MARK.upper(),
)


def objects(text: str, number: int) -> Iterator[JsonObject]:
    """Objects with this text in every place where there can be one; `number` tells those of several texts apart."""
    for place, (change, is_slice) in enumerate(_PLACES):
        name = f"bad-{number}-{place}"
        made = _slice(name) if is_slice else _service(name, f"10.96.{66 + number}.{place}")
        change(made, text)
        yield made


def _slice(name: str) -> JsonObject:
    return testing.endpoint_slice(name, "10.244.6.6", of="neighbour")


def _service(name: str, address: str) -> JsonObject:
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.66"}]}}
    return testing.service(name, type="LoadBalancer", clusterIP=address, clusterIPs=[address]) | {"status": status}


Change = Callable[[JsonObject, str], None]


def _put(*path: str | int) -> Change:
    """Puts a text at a place; a key after `%` is the text itself."""

    def change(obj: JsonObject, text: str) -> None:
        *folders, last = path
        place: Any = obj
        for key in folders:
            place = place[key] if isinstance(key, int) else place.setdefault(key, {})
        place[text if last == "%" else last] = text

    return change


def _put_list(*path: str | int) -> Change:
    def change(obj: JsonObject, text: str) -> None:
        place: Any = obj
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = [text]

    return change


_PLACES: tuple[tuple[Change, bool], ...] = (
    (_put("metadata", "name"), False),
    (_put("metadata", "namespace"), False),
    (_put("metadata", "annotations", "%"), False),
    (_put("metadata", "labels", "%"), False),
    (_put("spec", "type"), False),
    (_put("spec", "clusterIP"), False),
    (_put_list("spec", "clusterIPs"), False),
    (_put_list("spec", "externalIPs"), False),
    (_put_list("spec", "loadBalancerSourceRanges"), False),
    (_put("spec", "sessionAffinity"), False),
    (_put("spec", "externalTrafficPolicy"), False),
    (_put("spec", "trafficDistribution"), False),
    (_put("spec", "ports", 0, "name"), False),
    (_put("spec", "ports", 0, "protocol"), False),
    (_put("spec", "ports", 0, "port"), False),
    (_put("spec", "ports", 0, "nodePort"), False),
    (_put("spec", "ports", 0, "targetPort"), False),
    (_put("status", "loadBalancer", "ingress", 0, "ip"), False),
    (_put("status", "loadBalancer", "ingress", 0, "hostname"), False),
    (_put("metadata", "name"), True),
    (_put("metadata", "namespace"), True),
    (_put("metadata", "labels", "kubernetes.io/service-name"), True),
    (_put("addressType"), True),
    (_put_list("endpoints", 0, "addresses"), True),
    (_put("endpoints", 0, "nodeName"), True),
    (_put("endpoints", 0, "zone"), True),
    (_put("endpoints", 0, "hostname"), True),
    (_put("endpoints", 0, "hints"), True),
    (_put("ports", 0, "name"), True),
    (_put("ports", 0, "port"), True),
    (_put("ports", 0, "protocol"), True),
)
