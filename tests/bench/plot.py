"""A small line chart as SVG, with the standard library: latency against the number of held claims."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 720, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 190, 40, 50
# Told apart without colour, too: each line has its own dashes and its own mark at the end.
_STYLES = (
    ("#0b6e99", ""),
    ("#b4530a", "6 3"),
    ("#4d7c0f", "2 3"),
    ("#7c3aed", "8 3 2 3"),
    ("#be123c", "1 4"),
    ("#444", ""),
)

Curve = Sequence[tuple[float, float]]


def write(path: Path, title: str, curves: Mapping[str, Curve]) -> None:
    """Draw ``curves`` (name -> points of held claims and milliseconds), both axes logarithmic."""
    points = [point for curve in curves.values() for point in curve]
    most = max(x for x, _ in points)
    low = 10 ** math.floor(math.log10(min(y for _, y in points)))
    high = 10 ** math.ceil(math.log10(max(y for _, y in points)))

    def across(x: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * math.log10(x + 1) / math.log10(most + 1)

    def down(y: float) -> float:
        share = (math.log10(y) - math.log10(low)) / (math.log10(high) - math.log10(low))
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share

    parts = [_text(_LEFT, 22, title, size=14, weight="bold")]
    for x in sorted({x for x, _ in points}):
        parts.append(_line(across(x), _TOP, across(x), _HEIGHT - _BOTTOM))
        parts.append(_text(across(x), _HEIGHT - _BOTTOM + 16, f"{x:,.0f}", anchor="middle"))
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        y = down(10**power)
        parts.append(_line(_LEFT, y, _WIDTH - _RIGHT, y))
        parts.append(_text(_LEFT - 6, y + 4, f"{10.0**power:g} ms", anchor="end"))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, "held claims", anchor="middle"))
    labels: list[float] = []
    for (name, curve), (colour, dashes) in zip(curves.items(), _STYLES, strict=False):
        places = [(across(x), down(y)) for x, y in curve]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(
            f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>'
        )
        end_x, end_y = places[-1]
        label = end_y + 4
        while any(abs(label - other) < 15 for other in labels):
            label -= 1
        labels.append(label)
        parts.append(f'<circle cx="{end_x:.1f}" cy="{end_y:.1f}" r="3" fill="{colour}"/>')
        parts.append(_text(end_x + 8, label, f"{name}: {_shown(curve[-1][1])} ms", colour=colour))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
        f' font-family="system-ui, sans-serif"><title>{escape(title)}</title>'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 11,
    anchor: str = "start",
    weight: str = "normal",
    colour: str = "#222",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}"'
        f' fill="{colour}">{escape(text)}</text>'
    )
