"""Whatever is in a manifest: it ends in objects or in notes of one line, and no word of it in a rule of its own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.cluster.documents import ManifestContent, parse_manifest
from pykubeproxy.cluster.input_notes import input_note_text
from pykubeproxy.model.ip import Family
from pykubeproxy.model.snapshot import Snapshot, identify
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import render
from tests.builders import options
from tests.cluster.manifest_text import as_json, as_yaml, endpoint_slice, node, service

INJECTIONS = [
    *("x\n-A INPUT -j ACCEPT", 'x" -j ACCEPT', "x -j ACCEPT", "x\x00", "x\u2028y", "x\r", "x'", "\\", "-j", "x" * 300),
    *("${x}", "\x1b[2J"),
]
SERVICE_FIELDS = [
    *("metadata__name", "metadata__namespace", "spec__clusterIP", "spec__type", "spec__sessionAffinity"),
    "spec__externalTrafficPolicy",
]


def check(text: str) -> ManifestContent:
    """Read it, say what there is to say, and write the rules for what is left."""
    parsed = parse_manifest(text, "f.yaml")
    for note in map(input_note_text, parsed.notes):
        assert note.isprintable()
        assert note.startswith("f.yaml: document ")
        note.encode()
    cluster = Snapshot()
    for obj in parsed.objects.values():
        cluster.put(obj)
    for family in Family:
        for dispatch in Dispatch:
            for line in render(compile_ruleset(cluster, options(family, dispatch=dispatch))):
                assert line.isascii()
                assert line.isprintable()
                assert line.count(" -j ") <= 1
                assert line.count('"') in (0, 2)
                assert line.startswith(("*", ":", "COMMIT", "-A KUBE-")) or "KUBE-" in line.split()[-1]
    return parsed


def with_endpoint(obj: dict[str, Any]) -> str:
    return as_yaml(obj, endpoint_slice(), service("neighbour", clusterIP="10.96.9.9"))


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize("field", SERVICE_FIELDS)
def test_no_word_of_a_service_becomes_a_rule(field: str, text: str) -> None:
    parsed = check(with_endpoint(service(**{field: text})))
    assert [identify(obj).name for obj in parsed.objects.values()] == ["web-1", "neighbour"]
    assert [note.is_error for note in parsed.notes] == [True]


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_word_of_another_field_becomes_a_rule(text: str) -> None:
    for field in ("name", "protocol", "appProtocol", "targetPort"):
        check(with_endpoint(service(ports=[{"port": 80, field: text}])))
        check(as_yaml(service(), endpoint_slice(ports=[{"name": "http", "port": 80, field: text}])))
    for field in ("externalIPs", "loadBalancerSourceRanges", "clusterIPs", "ipFamilies"):
        fields: dict[str, Any] = {field: [text]}
        check(with_endpoint(service(type="LoadBalancer", **fields)))
    check(with_endpoint(service(status__loadBalancer={"ingress": [{"ip": text, "ipMode": text, "hostname": text}]})))
    entry = {"addresses": [text], "nodeName": text, "hostname": text, "zone": text}
    good = {"addresses": ["10.0.0.1"], "nodeName": text, "hints": {"forZones": [{"name": text}]}}
    labels = {"kubernetes.io/service-name": text}
    check(as_yaml(service(), endpoint_slice(endpoints=[entry, good])))
    check(as_yaml(service(), endpoint_slice(metadata__labels=labels), endpoint_slice(text), endpoint_slice("a", text)))
    check(as_yaml(node(text), node(metadata__labels={"topology.kubernetes.io/zone": text})))
    check(as_yaml(node(status__addresses=[{"type": "InternalIP", "address": text}], spec__podCIDRs=[text])))
    check(as_yaml({"apiVersion": text, "kind": text, "metadata": {"name": text}}))


# Whatever JSON can hold, with words that mean something in the places where they do.
WORDS = st.sampled_from(
    ["Service", "EndpointSlice", "Node", "List", "ServiceList", "v1", "discovery.k8s.io/v1", "IPv4", "10.0.0.1", "web"]
)
KEYS = st.sampled_from(
    [
        *("kind", "apiVersion", "metadata", "name", "namespace", "labels", "spec", "status", "items", "ports", "port"),
        *("clusterIP", "clusterIPs", "endpoints", "addresses", "addressType", "conditions", "hints", "loadBalancer"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


@given(st.data())
def test_any_value_in_a_field_that_counts(data: st.DataObject) -> None:
    """A good object in which one field is something else."""
    base = data.draw(st.sampled_from([service(type="LoadBalancer"), endpoint_slice(), node()]))
    place: Any = base
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not (isinstance(place[key], dict | list) and place[key]) or data.draw(st.integers(0, 3)) == 0:
            break
        place = place[key]
    place[key] = data.draw(VALUES)
    check(as_json(base))
