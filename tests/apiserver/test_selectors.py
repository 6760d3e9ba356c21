from __future__ import annotations

import pytest

from tests.apiserver.errors import ApiError
from tests.apiserver.resources import ENDPOINT_SLICES, SERVICES
from tests.apiserver.selectors import parse_fields, parse_labels

LABELS = {"app": "web", "tier": "front", "example.com/empty": "", "size": "7"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app", True),
        ("app=web", True),
        ("app==web", True),
        ("app = web , tier=front", True),
        ("app=web,tier=back", False),
        ("app!=web", False),
        ("absent!=web", True),
        ("!app", False),
        ("!service.kubernetes.io/service-proxy-name", True),
        ("example.com/empty=", True),
        ("example.com/empty", True),
        ("app in (db, web)", True),
        ("app in (db),tier", False),
        ("app notin (db,cache)", True),
        ("absent notin (db)", True),
        ("app notin (web)", False),
        ("size>6", True),
        ("size<7", False),
        ("app>1", False),
    ],
)
def test_label_selector(text: str, *, matches: bool) -> None:
    assert all(term.matches(LABELS) for term in parse_labels(text)) is matches


@pytest.mark.parametrize("text", ["app in web", "=web", "app=we b", "-app", "a/b/c", "app in (a", "app>x", ","])
def test_text_that_is_no_label_selector_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="unable to parse requirement") as caught:
        parse_labels(text)
    assert (caught.value.code, caught.value.reason) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("metadata.name=a", True),
        ("metadata.name==a,spec.clusterIP!=None", True),
        ("spec.clusterIP=None", False),
        ("spec.type=", True),
        (r"metadata.name!=x\,y", True),
    ],
)
def test_field_selector(text: str, *, matches: bool) -> None:
    fields = {"metadata.name": "a", "spec.clusterIP": "10.96.0.7"}
    assert all(term.matches(fields) for term in parse_fields(text, SERVICES.fields)) is matches


def test_escaped_separators_belong_to_the_value() -> None:
    (term,) = parse_fields(r"metadata.name=a\,b\=c\\d", SERVICES.fields)
    assert term.value == r"a,b=c\d"


def test_a_field_that_the_resource_does_not_index_is_refused() -> None:
    with pytest.raises(ApiError, match=r"field label not supported: spec\.clusterIP"):
        parse_fields("spec.clusterIP=None", ENDPOINT_SLICES.fields)
