"""`diff` for programs."""

from typing import Any

import msgspec

from pykubeproxy.cli.diff_text import NodeDiff
from pykubeproxy.explain.change_words import change_texts
from pykubeproxy.explain.notes import MissingTables
from pykubeproxy.explain.plan import Explanation
from pykubeproxy.explain.service_counts import ServiceCounts
from pykubeproxy.explain.summary import Summary
from pykubeproxy.model.nft_table import NftTable

VERSION = 1
"""The version of the document, as docs/diff-json.md describes it."""


class DiffDocument(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The whole document; `families` has an Explanation for each IP family, by the family's name in lower case."""

    version: int = VERSION
    changed: bool
    summary: Summary
    services: ServiceCounts
    families: dict[str, Explanation]
    not_compared: tuple[MissingTables, ...]
    skipped: tuple[str, ...]
    left_tables: tuple[NftTable, ...]
    not_looked_at: tuple[NftTable, ...]


def as_json(diff: NodeDiff) -> str:
    """The document that docs/diff-json.md describes; what changes for a ServicePort is in it in words as well."""
    document: Any = msgspec.to_builtins(
        DiffDocument(
            changed=diff.is_different,
            summary=diff.summary,
            services=diff.services,
            families={family.lower(): its.explanation for family, its in diff.families.items()},
            not_compared=diff.not_compared,
            skipped=diff.skipped,
            left_tables=diff.left_tables,
            not_looked_at=diff.not_looked_at,
        )
    )
    for family, its in diff.families.items():
        fields = document["families"][family.lower()]["servicePorts"]
        for service_port, found in zip(fields, its.explanation.service_ports, strict=True):
            service_port["says"] = list(change_texts(found.changes))
    return msgspec.json.format(msgspec.json.encode(document)).decode()
