"""Histograms as small SVG text, for tables on light and dark pages alike."""

from collections.abc import Sequence

from terrazzo.drawing.chart import INKS, xml_text

WIDTH, HEIGHT = 144, 30
FAINT = 0.08
"""Height of a bin that holds something, at least, as a share of the whole height."""


def histogram(shares: Sequence[float], low: float, high: float, name: str, ink: str = INKS[0]) -> str:
    """Bars of the shares between two values, each as high as its share of the largest.

    shares: of the bins from low to high, 0 to 1. name: whose values they are; shown where the pointer rests.
    """
    largest = max(shares, default=0.0) or 1.0
    width = WIDTH / max(len(shares), 1)
    bars = []
    for place, share in enumerate(shares):
        if share > 0:
            height = max(share / largest, FAINT) * HEIGHT
            bars.append(f"M{place * width:.1f} {HEIGHT}V{HEIGHT - height:.1f}H{(place + 1) * width:.1f}V{HEIGHT}Z")
    told = xml_text(f"{name}, {low:.4g} to {high:.4g}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{told}"><title>{told}</title><path d="{"".join(bars)}" fill="{ink}"/>'
        f'<path d="M0 {HEIGHT - 0.5}H{WIDTH}" stroke="currentColor" stroke-opacity=".35"/></svg>'
    )
