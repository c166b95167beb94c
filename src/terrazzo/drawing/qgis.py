"""Styles that QGIS takes by itself: as a .qml file beside a raster, or in the table layer_styles of a GeoPackage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from terrazzo.drawing.chart import xml_text
from terrazzo.labels.colors import Color, hex_color

HEAD = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n<qgis version=\"3.28\" styleCategories=\"Symbology\">\n"
OUTLINE = "90,96,104,255"
OPACITY = 150
"""Of the fill of areas, 0 to 255."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """Values that share a colour."""

    low: float
    high: float
    color: Color


def graduated_style(column: str, steps: Sequence[Step]) -> str:
    """A style that fills areas by the value of a column; areas without one are not shown."""
    ranges = "".join(
        f'      <range lower="{step.low:g}" upper="{step.high:g}" label="{step.low:g} - {step.high:g}" symbol="{number}" render="true"/>\n'
        for number, step in enumerate(steps)
    )
    symbols = "".join(_symbol(number, step.color, OPACITY) for number, step in enumerate(steps))
    return (
        f'{HEAD}  <renderer-v2 type="graduatedSymbol" attr="{xml_text(column)}" graduatedMethod="GraduatedColor" symbollevels="0" '
        f'enableorderby="0" forceraster="0">\n    <ranges>\n{ranges}    </ranges>\n    <symbols>\n{symbols}    </symbols>\n'
        "  </renderer-v2>\n</qgis>\n"
    )


def categorized_style(column: str, colors: Mapping[str, Color]) -> str:
    """A style that draws areas in a colour for each value of a column; areas of other values are not shown."""
    categories = "".join(
        f'      <category value="{xml_text(value)}" label="{xml_text(value)}" symbol="{number}" render="true"/>\n'
        for number, value in enumerate(colors)
    )
    symbols = "".join(_symbol(number, color, OPACITY) for number, color in enumerate(colors.values()))
    return (
        f'{HEAD}  <renderer-v2 type="categorizedSymbol" attr="{xml_text(column)}" symbollevels="0" enableorderby="0" forceraster="0">\n'
        f"    <categories>\n{categories}    </categories>\n    <symbols>\n{symbols}    </symbols>\n  </renderer-v2>\n</qgis>\n"
    )


def line_style(column: str, colors: Mapping[str, Color]) -> str:
    """A style that draws lines in a colour for each value of a column; lines of other values are not shown."""
    categories = "".join(
        f'      <category value="{xml_text(value)}" label="{xml_text(value)}" symbol="{number}" render="true"/>\n'
        for number, value in enumerate(colors)
    )
    symbols = "".join(
        f'      <symbol type="line" name="{number}" alpha="1" clip_to_extent="1" force_rhr="0">'
        f'<layer class="SimpleLine" enabled="1" locked="0" pass="0"><prop k="line_color" v="{",".join(map(str, color))},255"/>'
        '<prop k="line_width" v="0.5"/></layer></symbol>\n'
        for number, color in enumerate(colors.values())
    )
    return (
        f'{HEAD}  <renderer-v2 type="categorizedSymbol" attr="{xml_text(column)}" symbollevels="0" enableorderby="0" forceraster="0">\n'
        f"    <categories>\n{categories}    </categories>\n    <symbols>\n{symbols}    </symbols>\n  </renderer-v2>\n</qgis>\n"
    )


def outline_style(color: Color) -> str:
    """A style that draws areas in one colour."""
    return (
        f'{HEAD}  <renderer-v2 type="singleSymbol" symbollevels="0" enableorderby="0" forceraster="0">\n    <symbols>\n'
        f"{_symbol(0, color, 60)}    </symbols>\n  </renderer-v2>\n</qgis>\n"
    )


def palette_style(names: Mapping[int, tuple[str, Color]]) -> str:
    """A style for a raster of one band whose values are classes: their names and colours."""
    entries = "".join(
        f'        <paletteEntry value="{value}" label="{xml_text(name)}" color="{hex_color(color)}" alpha="255"/>\n'
        for value, (name, color) in names.items()
    )
    return (
        f'{HEAD}  <pipe>\n    <rasterrenderer type="paletted" band="1" opacity="1" alphaBand="-1">\n      <colorPalette>\n{entries}'
        "      </colorPalette>\n    </rasterrenderer>\n  </pipe>\n</qgis>\n"
    )


def layer_styles(styles: Mapping[str, str], geometry: str = "geom") -> pd.DataFrame:
    """The table of a GeoPackage in which QGIS looks for styles: one a layer, by its name. geometry: their column."""
    names = list(styles)
    return pd.DataFrame(
        {
            "f_table_catalog": "",
            "f_table_schema": "",
            "f_table_name": names,
            "f_geometry_column": geometry,
            "styleName": names,
            "styleQML": list(styles.values()),
            "styleSLD": "",
            "useAsDefault": True,
            "description": "Terrazzo",
            "owner": "",
        }
    )


def _symbol(number: int, color: Color, opacity: int) -> str:
    fill = ",".join(str(part) for part in (*color, opacity))
    edge = ",".join(str(part) for part in (*color, 255)) if opacity < OPACITY else OUTLINE
    properties = {"color": fill, "style": "solid", "outline_color": edge, "outline_style": "solid", "outline_width": "0.2"}
    props = "".join(f'<prop k="{key}" v="{value}"/>' for key, value in properties.items())
    return (
        f'      <symbol type="fill" name="{number}" alpha="1" clip_to_extent="1" force_rhr="0">'
        f'<layer class="SimpleFill" enabled="1" locked="0" pass="0">{props}</layer></symbol>\n'
    )
