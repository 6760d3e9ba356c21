"""Manifest text to objects, and what is said about what is wrong with it."""

import subprocess
import sys
from typing import Any

import pytest

from pykubeproxy.cluster.documents import ManifestContent, parse_manifest
from pykubeproxy.cluster.input_notes import UnreadableDocument, input_note_text
from pykubeproxy.model.snapshot import ObjectId
from tests.cluster.manifest_text import GONE, as_json, as_yaml, endpoint_slice, list_of, node, service

WEB, SLICE, N1 = ObjectId("Service", "ns", "web"), ObjectId("EndpointSlice", "ns", "web-1"), ObjectId("Node", "", "n1")
SLICES_API = "discovery.k8s.io/v1"


def read(text: str) -> ManifestContent:
    return parse_manifest(text, "f.yaml")


def untyped(obj: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}


def said(content: ManifestContent) -> list[str]:
    return [input_note_text(note) for note in content.notes]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        *((text, set()) for text in ("", "\n\n", "# nothing\n", "---\n---\n", "--- \n# nothing\n...\n", "null\n")),
        (as_yaml(service(), endpoint_slice(), node()), {WEB, SLICE, N1}),
        (as_json(service()), {WEB}),
        (as_json(list_of([service()])), {WEB}),
        (as_json(list_of([untyped(service())], kind="ServiceList")), {WEB}),
        (as_yaml(list_of([untyped(endpoint_slice())], kind="EndpointSliceList", apiVersion=SLICES_API)), {SLICE}),
        (as_yaml(list_of([list_of([service()]), node()])), {WEB, N1}),
        ("# a comment first\n---\n# and another\n---\n" + as_yaml(service()) + "---\n", {WEB}),
        ("--- # its header\n" + as_yaml(service()) + "...\n", {WEB}),
        ("--- " + as_json(service()).replace("\n", " ") + "\n", {WEB}),
        ("---\r\n" + as_yaml(service()).replace("\n", "\r\n") + "---\r\n# end\r\n", {WEB}),
        ("\ufeff" + as_yaml(service()), {WEB}),
        (as_json(service()).replace('"', "'"), {WEB}),
        (as_yaml({**service(), "status": {"conditions": [{"lastTransitionTime": "2020-01-01T00:00:00Z"}]}}), {WEB}),
        (as_yaml(service(metadata__annotations={"note": "a\n---\nb"})), {WEB}),
        *((as_yaml(service(metadata__namespace=it)), {WEB._replace(namespace="default")}) for it in (None, "", GONE)),
        ("kind: Node\napiVersion: v1\nmetadata: {name: n1, deletionTimestamp: 2020-01-01T00:00:00Z}\n", {N1}),
        (
            as_yaml(service(ports=None)).replace("10.96.0.1", "1:2:3:4:5:6:7:8").replace("null", "[{port: 0o120}]"),
            {WEB},
        ),
        ("kind: List\nitems:\n- &n {apiVersion: v1, kind: Node, metadata: {name: n1}}\n- *n\n", {N1}),
    ],
)
def test_ways_to_write_objects(text: str, names: set[ObjectId]) -> None:
    content = read(text)
    assert [note for note in said(content) if "defined twice" not in note] == []
    assert (set(content.objects), content.bad, content.is_broken) == (names, frozenset(), False)


@pytest.mark.parametrize("kind", ["Deployment", "Endpoints", "ServiceAccount", "ConfigMapList"])
def test_other_kinds_are_skipped_with_a_remark_however_deep_they_are(kind: str) -> None:
    other = f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: x}}\nspec: " + "{a: " * 200 + "}" * 200 + "\n---\n"
    content = read(other + as_yaml(service()))
    assert said(content) == [f"f.yaml: document 1: {kind} is not used here; skipped"]
    assert (set(content.objects), content.is_broken) == ({WEB}, False)


NO_KIND = "kind: not set; Service, EndpointSlice, Node or List is expected"
BROKEN = [
    ("kind: [\n", "not valid YAML: did not find expected node content (line 2, column 1)"),
    ('{"kind": "Service",\n', "not valid YAML: did not find expected node content (line 2, column 1)"),
    ("a: b: c\n", "not valid YAML: mapping values are not allowed in this context (line 1, column 5)"),
    ("a: *nobody\n", "not valid YAML: found undefined alias (line 1, column 4)"),
    ("a: !!python/object:os.system x\n", ""),
    ("a: !!int ''\n", ""),
    ("? [a]\n: b\n", ""),
    ("a: \x00\n", ""),
    ("a: \ud800\n", ""),
    (
        "kind: Node\nmetadata: {name: a}\nkind: Node\nmetadata: {name: b}\n",
        "not valid YAML: kind is there twice: is a line --- missing? (line 3, column 1)",
    ),
    ("just words\n", "a Kubernetes object is expected, not str"),
    ("{}\n", NO_KIND),
    ("kind: 1\n", NO_KIND),
    ("kind: List\n", "items: a list is expected"),
    ("kind: List\nitems: [1]\n", "items[0]: a Kubernetes object is expected, not int"),
    ("kind: Service\n", "Service: metadata.name: not set"),
    ("kind: Service\nmetadata: {name: 5}\n", "Service: metadata.name: not set"),
    ("&a\nkind: List\nitems: [*a]\n", "nested too deeply"),
    ("[" * 500 + "]" * 500, "not valid YAML: nested too deeply"),
    ("[" * 5000, ""),  # newer versions of libyaml have a limit of their own
    ("{" + '"a":{' * 5000, ""),
]


@pytest.mark.parametrize(("text", "problem"), BROKEN)
def test_a_broken_document_does_not_take_the_others_with_it(text: str, problem: str) -> None:
    alone = read(text)
    assert (alone.objects, alone.is_broken, [note.is_error for note in alone.notes]) == ({}, True, [True])
    assert said(alone)[0].removeprefix("f.yaml: document 1: ") == problem or not problem
    assert said(alone)[0].isprintable()

    both = read(as_yaml(service()) + f"---\n{text.rstrip()}\n---\n" + as_yaml(node()))
    assert (set(both.objects), both.is_broken) == ({WEB, N1}, True)
    assert [note.startswith("f.yaml: document 2: ") for note in said(both)] == [True]


# Of what a recursion in C would take hundreds of thousands of frames for.
ABYSSES = {
    "closed brackets": "[" * 200_000 + "]" * 200_000,
    "braces": "{a: " * 200_000,
    "dashes": "- " * 200_000,
    "JSON": '{"kind": "Service", "metadata": ' + "[" * 200_000,
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


@pytest.mark.parametrize(
    ("obj", "problem"),
    [
        (service(clusterIP=1), "spec.clusterIP: Expected str | null, got int"),
        (service(ports=[{"port": "80"}]), "spec.ports[0].port: Expected int, got str"),
        (service(ports=[{"name": "http"}]), "spec.ports[0]: Object missing required field port"),
        (service(metadata__labels={"a": 1}), "metadata.labels[...]: Expected str, got int"),
        (service(metadata__namespace=7), "metadata.namespace: Expected str, got int"),
        (service(ports=[{"port": 0}]), "spec.ports[0].port: 0 is not within 1 to 65535"),
        ({**service(), "apiVersion": "v2"}, "apiVersion: 'v2' is not v1"),
        ({**untyped(service()), "kind": "Service"}, "apiVersion: None is not v1"),
    ],
)
def test_a_bad_object_is_told_with_file_document_name_and_field(obj: dict[str, Any], problem: str) -> None:
    content = read(as_yaml(list_of([node(), obj])))
    (bad,) = content.bad
    assert (bad.kind, bad.name) == ("Service", "web")
    assert said(content) == [f"f.yaml: document 1: items[1]: {bad}: {problem}; skipped"]
    assert (set(content.objects), content.is_broken) == ({N1}, False)


def test_of_two_definitions_the_last_one_counts() -> None:
    content = read(as_yaml(service(clusterIP="10.96.0.1"), service(clusterIP="10.96.0.2")))
    assert content.objects[WEB].cluster_ip == "10.96.0.2"  # type: ignore[union-attr]
    assert said(content) == ["f.yaml: document 2: Service ns/web: defined twice; this one is used"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_bad_definition_does_not_replace_a_good_one(order: int) -> None:
    content = read(as_yaml(*[service(), service(clusterIP="bogus")][::order]))
    assert (set(content.objects), content.bad) == ({WEB}, frozenset({WEB}))


@pytest.mark.parametrize(
    "item",
    [
        *(service(), service(metadata__namespace=GONE), service(name=""), service(metadata__name=5)),
        *(service(metadata=GONE), service(apiVersion="v2"), service(ports="none"), untyped(service())),
        *(service(ports=[{"port": 80}], clusterIP="fe80::1%eth0"), node(), node(metadata__namespace="ns")),
        *(list_of([service(), endpoint_slice()]), list_of([untyped(service())], kind="ServiceList")),
        *({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}}, {"kind": "", "metadata": None}),
        *("text", ["a", "list"], 7, None),
    ],
)
@pytest.mark.parametrize("kind", ["List", "ServiceList", "NodeList"])
def test_items_of_a_list_in_json_are_read_as_those_in_yaml(item: Any, kind: str) -> None:
    items = list_of([endpoint_slice(), item, service(name="other")], kind=kind)
    assert read(as_json(items)) == read(as_yaml(items))


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        ("a\nb\x1b[0m\u2028\ud800 \u00fc", "a\\nb\\x1b[0m\\u2028\\ud800 \u00fc"),
        ("y" * 1000, "y" * 1000),
        (f"f: {'x' * 10_000}: is not a name", f"f: {'x' * 497}...{'x' * 485}: is not a name"),
    ],
    ids=["in one line", "as it is", "not long"],
)
def test_whatever_is_quoted_a_note_is_one_line_and_not_long(problem: str, text: str) -> None:
    assert input_note_text(UnreadableDocument(problem=problem)) == text
