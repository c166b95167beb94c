"""Styles for QGIS are well-formed, whatever classes are called."""

from xml.etree import ElementTree as ET

from terrazzo.drawing.qgis import Step, graduated_style, outline_style, palette_style


def test_palettes_name_every_value() -> None:
    root = ET.fromstring(palette_style({0: ('<land> & "more"', (1, 2, 3)), 9: ("=water", (255, 0, 16))}))
    entries = [entry.attrib for entry in root.iter("paletteEntry")]
    assert [(entry["value"], entry["label"], entry["color"]) for entry in entries] == [
        ("0", '<land> & "more"', "#010203"),
        ("9", "=water", "#ff0010"),
    ]


def test_steps_share_their_symbols() -> None:
    root = ET.fromstring(graduated_style("mean_dice", [Step(low=0, high=0.5, color=(1, 2, 3)), Step(low=0.5, high=1, color=(4, 5, 6))]))
    ranges = [(each.get("lower"), each.get("upper"), each.get("symbol")) for each in root.iter("range")]
    assert ranges == [("0", "0.5", "0"), ("0.5", "1", "1")]
    assert [each.get("name") for each in root.iter("symbol")] == ["0", "1"]
    assert len(list(ET.fromstring(outline_style((1, 2, 3))).iter("symbol"))) == 1
