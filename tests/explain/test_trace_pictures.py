"""Pictures: well-formed, self-contained, and complete."""

import re
from xml.etree import ElementTree as ET

import pytest

from pykubeproxy.explain.cluster_view import AddressHolder
from pykubeproxy.explain.pictures.html import as_html
from pykubeproxy.explain.pictures.mermaid import as_mermaid
from pykubeproxy.explain.pictures.svg import as_svg
from pykubeproxy.netfilter import trace
from pykubeproxy.rules.compile import compile_ruleset
from tests.builders import options, service, slice_of, snapshot
from tests.explain.comparison import traced
from tests.netfilter.asking import NODE, follow, packet

ADDRESSES = ("10.0.1.1", "10.0.1.2", "10.0.1.3")


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
    assert lines[1] == "flowchart TD"
    boxes = set(re.findall(r"(p\d+)[(\[]", "\n".join(lines)))
    edges = re.findall(r"^    (p\d+) -.*?--?> (p\d+)", "\n".join(lines), flags=re.MULTILINE)
    assert len(edges) > 5
    assert {end for edge in edges for end in edge} == boxes
    assert sum('"33.3% = 1/3"' in line for line in lines) == 3


def test_an_open_question_is_no_share() -> None:
    asked = follow(dump={"nat": "PREROUTING -i cni0 -j DNAT --to-destination 10.0.1.1"})
    for draw, question in ((as_svg, "{}"), (as_html, '<div class="dim case">{}:</div>'), (as_mermaid, '-- "{}" -->')):
        text = draw(asked, {})
        assert question.format("if -i cni0") in text
        assert question.format("if not -i cni0") in text
        assert "100%</text>" not in text


def test_many_open_questions_stand_once_and_in_one_column() -> None:
    asked = follow(
        dump={
            "nat": "PREROUTING -m set --match-set a src -j DNAT --to-destination 10.0.1.1",
            "filter": "FORWARD -m set --match-set b dst -j DROP",
        }
    )
    for draw in (as_svg, as_html, as_mermaid):
        text = draw(asked, {})
        assert "depends on 2 questions" in text
        assert "if 2: dropped by rule 1 of chain FORWARD" in " ".join(re.sub(r"<[^>]*>", " ", text).split())
    assert 'width="800"' in as_svg(asked, {})
