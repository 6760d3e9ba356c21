"""Pictures: well-formed, self-contained, complete, and drawn by a real browser."""

import re
import shutil
import subprocess
import zlib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pykubeproxy.explain.cluster_view import AddressHolder
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


def traced(*addresses: str) -> Trace:
    objects = (service("ns1/svc1", "10.96.0.1"), slice_of("ns1/svc1", *addresses))
    return trace(compile_ruleset(snapshot(*objects), options()), packet(), NODE)


@pytest.mark.parametrize("count", [0, 1, 3, 40])
def test_an_svg_is_well_formed_and_tells_every_share(count: int) -> None:
    text = as_svg(traced(*(f"10.0.1.{number + 1}" for number in range(count))), {})
    root = ET.fromstring(text)  # noqa: S314  our own text
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = " ".join(root.itertext())
    assert "10.96.0.1:80/tcp" in words
    assert ("REJECT" in words) is (count == 0)
    assert ("97.5% likewise, to 39 more endpoints" in words) is (count == 40)


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


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
@pytest.mark.parametrize("kind", ["svg", "html"])
def test_a_browser_draws_it(kind: str, tmp_path: Path) -> None:
    text = as_svg(traced(*ADDRESSES), {}) if kind == "svg" else as_html(traced(*ADDRESSES), {})
    page, shot = tmp_path / f"page.{kind}", tmp_path / "shot.png"
    page.write_text(text)
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = [str(CHROMIUM), *FLAGS, profile, "--window-size=800,700", f"--screenshot={shot}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    pixels = colours(shot)
    # Header bars of the hooks, green endings, white cards: a picture without them was not drawn.
    assert {(0x4F, 0x46, 0xE5), (0x16, 0xA3, 0x4A), (0xFF, 0xFF, 0xFF)} <= pixels
    assert len(pixels) > 50


def colours(png: Path) -> set[tuple[int, int, int]]:
    """The colours in a PNG of 8 bits a channel (RFC 2083): enough of a decoder for a screenshot."""
    data = png.read_bytes()
    width, depth, kind = int.from_bytes(data[16:20], "big"), data[24], data[25]
    assert (depth, kind in (2, 6)) == (8, True)
    size = 3 if kind == 2 else 4
    packed, at = b"", 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += 12 + length
    rows, before = zlib.decompress(packed), bytearray(width * size)
    found: set[tuple[int, int, int]] = set()
    for start in range(0, len(rows), width * size + 1):
        before = unfiltered(rows[start], bytearray(rows[start + 1 : start + 1 + width * size]), before, size)
        found.update((before[x], before[x + 1], before[x + 2]) for x in range(0, width * size, size))
    return found


def unfiltered(kind: int, row: bytearray, above: bytearray, size: int) -> bytearray:
    """One line of a PNG with its filter undone."""
    for x in range(len(row)):
        left = row[x - size] if x >= size else 0
        corner = above[x - size] if x >= size else 0
        guess = left + above[x] - corner
        nearest = min((left, above[x], corner), key=lambda value: abs(guess - value))
        row[x] = (row[x] + (0, left, above[x], (left + above[x]) // 2, nearest)[kind]) & 0xFF
    return row


def asked_of_the_interface() -> Trace:
    dump = {"nat": "PREROUTING -i cni0 -j DNAT --to-destination 10.0.1.1"}
    return follow(dump=dump)


def test_an_open_question_is_no_share() -> None:
    for text in (as_svg(asked_of_the_interface(), {}), as_html(asked_of_the_interface(), {})):
        assert "if -i cni0" in text
        assert "if not -i cni0" in text
        assert "100%</text>" not in text
    flowchart = as_mermaid(asked_of_the_interface(), {})
    assert '-- "if -i cni0" -->' in flowchart
    assert '-- "if not -i cni0" -->' in flowchart
    assert '<div class="dim case">if -i cni0:</div>' in as_html(asked_of_the_interface(), {})


def test_of_branches_that_are_told_together_each_has_its_share() -> None:
    text = as_svg(traced(*(f"10.0.1.{number + 1}" for number in range(10))), {})
    assert "10% = 1/10 to each of 10" in text
    assert all(f"10.0.1.{number + 1}:80" in text for number in range(10))


def test_a_client_that_affinity_remembers_is_told_of() -> None:
    objects = (service("ns1/svc1", "10.96.0.1", affinity_seconds=60), slice_of("ns1/svc1", *ADDRESSES))
    found = trace(compile_ruleset(snapshot(*objects), options()), packet(), NODE)
    for text in (as_svg(found, {}), as_html(found, {}), as_mermaid(found, {})):
        assert "a client that session affinity remembers goes where it went before" in text
    assert "affinity remembers" not in as_svg(traced(*ADDRESSES), {})
