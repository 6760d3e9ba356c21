"""A trace as an SVG drawing: cards from top to bottom, branches as columns, and the result of each."""

from collections.abc import Iterator, Mapping
from html import escape

from pykubeproxy.explain.cause_words import cause_text
from pykubeproxy.explain.cluster_view import AddressHolder
from pykubeproxy.explain.condensed import SimilarBranch
from pykubeproxy.explain.pictures import layout
from pykubeproxy.explain.pictures.cards import (
    Card,
    End,
    Picture,
    css_class,
    endpoint_order,
    picture,
    result_texts,
    verdict_class,
)
from pykubeproxy.explain.pictures.layout import COLUMN, Column, Row, lay_out
from pykubeproxy.explain.words import branch_label, step_text, sum_text
from pykubeproxy.model.share import percent
from pykubeproxy.netfilter.outcome import Outcome, Verdict
from pykubeproxy.netfilter.walk import Trace

_MARGIN = 20
_HEADER = 112
_LEAST_WIDTH = 760

# In a page, a wide drawing is not shrunk below this, but scrolled.
_LEAST_SCALE = 0.65

# How wide a character is at most, on average: in the title, and in the line below it.
_TITLE, _SUBTITLE = 14, 7.5

# Text has a contrast of 4.5 to 1 at least (WCAG 2.2, 1.4.3), in the light and in the dark.
_STYLE = """
text{font-family:Inter,'Segoe UI',Roboto,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif;fill:#0f172a}
.m{font-family:ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:12px;white-space:pre}
.h1{font-size:24px;font-weight:700}.h2{font-size:14px;fill:#475569}
.ct{font-size:12px;font-weight:700;fill:#fff;letter-spacing:.06em}.n{font-size:11px;fill:#475569}
.chain{fill:#475569}.v{font-size:14px;font-weight:700;fill:#fff}.r{font-size:12px;fill:#fff}.s{font-size:13px;font-weight:700}
.bg{fill:#f1f5f9}.card,.pill{fill:#fff;stroke:#cbd5e1}.more{fill:#dcfce7;stroke:#16a34a}
.flow{fill:none;stroke:#94a3b8;stroke-linecap:round}
.pass{fill:#94a3b8}.rewrite{fill:#2563eb}.mark{fill:#b45309}.route{fill:#0f766e}.accept{fill:#15803d}
.refuse{fill:#b91c1c}.undecided{fill:#b45309}.lost{fill:#854d0e}
text.rewrite{fill:#1d4ed8;font-weight:700}text.refuse{font-weight:700}text.pass{fill:#0f172a}
text.undecided{font-weight:700}
@media(prefers-color-scheme:dark){text,text.pass{fill:#e2e8f0}.h2,.n,.chain{fill:#94a3b8}.ct,.v,.r{fill:#fff}
.bg{fill:#0f172a}.card,.pill{fill:#1e293b;stroke:#475569}.more{fill:#14532d}
text.rewrite{fill:#93c5fd}text.refuse{fill:#fca5a5}text.mark,text.undecided{fill:#fcd34d}text.route{fill:#5eead4}
text.accept{fill:#86efac}}
"""

_HOOKS = {"PREROUTING": "#4f46e5", "INPUT": "#0369a1", "FORWARD": "#0369a1", "OUTPUT": "#4f46e5"}
_HOOKS |= {"POSTROUTING": "#7c3aed", "ROUTING": "#0f766e"}
_COLORS = {Verdict.DROP: "#dc2626", Verdict.REJECT: "#dc2626", Verdict.UNDECIDED: "#d97706", Verdict.LOST: "#eab308"}
_SHADES = ("#16a34a", "#22c55e", "#4ade80", "#86efac")


def as_svg(traced: Trace, holders: Mapping[str, AddressHolder], *, heading: bool = True) -> str:
    """A drawing that works offline: no script, no font, nothing to load.

    With `heading` it says of which client and destination; without, it is a part of a page that says so.
    """
    shown = picture(traced)
    root = lay_out(shown.tree, result_texts(traced, holders), shown.ends)
    title, subtitle = _titles(shown)
    least = max(_LEAST_WIDTH, _TITLE * len(title), int(_SUBTITLE * len(subtitle))) if heading else 0
    width = max(root.width, least) + 2 * _MARGIN
    top = _HEADER if heading else _MARGIN
    height = top + root.height + _MARGIN
    body = [
        f'<rect width="{width}" height="{height}" rx="16" class="bg"/>',
        *(_header(title, subtitle, traced.outcomes, width) if heading else ()),
        *_column(root, (width - root.width) / 2, top),
    ]
    label = escape(f"How a packet travels: {title}")
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    if not heading:
        size += f' style="min-width:{_LEAST_SCALE * width:.0f}px"'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}">'
    return "\n".join([opening, f"<style>{_STYLE}</style>", *body, "</svg>"])


def _titles(shown: Picture) -> tuple[str, str]:
    subtitle = shown.service or "a packet's way through netfilter"
    return f"{shown.client} → {shown.destination}", f"{subtitle} · {shown.note}" if shown.note else subtitle


def _header(title: str, subtitle: str, outcomes: tuple[Outcome, ...], width: int) -> Iterator[str]:
    """Client and destination, and one bar that all outcomes divide among them."""
    yield _text(_MARGIN, 38, title, "h1")
    yield _text(_MARGIN, 62, subtitle, "h2")
    at, whole = float(_MARGIN), width - 2 * _MARGIN
    for number, outcome in enumerate(outcomes):
        part = float(outcome.probability) * whole
        color = _SHADES[number % len(_SHADES)] if outcome.verdict is Verdict.ACCEPT else _COLORS[outcome.verdict]
        words = escape(f"{percent(outcome.probability)} {outcome.verdict}: {cause_text(outcome.cause)}")
        yield (
            f'<rect x="{at:.1f}" y="76" width="{max(part - 2, 1):.1f}" height="10" rx="3" fill="{color}">'
            f"<title>{words}</title></rect>"
        )
        at += part


def _column(column: Column, left: float, top: float) -> Iterator[str]:
    """The cards of a node, centred above its branches."""
    middle = left + column.width / 2
    x, y = middle - COLUMN / 2, top
    bottom = top
    for number, (card, rows) in enumerate(column.cards):
        if number:
            yield _line(middle, y - layout.BETWEEN, y)
        yield from _card(card, rows, x, y)
        bottom = y + layout.card_height(rows)
        y = bottom + layout.BETWEEN
    for number, end in enumerate(column.ends):
        if column.cards and not number:
            yield _line(middle, y - layout.BETWEEN, y)
        yield from _end(end, x, y)
        y += layout.end_height(end) + layout.BETWEEN
    if column.node.similar:
        yield from _similar(column.node.similar, x, y)
    yield from _branches(column, left, middle, bottom)


def _branches(column: Column, left: float, middle: float, bottom: float) -> Iterator[str]:
    inner = sum(each.width for each in column.columns) + layout.GAP * (len(column.columns) - 1)
    at, top = left + (column.width - inner) / 2, bottom + layout.FAN
    for branch in column.columns:
        to = at + branch.width / 2
        share = branch.node.total_probability / column.node.probability
        low, half = top - 26, (top - 26 - bottom) / 2
        yield (
            f'<path class="flow" stroke-width="{2 + 8 * float(share):.1f}" d="M{middle:.1f} {bottom:.1f}'
            f' C{middle:.1f} {bottom + half:.1f} {to:.1f} {bottom + half:.1f} {to:.1f} {low:.1f} V{top - 2:.1f}"/>'
        )
        yield from _pill(to, top - 26, branch_label(branch.node))
        yield from _column(branch, at, top)
        at += branch.width + layout.GAP


def _pill(middle: float, y: float, words: str) -> Iterator[str]:
    label = _cut(words, 40)
    width = 22 + 8 * len(label)
    yield (f'<rect x="{middle - width / 2:.1f}" y="{y - 13:.1f}" width="{width}" height="24" rx="12" class="pill"/>')
    yield _text(middle, y + 4, label, "s", anchor="middle")


def _card(card: Card, rows: tuple[Row, ...], x: float, y: float) -> Iterator[str]:
    height = layout.card_height(rows)
    color = _HOOKS.get(card.hook, "#475569")
    yield f'<rect class="card" x="{x:.1f}" y="{y:.1f}" width="{COLUMN}" height="{height}" rx="10"/>'
    yield f'<path d="{_top_corners(x, y)}" fill="{color}"/>'
    yield _text(x + 14, y + 18, card.title.upper(), "ct")
    at = y + layout.HEADING + 14
    for row in rows:
        yield from _row(row, x + 14, at)
        at += row.height


def _top_corners(x: float, y: float) -> str:
    return (
        f"M{x:.1f} {y + 26:.1f} V{y + 10:.1f} Q{x:.1f} {y:.1f} {x + 10:.1f} {y:.1f} H{x + COLUMN - 10:.1f}"
        f" Q{x + COLUMN:.1f} {y:.1f} {x + COLUMN:.1f} {y + 10:.1f} V{y + 26:.1f} Z"
    )


def _row(row: Row, x: float, y: float) -> Iterator[str]:
    """A step; the whole rule shows where a pointer rests on it."""
    style = css_class(row.step)
    yield "<g>"
    yield f"<title>{escape(row.step.rule or step_text(row.step))}</title>"
    yield f'<circle class="{style}" cx="{x + 4:.1f}" cy="{y - 4:.1f}" r="4"/>'
    first, *others = row.lines
    chain = f'<tspan class="chain" font-weight="400">{escape(row.chain)} </tspan>' if row.chain else ""
    yield f'<text class="m {style}" x="{x + 16:.1f}" y="{y:.1f}">{chain}{escape(first)}</text>'
    for line in others:
        y += layout.LINE
        yield _text(x + 16, y, line, f"m {style}")
    for line in row.note:
        y += layout.NOTE
        yield _text(x + 16, y, line, "n")
    yield "</g>"


def _end(end: End, x: float, y: float) -> Iterator[str]:
    style = verdict_class(end.verdict)
    height = layout.end_height(end)
    yield f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{COLUMN}" height="{height}" rx="10"/>'
    sign = {"accept": "✔", "refuse": "✘", "undecided": "?", "lost": "!"}[style]
    yield _text(x + 16, y + 22, f"{sign} {end.verdict}", "v")
    for number, line in enumerate(end.lines):
        yield _text(x + 16, y + 42 + layout.LINE * number, line, "r")


def _similar(similar: tuple[SimilarBranch, ...], x: float, y: float) -> Iterator[str]:
    height = layout.similar_height(len(similar))
    yield f'<rect x="{x:.1f}" y="{y:.1f}" width="{COLUMN}" height="{height}" rx="10" class="more"/>'
    total = sum_text(other.probability for other in similar)
    yield _text(x + 16, y + 21, f"{total} likewise, to {len(similar)} more endpoints", "s")
    ordered = sorted(similar, key=lambda other: endpoint_order(other.result.dnat))
    shown = ordered if len(ordered) <= layout.MOST_SIMILAR else ordered[: layout.MOST_SIMILAR - 1]
    for number, other in enumerate(shown):
        line = f"{percent(other.probability):>6}  {other.result.dnat or cause_text(other.result.cause)}"
        yield _text(x + 16, y + 40 + 17 * number, line, "m")
    if len(shown) < len(similar):
        yield _text(x + 16, y + 40 + 17 * len(shown), f"… and {len(similar) - len(shown)} more", "m")


def _line(x: float, top: float, bottom: float) -> str:
    return f'<path class="flow" stroke-width="3" d="M{x:.1f} {top + 2:.1f} V{bottom - 2:.1f}"/>'


def _text(x: float, y: float, text: str, style: str, *, anchor: str = "start") -> str:
    at = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}"{at}>{escape(text)}</text>'


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
