"""Charts: well-formed, complete, and inside their frame."""

from itertools import pairwise
from xml.etree.ElementTree import Element, fromstring

from bench.svg import HEIGHT, WIDTH, Chart, Series, draw

SVG = "{http://www.w3.org/2000/svg}"


def chart(*series: Series, title: str = "First sync") -> Element:
    return fromstring(  # noqa: S314  our own
        draw(Chart(title=title, x_title="Services", series=series, x_text="{:g}".format, y_text="{:g} s".format))
    )


def line(name: str, *points: tuple[float, float], dashed: bool = False) -> Series:
    return Series(name=name, points=points, dashed=dashed)


def texts(drawn: Element) -> list[str | None]:
    return [text.text for text in drawn.iter(f"{SVG}text")]


def test_everything_that_is_said_is_there() -> None:
    drawn = chart(line("us & them", (10, 0.2), (1000, 3)), line("floor", (10, 0.1), dashed=True), title="a < b")
    assert {"a < b", "us & them", "floor", "Services", "10", "1000", "1 s"} <= set(texts(drawn))
    dashes = [each.get("stroke-dasharray") for each in drawn.iter(f"{SVG}polyline")]
    assert dashes[0] is None
    assert dashes[1]


def test_points_lie_in_the_frame_and_rise() -> None:
    drawn = chart(line("a", (10, 0.00011), (1000, 0.5), (50_000, 44.0)))
    points = [(float(each.get("cx", "")), float(each.get("cy", ""))) for each in drawn.iter(f"{SVG}circle")]
    assert points == sorted(points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in points)


def test_names_do_not_cover_each_other() -> None:
    drawn = chart(*(line(f"series {number}", (10, 1.0), (100, 2.0 + number / 1000)) for number in range(5)))
    places = sorted(
        float(text.get("y", "")) for text in drawn.iter(f"{SVG}text") if (text.text or "").startswith("series")
    )
    assert all(after - before >= 12 for before, after in pairwise(places))


def test_one_size_or_one_value_is_enough() -> None:
    assert "7" in texts(chart(line("a", (7, 2.0))))
