from xml.etree import ElementTree as ET

import pytest

from terrazzo.drawing.histogram import HEIGHT, WIDTH, histogram

NAMESPACE = "{http://www.w3.org/2000/svg}"


def bars(svg: str) -> list[str]:
    paths = [path.get("d") or "" for path in ET.fromstring(svg).iter(f"{NAMESPACE}path")]
    return [bar for bar in paths[0].split("Z") if bar]


def test_the_largest_share_is_as_high_as_the_picture() -> None:
    drawn = bars(histogram([0.1, 0.4, 0.2, 0.3], 0, 8, "band 1"))
    assert len(drawn) == 4
    assert drawn[1].startswith(f"M{WIDTH / 4:.1f} {HEIGHT}V0.0")


def test_empty_bins_have_no_bar_and_small_ones_are_seen() -> None:
    drawn = bars(histogram([0.0, 1e-6, 1.0], 0, 3, "band"))
    assert len(drawn) == 2
    height = HEIGHT - float(drawn[0].split("V")[1].split("H")[0])
    assert height > 1


@pytest.mark.parametrize("shares", [[], [0.0, 0.0]])
def test_nothing_is_drawn_of_nothing(shares: list[float]) -> None:
    assert bars(histogram(shares, 0, 1, "band")) == []


def test_names_are_escaped() -> None:
    svg = histogram([1.0], 0, 1, '<script>"&')
    assert "<script>" not in svg
    assert ET.fromstring(svg).get("aria-label") == '<script>"&, 0 to 1'
