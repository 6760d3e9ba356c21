"""What the documents show, made from the program: the output of commands, and diagrams."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
