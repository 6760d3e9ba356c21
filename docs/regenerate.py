"""Runs the commands in docs/*.md and README.md again, and puts what they print into the texts.

    python -m docs.regenerate

In a text, a block that begins with ```console holds commands, each on a line that begins with `$ `, and under each
what it prints. `| grep PATTERN` and `| head -N` may follow a command. A comment `<!-- FILE: command -->` has the output
of a command in a file of its own, for pictures. `<!-- terminal FILE: command -->` has a picture of the terminal in
which the command was typed; `status` and `top` are then those of a made-up node. The commands run in the repository's
root, and depend on nothing but the files in it. A comment `<!-- diagram: NAME -->` stands before a block with a diagram
that is made from the code (`docs.diagrams`).
"""

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from click.testing import CliRunner

from docs import ROOT
from docs.diagrams import DIAGRAMS
from docs.terminal import picture, status_of_a_troubled_node, top_of_a_busy_node
from pykubeproxy.cli.main import main as pykubeproxy

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DIAGRAM = re.compile(r"^<!-- diagram: ([\w ]+) -->\n```mermaid\n.*?^```$", re.MULTILINE | re.DOTALL)
_PICTURE = re.compile(r"^<!-- (\S+): (pykubeproxy .*) -->$", re.MULTILINE)
_TERMINAL = re.compile(r"^<!-- terminal (\S+): (pykubeproxy .*) -->$", re.MULTILINE)
# Commands that read a node: their pictures are of a made-up one.
_MADE_UP = {"pykubeproxy status": status_of_a_troubled_node, "pykubeproxy top": top_of_a_busy_node}


class DocumentError(ValueError):
    """A command in a text that cannot be run."""


def documents() -> list[Path]:
    """The texts that have commands in them."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def regenerated(document: Path) -> dict[Path, str]:
    """What a text, and the pictures that it asks for, should be. Raises DocumentError."""
    text = document.read_text()
    files = {document.parent / name: f"{run(command)}\n" for name, command in _PICTURE.findall(text)}
    files |= {document.parent / name: _terminal(command, Path(name).stem) for name, command in _TERMINAL.findall(text)}
    text = _DIAGRAM.sub(lambda found: _diagram(found[1]), text)
    return {document: _BLOCK.sub(lambda block: _block(block[1]), text), **files}


def _terminal(command: str, name: str) -> str:
    made_up = _MADE_UP.get(command)
    return picture(command, made_up() if made_up is not None else run(command, color=True), name)


def _diagram(name: str) -> str:
    if name not in DIAGRAMS:
        raise DocumentError(f"diagram {name}: there are only {', '.join(DIAGRAMS)}")
    return f"<!-- diagram: {name} -->\n```mermaid\n{DIAGRAMS[name]()}\n```"


def run(command: str, *, color: bool = False) -> str:
    """What a command prints, on stdout and stderr, without the last line break. Raises DocumentError."""
    program, *filters = [shlex.split(part) for part in _parts(command)]
    if program[0] != "pykubeproxy":
        raise DocumentError(f"{command}: only pykubeproxy is run for documents")
    result = CliRunner().invoke(pykubeproxy, program[1:], color=color, prog_name=program[0])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise DocumentError(f"{command}: {result.exception!r}")
    lines: Sequence[str] = result.output.rstrip("\n").split("\n")
    for words in filters:
        lines = _filtered(lines, words)
    return "\n".join(lines)


def _parts(command: str) -> Iterator[str]:
    """A pipeline's commands; a bar within quotes divides nothing."""
    words = shlex.shlex(command, posix=False, punctuation_chars="|")
    words.whitespace_split = True
    part: list[str] = []
    for word in words:
        if word == "|":
            yield " ".join(part)
            part = []
        else:
            part.append(word)
    yield " ".join(part)


def _filtered(lines: Sequence[str], words: Sequence[str]) -> Sequence[str]:
    match words:
        case ["grep", pattern]:
            return [line for line in lines if re.search(pattern, line)]
        case ["head", count] if count.startswith("-"):
            return lines[: int(count[1:])]
    raise DocumentError(f"| {shlex.join(words)}: only grep PATTERN and head -N may follow a command")


def _block(body: str) -> str:
    commands = [line for line in body.splitlines() if line.startswith("$ ")]
    printed = "\n\n".join(f"{command}\n{run(command[2:])}".rstrip("\n") for command in commands)
    return f"```console\n{printed}\n```"


def main() -> None:
    """Write every text and picture that is not as it should be, and say which."""
    for document in documents():
        for path, text in regenerated(document).items():
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
                sys.stdout.write(f"written: {path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
