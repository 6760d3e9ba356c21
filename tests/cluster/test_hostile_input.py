"""Whatever is in a manifest: it ends in objects or in notes of one line, and no word of it in a rule of its own."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.cluster.documents import parse_manifest
from pykubeproxy.cluster.input_notes import input_note_text
from pykubeproxy.model.ip import Family
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import render
from tests.builders import options
from tests.cluster.manifest_text import as_json, endpoint_slice, list_of, node, service

INJECTIONS = [
    *("x\n-A INPUT -j ACCEPT", 'x" -j ACCEPT', "x -j ACCEPT", "x\x00", "x\u2028y", "x\r", "x'", "\\", "-j", "x" * 300),
    *("${x}", "\x1b[2J"),
]


def check(text: str) -> None:
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
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS | st.sampled_from(INJECTIONS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


@given(st.data())
def test_any_value_in_a_field_that_counts(data: st.DataObject) -> None:
    """A good cluster in which one field is something else."""
    base = list_of([service(type="LoadBalancer"), endpoint_slice(), node()])
    place: Any = base["items"]
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not (isinstance(place[key], dict | list) and place[key]) or data.draw(st.integers(0, 3)) == 0:
            break
        place = place[key]
    place[key] = data.draw(VALUES)
    check(as_json(base))
