"""YAML whose aliases multiply, so that a few lines mean millions of values, is refused before anybody builds them."""

import pytest

from pykubeproxy.cluster.documents import parse_manifest
from pykubeproxy.cluster.input_notes import input_note_text
from pykubeproxy.config.document import read_document
from pykubeproxy.config.errors import ConfigError
from tests.cluster.manifest_text import as_yaml, service

PROBLEM = "aliases repeat values too often"


def bomb(levels: int) -> str:
    """Fields `l0`, `l1` and so on, each of which is ten times the one before: 10^(levels + 1) words in all."""
    lines = [f"l0: &l0 [{', '.join(['lol'] * 10)}]"]
    lines += [f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 10)}]" for level in range(1, levels)]
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("levels", [5, 16])
def test_in_a_configuration_file_and_in_a_manifest_of_which_others_are_read(levels: int) -> None:
    with pytest.raises(ConfigError, match=f"^{PROBLEM}$"):
        read_document(bomb(levels).encode())
    parsed = parse_manifest(f"{bomb(levels)}---\n{as_yaml(service())}", "f.yaml")
    assert [input_note_text(note) for note in parsed.notes] == [f"f.yaml: document 1: not valid YAML: {PROBLEM}"]
    assert [name.name for name in parsed.objects] == ["web"]
    assert parsed.is_broken


def test_what_repeats_a_little_is_no_bomb() -> None:
    assert read_document(bomb(4).encode()).fields["l3"][0][0][0] == ["lol"] * 10
