"""The specification in docs/reference: what the code cites is there, and its links lead somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

from docs import ROOT

FOLDERS = ("pykubeproxy", "tests", "e2e", "bench")

_NUMBER = r"\d+(?:\.\d+)?"
_CITATION = re.compile(
    rf"docs/reference/([\w.-]+?\.md)`?(?:,? (?:sections? )?({_NUMBER}(?:(?:, | and |-| to ){_NUMBER})*))?", re.ASCII
)


def sources() -> Iterator[Path]:
    return (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")) if path != Path(__file__))


def citations() -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Where a page is cited, its name, and the sections that are named."""
    for path in sources():
        for page, numbers in _CITATION.findall(re.sub(r"\s*\n\s*(?:# )?", " ", path.read_text())):
            yield path, page, tuple(re.findall(_NUMBER, numbers))


def has_section(page: Path, number: str) -> bool:
    """True if there is such a page, and such a section (`7`, `7.2`; "" for none) in it."""
    if not page.exists():
        return False
    text = page.read_text()
    heading = rf"^## {number.partition('.')[0]}\. "
    return not number or (number in text and re.search(heading, text, flags=re.MULTILINE) is not None)


def test_each_citation_leads_to_a_section() -> None:
    cited = [
        (path.relative_to(ROOT), page, number) for path, page, numbers in citations() for number in numbers or ("",)
    ]
    assert [each for each in cited if not has_section(ROOT / "docs" / "reference" / each[1], each[2])] == []
    assert len(cited) > 100
