"""A drawing as SVG inside a page."""

from __future__ import annotations

from base64 import b64encode
from html import escape

from edge.report.pages.drawing import Box, Dot, Drawing, Letters, Picture, Shape, Stroke, Tiles, plain


def svg(drawing: Drawing, kind: str = "") -> str:
    """One element that shows it; where only `alt` can be told, that."""
    named = f' class="{kind}"' if kind else ""
    size = f'width="{plain(drawing.width)}pt" viewBox="0 0 {plain(drawing.width)} {plain(drawing.height)}"'
    shapes = "".join(map(_element, drawing.shapes))
    return f'<svg{named} {size} role="img" aria-label="{escape(drawing.alt)}">{shapes}</svg>'


def _element(shape: Shape) -> str:
    match shape:
        case Box():
            return f"<rect {_rectangle(shape)} {_paint(shape.fill, shape.line, shape.thick)}/>"
        case Dot():
            middle = f'cx="{plain(shape.x)}" cy="{plain(shape.y)}" r="{plain(shape.radius)}"'
            return f"<circle {middle} {_paint(shape.fill, shape.line, shape.thick)}/>"
        case Stroke():
            way = f"M{plain(shape.x0)} {plain(shape.y0)}L{plain(shape.x1)} {plain(shape.y1)}"
            return f'<path d="{way}" {_paint(None, shape.line, shape.thick)}/>'
        case Letters():
            place = f'x="{plain(shape.x)}" y="{plain(shape.y)}" font-size="{plain(shape.size)}"'
            return f'<text {place} text-anchor="{shape.at}" fill="{shape.fill}">{escape(shape.text)}</text>'
        case Tiles():
            way = "".join(f"M{x} {y}h{width}v{height}h-{width}z" for x, y, width, height in shape.boxes)
            return f'<path d="{way}" fill="{shape.fill}" shape-rendering="crispEdges"/>'
        case Picture():
            content = b64encode(shape.jpeg).decode()
            return f'<image {_rectangle(shape)} href="data:image/jpeg;base64,{content}"/>'


def _rectangle(shape: Box | Picture) -> str:
    x, y, width, height = map(plain, (shape.x, shape.y, shape.width, shape.height))
    return f'x="{x}" y="{y}" width="{width}" height="{height}"'


def _paint(fill: str | None, line: str | None, thick: float) -> str:
    drawn = f' stroke="{line}" stroke-width="{plain(thick)}"' if line else ""
    return f'fill="{fill or "none"}"{drawn}'
