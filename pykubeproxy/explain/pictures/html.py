"""A trace as an HTML page: the drawing, and below it every step with its rule, which can be opened and closed."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from pykubeproxy.explain.cluster_view import AddressHolder
from pykubeproxy.explain.condensed import BranchCondition, CondensedNode
from pykubeproxy.explain.pictures.cards import (
    Card,
    End,
    ResultText,
    cards,
    css_class,
    endpoint_order,
    picture,
    result_texts,
    verdict_class,
)
from pykubeproxy.explain.pictures.svg import as_svg
from pykubeproxy.explain.words import (
    condition_text,
    likewise_text,
    place_text,
    rest_text,
    share_text,
    step_comment,
    step_text,
    sum_text,
)
from pykubeproxy.model.share import percent
from pykubeproxy.netfilter.outcome import BranchResult, Outcome
from pykubeproxy.netfilter.path import Step
from pykubeproxy.netfilter.walk import Trace

# Up to so many outcomes are listed; more are in a group that can be opened.
_LISTED = 8

_STYLE = """
:root{color-scheme:light dark;--fg:#0f172a;--bg:#f1f5f9;--card:#fff;--dim:#475569;--edge:#cbd5e1;
--accept:#15803d;--refuse:#b91c1c;--mark:#b45309;--lost:#854d0e;--rewrite:#1d4ed8;--route:#0f766e}
@media(prefers-color-scheme:dark){:root{--fg:#e2e8f0;--bg:#0f172a;--card:#1e293b;--dim:#94a3b8;--edge:#334155;
--accept:#86efac;--refuse:#fca5a5;--mark:#fcd34d;--lost:#fde047;--rewrite:#93c5fd;--route:#5eead4}}
body{font:15px/1.5 Inter,'Segoe UI',Roboto,Arial,'DejaVu Sans',sans-serif;color:var(--fg);background:var(--bg);margin:0}
main{max-width:1100px;margin:0 auto;padding:28px}h1{font-size:24px;margin:0}h2{font-size:16px;margin:28px 0 10px}
.dim{color:var(--dim)}code{font:13px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace}
.end{display:flex;gap:14px;align-items:center;background:var(--card);border:1px solid var(--edge);
border-radius:10px;padding:8px 14px;margin:6px 0}
.case{margin-left:24px}.bar{flex:0 0 120px;height:10px;border-radius:5px;background:var(--edge);overflow:hidden}
.bar i{display:block;height:100%}
.share{flex:0 0 110px;font-variant-numeric:tabular-nums}.v{font-weight:700;flex:0 0 100px;white-space:nowrap}
.accept{color:var(--accept)}.refuse{color:var(--refuse)}.undecided,.mark{color:var(--mark)}.lost{color:var(--lost)}
.rewrite{color:var(--rewrite)}.route{color:var(--route)}
i.accept{background:#16a34a}i.refuse{background:#dc2626}i.undecided{background:#d97706}i.lost{background:#eab308}
details{background:var(--card);border:1px solid var(--edge);border-radius:10px;margin:8px 0;padding:6px 14px}
summary{cursor:pointer;font-weight:600}.branch{border-left:4px solid #3b82f6}
.step{margin:4px 0 4px 18px;padding:2px 10px;border:0;background:none}.step>summary{font-weight:400}
.rule{display:block;white-space:pre-wrap;color:var(--dim);padding:4px 0}
figure{margin:0;overflow:auto}figure svg{max-width:100%;height:auto;display:block;margin:0 auto}.narrow{display:none}
h1,.end,summary,p,.rule{overflow-wrap:anywhere}
@media(max-width:600px){main{padding:14px}.end{flex-wrap:wrap;gap:4px 10px}.case,.step{margin-left:8px}
h1{font-size:19px}figure{margin:0 -14px}.wide{display:none}.narrow{display:block}}
"""

_ONLY_WIDE = "Where there is more room, a picture stands here; the steps below say the same."


def as_html(traced: Trace, holders: Mapping[str, AddressHolder]) -> str:
    """A page that works offline: no script, nothing to load."""
    shown, result_text = picture(traced), result_texts(traced, holders)
    title = escape(f"{shown.client} → {shown.destination}")
    body = [
        f"<h1>{title}</h1>",
        f'<div class="dim">{escape(shown.service)}</div>',
        *([f'<div class="dim">{escape(shown.note)}</div>'] if shown.note else []),
        *(map(_end, shown.ends) if shown.ends else _outcomes(traced.outcomes, result_text)),
        "<h2>The way as a picture</h2>",
        *_drawing(as_svg(traced, holders, heading=False), is_wide=_has_columns(shown.tree)),
        '<h2>Step by step <span class="dim">(a step opens to show its rule)</span></h2>',
        *_node(shown.tree, result_text),
    ]
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head = f"{meta}<title>{title}</title><style>{_STYLE}</style>"
    return "\n".join(
        ["<!DOCTYPE html>", f'<html lang="en"><head>{head}</head><body><main>', *body, "</main></body></html>"]
    )


def _drawing(svg: str, *, is_wide: bool) -> Iterator[str]:
    """The drawing; columns side by side could not be read on a narrow screen, where a line stands for them."""
    yield f'<figure class="{"wide" if is_wide else "all"}">{svg}</figure>'
    if is_wide:
        yield f'<p class="dim narrow">{_ONLY_WIDE}</p>'


def _has_columns(node: CondensedNode) -> bool:
    return len(node.branches) > 1 or any(map(_has_columns, node.branches))


def _end(end: End) -> str:
    style = verdict_class(end.verdict)
    return (
        f'<div class="end"><span class="v {style}">{end.verdict}</span>'
        f"<span>{'<br>'.join(map(escape, end.lines))}</span></div>"
    )


def _outcomes(outcomes: Sequence[Outcome], result_text: ResultText) -> Iterator[str]:
    """The outcomes, endpoints in numeric order; of many, the rest in a group that can be opened."""
    ordered = sorted(outcomes, key=lambda outcome: endpoint_order(outcome.dnat))
    shown = ordered if len(ordered) <= _LISTED + 1 else ordered[:_LISTED]
    for outcome in shown:
        yield from _outcome(outcome, result_text)
    if rest := ordered[len(shown) :]:
        yield f"<details><summary>{escape(rest_text([each.probability for each in rest]))}</summary>"
        for outcome in rest:
            yield from _outcome(outcome, result_text)
        yield "</details>"


def _outcome(outcome: Outcome, result_text: ResultText) -> Iterator[str]:
    style = verdict_class(outcome.verdict)
    width = f"{float(outcome.probability):.2%}"
    yield (
        f'<div class="end"><span class="bar"><i class="{style}" style="width:{width}"></i></span>'
        f'<span class="share">{share_text(outcome.probability)}</span><span class="v {style}">{outcome.verdict}</span>'
        f"<span>{escape(result_text(outcome))}</span></div>"
    )
    for alternative in outcome.alternatives:
        condition = condition_text(BranchCondition(alternative.question, alternative.holds))
        yield f'<div class="dim case">{escape(condition)}:</div>'
        yield '<div class="case">'
        for inner in alternative.outcomes:
            yield from _outcome(inner, result_text)
        yield "</div>"


def _node(node: CondensedNode, result_text: ResultText) -> Iterator[str]:
    for card in cards(node.steps):
        yield from _card(card)
    for branch in node.branches:
        summary = (
            condition_text(branch.condition)
            if branch.condition
            else f"{percent(branch.total_probability)} of the packets"
        )
        if branch.result is not None:
            summary += f": {result_text(branch.result)}"
        if branch.similar:
            summary += f", or likewise to one of {len(branch.similar)} more endpoints"
        is_open = " open" if len(node.branches) < 4 else ""
        yield f'<details class="branch"{is_open}><summary>{escape(summary)}</summary>'
        yield from _node(branch, result_text)
        yield "</details>"
    if node.result is not None:
        yield _result(node.result, result_text)
    if node.similar:
        total = sum_text(other.probability for other in node.similar)
        yield f"<details><summary>{total} likewise, to {len(node.similar)} more endpoints</summary>"
        for other in sorted(node.similar, key=lambda other: endpoint_order(other.result.dnat)):
            yield f'<p class="dim">{percent(other.probability)} {escape(likewise_text(other.result))}</p>'
        yield "</details>"


def _card(card: Card) -> Iterator[str]:
    yield f"<details open><summary>{escape(card.title)}</summary>"
    for step in card.steps:
        yield _step(step)
    yield "</details>"


def _step(step: Step) -> str:
    chain = f'<code class="dim">{escape(place_text(step))}</code> ' if step.chain else ""
    why = f' <span class="dim">{escape(step_comment(step))}</span>' if step_comment(step) else ""
    text = f'{chain}<code class="{css_class(step)}">{escape(step_text(step))}</code>{why}'
    if not step.rule:
        return f'<div class="step">{text}</div>'
    rule = f'<code class="rule">{escape(step.rule)}</code>'
    where = f'<span class="dim">rule {step.position} of the chain</span>'
    return f'<details class="step"><summary>{text}</summary>{where}{rule}</details>'


def _result(result: BranchResult, result_text: ResultText) -> str:
    style = verdict_class(result.verdict)
    return f'<p><span class="v {style}">{result.verdict}</span> {escape(result_text(result))}</p>'
