"""The places of everything in a drawing: a tree of columns, each as wide as the columns below it. In pixels."""

from collections.abc import Sequence
from textwrap import wrap

import msgspec

from pykubeproxy.explain.condensed import CondensedNode
from pykubeproxy.explain.pictures.cards import Card, ResultText, cards
from pykubeproxy.explain.words import step_comment

COLUMN = 420
GAP = 36
HEADING = 30
ROW = 21
NOTE = 16
PADDING = 10
BETWEEN = 22
FAN = 92

# Most lines in the box of similar branches.
MOST_SIMILAR = 16

# Characters of a line in the box of a result.
_WRAP = 56


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """The cards of a node from top to bottom, and a column for each of its branches below them.

    `width` and `height` are those of everything in the column; `result` has the lines of text of its end.
    """

    node: CondensedNode
    cards: tuple[Card, ...]
    result: tuple[str, ...]
    columns: tuple["Column", ...]
    width: int
    height: int


def lay_out(node: CondensedNode, result_text: ResultText) -> Column:
    """The columns of a condensed tree."""
    columns = tuple(lay_out(branch, result_text) for branch in node.branches)
    shown = tuple(cards(node.steps))
    result = tuple(wrap(result_text(node.result), _WRAP)) if node.result is not None else ()
    own = own_height(shown, result, len(node.similar))
    below = FAN + max(column.height for column in columns) if columns else 0
    width = sum(column.width for column in columns) + GAP * (len(columns) - 1)
    return Column(node=node, cards=shown, result=result, columns=columns, width=max(COLUMN, width), height=own + below)


def card_height(card: Card) -> int:
    """The height of a heading, and of a row for each step, with a note below it if the step has a comment."""
    return HEADING + PADDING + sum(ROW + (NOTE if step_comment(step) else 0) for step in card.steps)


def result_height(lines: Sequence[str]) -> int:
    """The height of a verdict and the lines of its reason; 0 without a result."""
    return 34 + 17 * len(lines) if lines else 0


def similar_height(number: int) -> int:
    """The height of the box that lists similar branches."""
    return 34 + 17 * min(number, MOST_SIMILAR) if number else 0


def own_height(shown: Sequence[Card], result: Sequence[str], similar: int) -> int:
    """The height of a column down to where it branches."""
    parts = [*map(card_height, shown), result_height(result), similar_height(similar)]
    used = [part for part in parts if part]
    return sum(used) + BETWEEN * max(len(used) - 1, 0)
