"""Label and field selectors: the text of a query parameter, and the test it stands for.

Source: "Labels and Selectors" and "Field Selectors" in the Kubernetes documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from tests.apiserver.errors import bad_request

_KEY = r"(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_EXISTS = re.compile(rf"(!?)\s*({_KEY})")
_COMPARED = re.compile(rf"({_KEY})\s*(==|=|!=|>|<)\s*({_VALUE})")
_IN_SET = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_COMMA_OUTSIDE_PARENTHESES = re.compile(r",(?![^()]*\))")
_FIELD_TERM = re.compile(r"((?:[^\\=!,]|\\.)+?)(==|=|!=)((?:[^\\=,]|\\[\\=,])*)")
_COMMA_UNESCAPED = re.compile(r"(?<!\\),")


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """One term of a label selector. ``operator`` is in, notin, exists, absent, gt or lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy this term."""
        value = labels.get(self.key)
        match self.operator:
            case "exists":
                return value is not None
            case "absent":
                return value is None
            case "in":
                return value in self.values
            case "notin":
                return value not in self.values
        return value is not None and self._compares(value)

    def _compares(self, value: str) -> bool:
        try:
            ours, theirs = int(value), int(next(iter(self.values)))
        except ValueError:
            return False
        return ours > theirs if self.operator == "gt" else ours < theirs


class FieldTerm(msgspec.Struct, frozen=True, kw_only=True):
    """One term of a field selector: a field equals, or does not equal, a value."""

    field: str
    value: str
    equal: bool

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether the fields satisfy this term; an absent field is the empty string."""
        return (fields.get(self.field, "") == self.value) is self.equal


class Predicate(msgspec.Struct, frozen=True, kw_only=True):
    """Which objects of a resource a request is about. ``namespace`` empty means all."""

    namespace: str = ""
    labels: tuple[Requirement, ...] = ()
    fields: tuple[FieldTerm, ...] = ()

    def matches(self, namespace: str, labels: Mapping[str, str], fields: Mapping[str, str]) -> bool:
        """Whether an object with these attributes is selected; ``fields`` are keyed by stored path."""
        if self.namespace and namespace != self.namespace:
            return False
        return all(term.matches(labels) for term in self.labels) and all(term.matches(fields) for term in self.fields)

    @property
    def selects(self) -> bool:
        """Whether there is any selector besides the namespace."""
        return bool(self.labels or self.fields)


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Read a ``labelSelector``. Raises a 400 for text that is none."""
    if not text.strip():
        return ()
    return tuple(_requirement(term.strip()) for term in _COMMA_OUTSIDE_PARENTHESES.split(text))


def _requirement(term: str) -> Requirement:
    if found := _EXISTS.fullmatch(term):
        return Requirement(key=found[2], operator="absent" if found[1] else "exists")
    if found := _COMPARED.fullmatch(term):
        operator = {"=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt"}[found[2]]
        if operator in ("gt", "lt") and not found[3].isdecimal():
            raise bad_request(f"unable to parse requirement: {found[3]!r} must be an integer in {term!r}")
        return Requirement(key=found[1], operator=operator, values=frozenset([found[3]]))
    if found := _IN_SET.fullmatch(term):
        values = frozenset(value.strip() for value in found[3].split(","))
        if all(re.fullmatch(_VALUE, value) for value in values):
            return Requirement(key=found[1], operator=found[2], values=values)
    raise bad_request(f"unable to parse requirement: {term!r} is no label selector term")


def parse_fields(text: str, supported: Mapping[str, str]) -> tuple[FieldTerm, ...]:
    """Read a ``fieldSelector``; ``supported`` maps the labels that the resource knows to stored paths.

    Raises a 400 for text that is none, or for a field that the resource does not index.
    """
    terms = []
    for term in _COMMA_UNESCAPED.split(text) if text else ():
        found = _FIELD_TERM.fullmatch(term)
        if found is None:
            raise bad_request(f"invalid selector: {text!r}; can't understand {term!r}")
        if found[1] not in supported:
            raise bad_request(f"field label not supported: {found[1]}")
        value = re.sub(r"\\(.)", r"\1", found[3])
        terms.append(FieldTerm(field=supported[found[1]], value=value, equal=found[2] != "!="))
    return tuple(terms)
