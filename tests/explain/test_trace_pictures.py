"""Pictures: well-formed, self-contained, complete, legible, and drawn by a real browser."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from pykubeproxy.explain.cluster_view import AddressHolder
from pykubeproxy.explain.pictures import html, svg
from pykubeproxy.explain.pictures.cards import picture
from pykubeproxy.explain.pictures.html import as_html
from pykubeproxy.explain.pictures.layout import COLUMN, GAP, lay_out
from pykubeproxy.explain.pictures.mermaid import as_mermaid
from pykubeproxy.explain.pictures.svg import as_svg
from pykubeproxy.explain.words import result_text
from pykubeproxy.netfilter import Trace, trace
from pykubeproxy.rules.compile import compile_ruleset
from tests.builders import options, service, slice_of, snapshot
from tests.netfilter.asking import NODE, follow, packet

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
ADDRESSES = ("10.0.1.1", "10.0.1.2", "10.0.1.3")


def traced(*addresses: str, **fields: Any) -> Trace:
    objects = (service("ns1/svc1", "10.96.0.1", **fields), slice_of("ns1/svc1", *addresses))
    return trace(compile_ruleset(snapshot(*objects), options()), packet(), NODE)


@pytest.mark.parametrize("count", [0, 1, 3, 10, 40])
def test_an_svg_is_well_formed_and_tells_every_share(count: int) -> None:
    text = as_svg(traced(*(f"10.0.1.{number + 1}" for number in range(count))), {})
    root = ET.fromstring(text)  # noqa: S314  our own text
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = " ".join(root.itertext())
    assert "10.96.0.1:80/tcp" in words
    assert ("REJECT" in words) is (count == 0)
    assert ("97.5% likewise, to 39 more endpoints" in words) is (count == 40)
    assert ("10% = 1/10 to each of 10" in words) is (count == 10)
    assert count == 40 or all(f"10.0.1.{number + 1}:80" in words for number in range(count))


def test_nothing_is_loaded_from_anywhere() -> None:
    for text in (as_svg(traced(*ADDRESSES), {}), as_html(traced(*ADDRESSES), {})):
        assert not re.search(r"<script|<link|<img|@import|url\(|(?:src|href)=", text)
        assert set(re.findall(r"https?://[^\"'\s<]+", text)) <= {"http://www.w3.org/2000/svg"}


def test_pod_and_node_stand_where_the_packet_goes() -> None:
    holders = {ADDRESSES[1]: AddressHolder(pod="ns1/web-2", node="node-b")}
    for draw, times in ((as_svg, 1), (as_html, 4), (as_mermaid, 1)):
        text = draw(traced(*ADDRESSES), holders)
        assert text.count("(ns1/web-2 on node-b)") == times


def test_branches_stand_side_by_side() -> None:
    column = lay_out(picture(traced(*ADDRESSES)).tree, result_text)
    assert column.width == 3 * COLUMN + 2 * GAP
    assert [branch.width for branch in column.columns] == [COLUMN] * 3


def test_a_page_opens_and_closes_every_rule() -> None:
    text = as_html(traced(*ADDRESSES), {})
    assert text.startswith("<!DOCTYPE html>")
    assert text.count("<details") == text.count("</details>") > 10
    assert "-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp" in text
    assert "33.3% = 1/3" in text


def test_what_others_wrote_is_escaped() -> None:
    ruleset = compile_ruleset(snapshot(service("ns1/svc1", "10.96.0.1"), slice_of("ns1/svc1", *ADDRESSES)), options())
    chains = ruleset.tables["nat"].chains
    evil = '-A PREROUTING -m comment --comment "<script>alert(1)</script>" -j MARK --set-xmark 0x1/0x1'
    chains["PREROUTING"] = (evil, *chains["PREROUTING"])
    found = trace(ruleset, packet(), NODE)
    assert "<script" not in as_html(found, {}) + as_svg(found, {}) + as_mermaid(found, {})
    assert "&lt;script&gt;" in as_html(found, {})


def test_a_flowchart_names_only_boxes_that_it_has() -> None:
    lines = as_mermaid(traced(*ADDRESSES), {}).splitlines()
    assert lines[0] == "flowchart TD"
    boxes = set(re.findall(r"(p\d+)[(\[]", "\n".join(lines)))
    edges = re.findall(r"^    (p\d+) -.*?--?> (p\d+)", "\n".join(lines), flags=re.MULTILINE)
    assert len(edges) > 5
    assert {end for edge in edges for end in edge} == boxes
    assert sum('"33.3% = 1/3"' in line for line in lines) == 3


# Draws a picture, and has the colours of its pixels as the page's title.
_DRAWING = """<canvas id=c width=800 height=700></canvas><img src="data:image/svg+xml,{}" onload="
const drawn = c.getContext('2d'); drawn.drawImage(this, 0, 0);
const bytes = drawn.getImageData(0, 0, 800, 700).data, colours = new Set();
for (let at = 0; at < bytes.length; at += 4) colours.add(bytes.slice(at, at + 3).join('-'));
document.title = [...colours].join(' ')">"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
def test_a_browser_draws_it(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(_DRAWING.format(quote(as_svg(traced(*ADDRESSES), {}))))
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()]
    run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    title = re.search("<title>(.*)</title>", run.stdout)
    assert title is not None, run.stdout
    colours = title[1].split()
    # Header bars of the hooks, green endings, white cards: a picture without them was not drawn.
    assert {"79-70-229", "22-163-74", "255-255-255"} <= {*colours}
    assert len(colours) > 50


def test_an_open_question_is_no_share() -> None:
    asked = follow(dump={"nat": "PREROUTING -i cni0 -j DNAT --to-destination 10.0.1.1"})
    for draw, question in (
        (as_svg, "{}"),
        (as_html, '<div class="dim case">{}:</div>'),
        (as_mermaid, '-- "{}" -->'),
    ):
        text = draw(asked, {})
        assert question.format("if -i cni0") in text
        assert question.format("if not -i cni0") in text
        assert "100%</text>" not in text


def test_a_client_that_affinity_remembers_is_told_of() -> None:
    found = traced(*ADDRESSES, affinity_seconds=60)
    for text in (as_svg(found, {}), as_html(found, {}), as_mermaid(found, {})):
        assert "a client that session affinity remembers goes where it went before" in text
    assert "affinity remembers" not in as_svg(traced(*ADDRESSES), {})


VARIABLES = [
    dict(re.findall(r"--(\w+):#(\w+)", block)) for block in re.findall(r":root\{(.*?)\}", html._STYLE, re.DOTALL)
]
LIGHT, DARK = svg._STYLE.split("@media")


def luminance(color: str) -> float:
    digits = color if len(color) == 6 else "".join(digit * 2 for digit in color)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def filled(style: str, selector: str) -> str:
    """The colour that a rule of the drawing's style gives."""
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", style):
        fill = re.search(r"fill:#(\w+)", body)
        if fill and selector in selectors.strip().split(","):
            return fill[1]
    raise KeyError(selector)


def assert_legible(one: Iterable[str], other: Iterable[str]) -> None:
    """A contrast of at least 4.5 to 1, in the light and in the dark (WCAG 2.2, 1.4.3)."""
    for text, ground in product(one, other):
        low, high = sorted((luminance(text), luminance(ground)))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)


@pytest.mark.parametrize("colors", VARIABLES, ids=["light", "dark"])
def test_text_on_the_page_is_legible(colors: dict[str, str]) -> None:
    names = ("fg", "dim", "accept", "refuse", "mark", "lost", "rewrite", "route")
    assert_legible([colors[name] for name in names], [colors["bg"], colors["card"]])


@pytest.mark.parametrize("style", [LIGHT, DARK.partition("{")[2]], ids=["light", "dark"])
def test_text_in_the_drawing_is_legible(style: str) -> None:
    on_card = (".n", ".chain", "text", "text.pass", "text.rewrite")
    for ground, names in {".bg": ("text", ".h2"), ".more": ("text",), ".card": on_card}.items():
        assert_legible([filled(style, name) for name in names], [filled(style, ground)])
    boxes = [filled(LIGHT, f".{name}") for name in ("accept", "refuse", "undecided", "lost")]
    assert_legible(["ffffff"], [*boxes, *(hook.removeprefix("#") for hook in svg._HOOKS.values())])
