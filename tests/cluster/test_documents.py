"""Manifest text to objects, and what is said about what is wrong with it."""

import subprocess
import sys
from typing import Any

import pytest

from pykubeproxy.cluster.documents import ManifestContent, parse_manifest
from pykubeproxy.cluster.input_notes import input_note_text
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Service, ServiceKey
from pykubeproxy.model.snapshot import ObjectId
from tests.cluster.manifest_text import GONE, as_json, as_yaml, endpoint_slice, list_of, node, service

WEB, SLICE, N1 = ObjectId("Service", "ns", "web"), ObjectId("EndpointSlice", "ns", "web-1"), ObjectId("Node", "", "n1")


def read(text: str) -> ManifestContent:
    return parse_manifest(text, "f.yaml")


def untyped(obj: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}


def said(text: str) -> list[str]:
    return [input_note_text(note) for note in read(text).notes]


def test_three_kinds_in_one_stream() -> None:
    parsed = read(as_yaml(service(), endpoint_slice(), node()))
    assert set(parsed.objects) == {WEB, SLICE, N1}
    assert (parsed.bad, parsed.is_broken, parsed.notes) == (frozenset(), False, ())


@pytest.mark.parametrize(
    "text",
    [
        as_yaml(service()),
        as_json(service()),
        as_yaml(list_of([service()])),
        as_json(list_of([service()])),
        as_json(list_of([untyped(service())], kind="ServiceList")),
        "# a comment first\n---\n# and another\n---\n" + as_yaml(service()) + "---\n",
        "--- # its header\n" + as_yaml(service()) + "...\n",
        "--- " + as_json(service()).replace("\n", " ") + "\n",
        as_yaml(service()).replace("\n", "\r\n"),
        "---\r\n" + as_yaml(service()).replace("\n", "\r\n") + "---\r\n# end\r\n",
        "\ufeff" + as_yaml(service()),
        as_json(service()).replace('"', "'"),
        as_yaml({**service(), "status": {"conditions": [{"lastTransitionTime": "2020-01-01T00:00:00Z"}]}}),
    ],
)
def test_ways_to_write_a_service(text: str) -> None:
    parsed = read(text)
    assert [input_note_text(note) for note in parsed.notes] == []
    assert set(parsed.objects) == {WEB}


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n---\n", "--- \n# nothing\n...\n", "null\n"])
def test_nothing_in_it(text: str) -> None:
    assert read(text) == ManifestContent(objects={}, bad=frozenset(), is_broken=False, notes=())


def test_dashes_inside_a_text_start_no_document() -> None:
    text = as_yaml(service(metadata__annotations={"note": "a\n---\nb"}))
    assert set(read(text).objects) == {WEB}


def test_a_typed_list_gives_its_items_kind_and_version() -> None:
    text = as_yaml(list_of([untyped(endpoint_slice())], kind="EndpointSliceList", apiVersion="discovery.k8s.io/v1"))
    assert set(read(text).objects) == {SLICE}


def test_lists_may_hold_lists() -> None:
    assert set(read(as_yaml(list_of([list_of([service()]), node()]))).objects) == {WEB, N1}


@pytest.mark.parametrize("namespace", [None, "", GONE])
def test_a_namespace_that_is_not_given_is_default(namespace: object) -> None:
    (name,) = read(as_yaml(service(metadata__namespace=namespace))).objects
    assert name == ObjectId("Service", "default", "web")


def test_an_ipv6_address_without_quotes_is_text() -> None:
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  clusterIP: 2001:10:20:30:40:50:1:2\n"
    parsed = read(f"{text}  ports: [{{port: 0o120}}]\n")
    assert not parsed.notes
    (web,) = parsed.objects.values()
    assert isinstance(web, Service)
    assert (web.cluster_ip, web.ports[0].port) == ("2001:10:20:30:40:50:1:2", 80)


def test_a_timestamp_is_text() -> None:
    parsed = read("kind: Node\napiVersion: v1\nmetadata: {name: n1, deletionTimestamp: 2020-01-01T00:00:00Z}\n")
    assert parsed.notes == ()
    assert set(parsed.objects) == {N1}


@pytest.mark.parametrize("kind", ["Deployment", "Endpoints", "ServiceAccount", "ConfigMapList"])
def test_other_kinds_are_skipped_with_a_remark(kind: str) -> None:
    parsed = read(as_yaml({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}}, service()))
    assert [(input_note_text(note), note.is_error) for note in parsed.notes] == [
        (f"f.yaml: document 1: {kind} is not used here; skipped", False)
    ]
    assert set(parsed.objects) == {WEB}
    assert not parsed.is_broken


BROKEN = [
    ("kind: [\n", "f.yaml: document 1: not valid YAML: did not find expected node content (line 2, column 1)"),
    (
        '{"kind": "Service",\n',
        "f.yaml: document 1: not valid YAML: did not find expected node content (line 2, column 1)",
    ),
    (
        "a: b: c\n",
        "f.yaml: document 1: not valid YAML: mapping values are not allowed in this context (line 1, column 5)",
    ),
    ("a: *nobody\n", "f.yaml: document 1: not valid YAML: found undefined alias (line 1, column 4)"),
    ("a: !!python/object:os.system x\n", None),
    ("a: !!int ''\n", None),
    ("a: !!bool maybe\n", None),
    ("a: !!timestamp soon\n", None),
    ("? [a]\n: b\n", None),
    ("a: \x00\n", None),
    ("a: \ud800\n", None),
    (
        "kind: Node\nmetadata: {name: a}\nkind: Node\nmetadata: {name: b}\n",
        "f.yaml: document 1: not valid YAML: kind is there twice: is a line --- missing? (line 3, column 1)",
    ),
    ("- a\n", "f.yaml: document 1: a Kubernetes object is expected, not list"),
    ("just words\n", "f.yaml: document 1: a Kubernetes object is expected, not str"),
    ("42\n", "f.yaml: document 1: a Kubernetes object is expected, not int"),
    ("{}\n", "f.yaml: document 1: kind: not set; Service, EndpointSlice, Node or List is expected"),
    ("kind: 1\n", "f.yaml: document 1: kind: not set; Service, EndpointSlice, Node or List is expected"),
    ("kind: List\n", "f.yaml: document 1: items: a list is expected"),
    ("kind: List\nitems: {}\n", "f.yaml: document 1: items: a list is expected"),
    ("kind: List\nitems: [1]\n", "f.yaml: document 1: items[0]: a Kubernetes object is expected, not int"),
    ("kind: Service\n", "f.yaml: document 1: Service: metadata.name: not set"),
    ("kind: Service\nmetadata: []\n", "f.yaml: document 1: Service: metadata.name: not set"),
    ("kind: Service\nmetadata: {name: 5}\n", "f.yaml: document 1: Service: metadata.name: not set"),
    ("&a\nkind: List\nitems: [*a]\n", "f.yaml: document 1: nested too deeply"),
    ("[" * 500 + "]" * 500, "f.yaml: document 1: not valid YAML: nested too deeply"),
    ("[" * 5000, None),  # newer versions of libyaml have a limit of their own
    ("{" * 5000, None),
    ("{" + '"a":{' * 5000, None),
]


# Of what a recursion in C would take hundreds of thousands of frames for.
ABYSSES = {
    "brackets": "[" * 200_000,
    "closed brackets": "[" * 200_000 + "]" * 200_000,
    "braces": "{a: " * 200_000,
    "dashes": "- " * 200_000,
    "JSON": '{"kind": "Service", "metadata": ' + "[" * 200_000,
    "a list in JSON": '{"kind": "List", "items": [' + "[" * 200_000,
    "a complete list in JSON": '{"kind": "List", "items": [' + "[" * 200_000 + "]" * 200_000 + "]}",
}


@pytest.mark.parametrize("text", ABYSSES.values(), ids=ABYSSES)
def test_no_depth_ends_the_process(text: str) -> None:
    """In a process of its own: what goes wrong is a segmentation fault."""
    program = (
        "import sys; from pykubeproxy.cluster.documents import parse_manifest; "
        "print(parse_manifest(sys.stdin.read(), 'f.yaml').is_broken)"
    )
    run = subprocess.run([sys.executable, "-c", program], input=text, stdout=subprocess.PIPE, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "True\n")


def test_a_custom_resource_may_be_deep() -> None:
    parsed = read("kind: CustomResourceDefinition\nspec: " + "{a: " * 200 + "}" * 200 + "\n---\n" + as_yaml(node()))
    assert set(parsed.objects) == {N1}
    assert not parsed.is_broken


@pytest.mark.parametrize(("text", "note"), BROKEN)
def test_a_broken_document_does_not_take_the_others_with_it(text: str, note: str | None) -> None:
    alone = read(text)
    assert alone.is_broken
    assert alone.objects == {}
    (only,) = alone.notes
    assert only.is_error
    assert note is None or input_note_text(only) == note
    assert input_note_text(only).isprintable()

    both = read(as_yaml(service()) + f"---\n{text.rstrip()}\n---\n" + as_yaml(node()))
    assert set(both.objects) == {WEB, N1}
    assert both.is_broken
    assert [input_note_text(note).startswith("f.yaml: document 2: ") for note in both.notes] == [True]


def test_a_mistake_is_told_with_its_line_in_the_file() -> None:
    text = as_yaml(service()) + "---\nkind: Service\nmetadata: {name: x\n---\n" + as_yaml(node())
    line = text.splitlines().index("metadata: {name: x") + 2
    (note,) = said(text)
    assert note == f"f.yaml: document 2: not valid YAML: did not find expected ',' or '}}' (line {line}, column 1)"


BAD: list[tuple[dict[str, Any], str]] = [
    (service(clusterIP=1), "spec.clusterIP: Expected str | null, got int"),
    (service(ports=[{"port": "80"}]), "spec.ports[0].port: Expected int, got str"),
    (service(ports=[{"port": 80.5}]), "spec.ports[0].port: Expected int, got float"),
    (service(ports=[{"port": True}]), "spec.ports[0].port: Expected int, got bool"),
    (service(ports=[{"name": "http"}]), "spec.ports[0]: Object missing required field port"),
    (service(ports={}), "spec.ports: Expected array | null, got object"),
    ({**service(), "spec": "x"}, "spec: Expected object | null, got str"),
    (service(metadata__labels={"a": 1}), "metadata.labels[...]: Expected str, got int"),
    (service(metadata__namespace=7), "metadata.namespace: Expected str, got int"),
    (service(ports=[{"port": 0}]), "spec.ports[0].port: 0 is not within 1 to 65535"),
    ({**service(), "apiVersion": "v2"}, "apiVersion: 'v2' is not v1"),
    ({**service(), "apiVersion": "discovery.k8s.io/v1"}, "apiVersion: 'discovery.k8s.io/v1' is not v1"),
    ({**untyped(service()), "kind": "Service"}, "apiVersion: None is not v1"),
]


@pytest.mark.parametrize(("obj", "problem"), BAD)
def test_a_bad_object_is_told_with_file_document_name_and_field(obj: dict[str, Any], problem: str) -> None:
    parsed = read(as_yaml(node(), obj))
    (bad,) = parsed.bad
    assert (bad.kind, bad.name) == ("Service", "web")
    assert [input_note_text(note) for note in parsed.notes] == [f"f.yaml: document 2: {bad}: {problem}; skipped"]
    assert set(parsed.objects) == {N1}
    assert not parsed.is_broken


def test_a_bad_item_of_a_list_is_told_by_its_place() -> None:
    text = as_yaml(list_of([service("a"), service("b", ports=[{"port": -1}]), service("c")]))
    assert said(text) == [
        "f.yaml: document 1: items[1]: Service ns/b: spec.ports[0].port: -1 is not within 1 to 65535; skipped"
    ]
    assert {name.name for name in read(text).objects} == {"a", "c"}


def test_a_part_that_is_left_out_is_told_too() -> None:
    text = as_yaml(service(externalIPs=["192.0.2.1", "bogus"]))
    assert [(input_note_text(note), note.is_error) for note in read(text).notes] == [
        ("f.yaml: document 1: Service ns/web: spec.externalIPs[1]: 'bogus' is not an IP address; left out", False)
    ]
    assert set(read(text).objects) == {WEB}


def test_of_two_definitions_the_last_one_counts() -> None:
    parsed = read(as_yaml(service(clusterIP="10.96.0.1"), service(clusterIP="10.96.0.2")))
    assert parsed.objects[WEB].cluster_ip == "10.96.0.2"  # type: ignore[union-attr]
    assert [input_note_text(note) for note in parsed.notes] == [
        "f.yaml: document 2: Service ns/web: defined twice; this one is used"
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_a_bad_definition_does_not_replace_a_good_one(order: int) -> None:
    parsed = read(as_yaml(*[service(), service(clusterIP="bogus")][::order]))
    assert set(parsed.objects) == {WEB}
    assert parsed.bad == {WEB}


def test_slices_nobody_can_use_are_left_out() -> None:
    parsed = read(as_yaml(endpoint_slice(addressType="FQDN"), endpoint_slice("w2", metadata__labels=GONE)))
    assert parsed.objects == {}
    assert not parsed.is_broken
    assert [input_note_text(note) for note in parsed.notes] == [
        "f.yaml: document 1: EndpointSlice ns/web-1: addressType: 'FQDN' is neither IPv4 nor IPv6; left out",
        (
            "f.yaml: document 2: EndpointSlice ns/w2: "
            "metadata.labels[kubernetes.io/service-name]: missing, so it belongs to no Service; left out"
        ),
    ]


def test_anchors_work() -> None:
    text = """\
apiVersion: v1
kind: List
items:
- &web {apiVersion: v1, kind: Service, metadata: &meta {name: web}, spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}}
- *web
- {apiVersion: v1, kind: Node, metadata: *meta}
"""
    assert set(read(text).objects) == {ObjectId("Service", "default", "web"), ObjectId("Node", "", "web")}


def test_the_objects_themselves() -> None:
    parsed = read(as_yaml(service(), endpoint_slice(), node()))
    its_service, its_slice = parsed.objects[WEB], parsed.objects[SLICE]
    assert its_service.key == ServiceKey("ns", "web")  # type: ignore[union-attr]
    assert its_slice.service == ServiceKey("ns", "web")  # type: ignore[union-attr]
    assert its_slice.family is Family.IPV4  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "item",
    [
        service(),
        service(metadata__namespace=GONE),
        service(namespace=""),
        service(name=""),
        service(metadata__name=5),
        service(metadata=GONE),
        service(apiVersion="v2"),
        service(ports="none"),
        service(ports=[{"port": 80}], clusterIP="fe80::1%eth0"),
        untyped(service()),
        node(),
        node(metadata__namespace="ns"),
        list_of([service(), endpoint_slice()]),
        list_of([untyped(service())], kind="ServiceList"),
        {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a", "namespace": "ns"}},
        {"kind": "", "metadata": None},
        "text",
        ["a", "list"],
        7,
        None,
    ],
)
@pytest.mark.parametrize("kind", ["List", "ServiceList", "NodeList"])
def test_items_of_a_list_in_json_are_read_as_those_in_yaml(item: Any, kind: str) -> None:
    items = list_of([endpoint_slice(), item, service(name="other")], kind=kind)
    assert read(as_json(items)) == read(as_yaml(items))
