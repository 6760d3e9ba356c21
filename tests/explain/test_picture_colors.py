"""Text in pictures has a contrast of at least 4.5 to 1, in the light and in the dark (WCAG 2.2, 1.4.3)."""

import re

import pytest

from pykubeproxy.explain.pictures import html, svg

VARIABLES = [
    dict(re.findall(r"--(\w+):#(\w+)", block)) for block in re.findall(r":root\{(.*?)\}", html._STYLE, re.DOTALL)
]
LIGHT, DARK = svg._STYLE.split("@media")


def luminance(color: str) -> float:
    digits = color if len(color) == 6 else "".join(digit * 2 for digit in color)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def filled(style: str, selector: str) -> str:
    """The colour that a rule of the drawing's style gives."""
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", style):
        fill = re.search(r"fill:#(\w+)", body)
        if fill and selector in selectors.strip().split(","):
            return fill[1]
    raise KeyError(selector)


@pytest.mark.parametrize("colors", VARIABLES, ids=["light", "dark"])
def test_the_page(colors: dict[str, str]) -> None:
    for name in ("fg", "dim", "accept", "refuse", "mark", "lost", "rewrite", "route"):
        for ground in ("bg", "card"):
            assert contrast(colors[name], colors[ground]) >= 4.5, (name, ground)


@pytest.mark.parametrize("style", [LIGHT, DARK.partition("{")[2]], ids=["light", "dark"])
def test_the_drawing(style: str) -> None:
    assert contrast(filled(style, "text"), filled(style, ".bg")) >= 4.5
    assert contrast(filled(style, "text"), filled(style, ".more")) >= 4.5
    assert contrast(filled(style, ".h2"), filled(style, ".bg")) >= 4.5
    for name in (".n", ".chain", "text", "text.pass", "text.rewrite"):
        assert contrast(filled(style, name), filled(style, ".card")) >= 4.5, name


def test_white_on_the_boxes_of_results_and_hooks() -> None:
    boxes = [filled(LIGHT, f".{name}") for name in ("accept", "refuse", "undecided", "lost")]
    for color in (*boxes, *(hook.removeprefix("#") for hook in svg._HOOKS.values())):
        assert contrast("ffffff", color) >= 4.5, color
