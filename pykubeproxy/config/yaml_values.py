"""The values of plain scalars in YAML, as in the Go library that Kubernetes uses (sigs.k8s.io/yaml, go-yaml v2).

PyYAML follows YAML 1.1 to the letter: `2001:10:20:30:40:50:1:2`, an IPv6 address, is a number to the base of 60 for it,
and `2024-01-01` a date. To Go the first is text, and the Kubernetes API has no dates.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

import yaml

_TAG = "tag:yaml.org,2002:"
_INT, _FLOAT = f"{_TAG}int", f"{_TAG}float"
_REPLACED = {_INT, _FLOAT, f"{_TAG}timestamp"}

# Underscores are dropped wherever they are, but a word that begins with one, or with a dot, is not looked at that way.
_INTEGER = re.compile(
    r"""[-+]?_* (?: 0_*[bB]_*[01][01_]* | 0_*[oO]_*[0-7][0-7_]* | 0_*[xX]_*[0-9a-fA-F][0-9a-fA-F_]*
    | 0[0-7_]* | [1-9][0-9_]* ) \Z""",
    re.VERBOSE,
)
_NUMBER = re.compile(
    r"[-+]?_* (?: \._*[0-9][0-9_]* | [0-9][0-9_]*(?:\.[0-9_]*)? ) (?: [eE]_*[-+]?_*[0-9][0-9_]* )? \Z", re.VERBOSE
)
_FRACTION = re.compile(r"\.[0-9]+(?:[eE][-+]?[0-9]+)?\Z")
_NO_NUMBER = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")

_OCTAL = re.compile(r"[-+]?0[0-7]+\Z")
_DECIMAL = re.compile(r"[-+]?[0-9]+\Z")

_Resolvers = Mapping[str, Sequence[tuple[str, re.Pattern[str]]]]
_Loader = TypeVar("_Loader", bound=type[yaml.SafeLoader | yaml.CSafeLoader])


def as_go_reads(loader: _Loader) -> _Loader:
    """A decorator for PyYAML's loaders: read numbers as Go does, and dates as text."""
    resolvers = {
        first: [(tag, pattern) for tag, pattern in known if tag not in _REPLACED]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for first in "+-0123456789":
        resolvers.setdefault(first, []).extend([(_INT, _INTEGER), (_FLOAT, _NUMBER), (_FLOAT, _NO_NUMBER)])
    resolvers.setdefault(".", []).extend([(_FLOAT, _FRACTION), (_FLOAT, _NO_NUMBER)])
    loader.yaml_implicit_resolvers = resolvers
    loader.add_constructor(_INT, _integer)
    return loader


def _integer(loader: yaml.SafeLoader | yaml.CSafeLoader, node: yaml.ScalarNode) -> int | float | str:
    """An integer of 64 bits; a larger one is a float if it is written in decimal, and text if not.

    Raises ValueError for what is only called an integer (`!!int soon`).
    """
    text = str(loader.construct_scalar(node))
    plain = text.replace("_", "")
    number = int(plain, 8 if _OCTAL.match(plain) else 0)
    if -(2**63) <= number < 2**64:
        return number
    approximate = float(plain) if _DECIMAL.match(plain) else math.inf
    return approximate if math.isfinite(approximate) else text
