"""The places of everything in a drawing: a tree of columns, each as wide as the columns below it. In pixels."""

from collections.abc import Sequence
from textwrap import wrap

import msgspec

from pykubeproxy.explain.condensed import CondensedNode
from pykubeproxy.explain.pictures.cards import Card, End, ResultText, cards, step_chain
from pykubeproxy.explain.words import short_step_text, step_comment
from pykubeproxy.netfilter.path import Step

# Three columns in a page of 830 pixels, which is what GitHub has, leave text at three quarters of its size.
COLUMN = 350
GAP = 20
HEADING = 30
ROW = 21
NOTE = 15
LINE = 17
PADDING = 10
BETWEEN = 22
FAN = 92

# Most lines in the box of similar branches.
MOST_SIMILAR = 16

# Characters of a line: of what a step does, of its comment, and of the reason of a result.
_STEP, _NOTE, _REASON = 42, 50, 46


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A step: its chain, what it does in lines of text, and why. The first line is empty if it has no room."""

    step: Step
    chain: str
    lines: tuple[str, ...]
    note: tuple[str, ...]

    @property
    def height(self) -> int:
        """The height of all lines."""
        return ROW + LINE * (len(self.lines) - 1) + NOTE * len(self.note)


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """The cards of a node from top to bottom, and a column for each of its branches below them.

    `width` and `height` are those of everything in the column; `ends` has the boxes below the cards.
    """

    node: CondensedNode
    cards: tuple[tuple[Card, tuple[Row, ...]], ...]
    ends: tuple[End, ...]
    columns: tuple["Column", ...]
    width: int
    height: int


def lay_out(node: CondensedNode, result_text: ResultText, ends: tuple[End, ...] = ()) -> Column:
    """The columns of a condensed tree; `ends` are those of a tree without branches that has more than one."""
    columns = tuple(lay_out(branch, result_text) for branch in node.branches)
    shown = tuple((card, tuple(map(_row, card.steps))) for card in cards(node.steps))
    if node.result is not None:
        ends = (End(verdict=node.result.verdict, lines=(result_text(node.result),)),)
    boxes = tuple(End(verdict=end.verdict, lines=tuple(_wrapped(end.lines, _REASON))) for end in ends)
    own = _own_height([rows for _, rows in shown], boxes, len(node.similar))
    below = FAN + max(column.height for column in columns) if columns else 0
    width = sum(column.width for column in columns) + GAP * (len(columns) - 1)
    return Column(node=node, cards=shown, ends=boxes, columns=columns, width=max(COLUMN, width), height=own + below)


def card_height(rows: Sequence[Row]) -> int:
    """The height of a heading and of its rows."""
    return HEADING + PADDING + sum(row.height for row in rows)


def end_height(end: End) -> int:
    """The height of a verdict and the lines of its reason."""
    return 38 + LINE * len(end.lines)


def similar_height(number: int) -> int:
    """The height of the box that lists similar branches."""
    return 34 + LINE * min(number, MOST_SIMILAR) if number else 0


def _row(step: Step) -> Row:
    chain, does = step_chain(step), short_step_text(step)
    fits = len(chain) + 1 + len(does) <= _STEP
    lines = (does,) if fits else (*([""] if chain else []), *_wrapped([does], _STEP))
    return Row(step=step, chain=chain, lines=lines, note=tuple(_wrapped([step_comment(step)], _NOTE)))


def _wrapped(lines: Sequence[str], width: int) -> list[str]:
    return [part for line in lines for part in wrap(line, width, break_on_hyphens=False)]


def _own_height(shown: Sequence[Sequence[Row]], ends: Sequence[End], similar: int) -> int:
    """The height of a column down to where it branches."""
    parts = [*map(card_height, shown), *map(end_height, ends), similar_height(similar)]
    used = [part for part in parts if part]
    return sum(used) + BETWEEN * max(len(used) - 1, 0)
