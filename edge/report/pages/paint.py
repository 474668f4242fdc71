"""A drawing on a PDF's page."""

from __future__ import annotations

import io
from functools import cache

from reportlab.lib.colors import HexColor
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable

from edge.report.pages.drawing import Box, Dot, Drawing, Letters, Picture, Shape, Stroke, Tiles
from edge.report.pages.fonts import PLAIN, Writing

_colour = cache(HexColor)
"""A map has thousands of marks in a dozen colours."""


class Painted(Flowable):  # type: ignore[misc]  # reportlab has no types
    """A drawing that flows with the text, so wide."""

    def __init__(self, drawing: Drawing, writing: Writing, width: float) -> None:
        super().__init__()
        self._drawing, self._writing = drawing, writing
        self._scale = width / drawing.width
        self.width, self.height = width, drawing.height * self._scale

    def wrap(self, *_: float) -> tuple[float, float]:
        return self.width, self.height

    def draw(self) -> None:
        canvas: Canvas = self.canv
        canvas.saveState()
        canvas.scale(self._scale, self._scale)
        for shape in self._drawing.shapes:
            self._paint(canvas, shape)
        canvas.restoreState()

    def _paint(self, canvas: Canvas, shape: Shape) -> None:
        """One shape; a page's y goes up."""
        top = self._drawing.height
        match shape:
            case Box():
                look = _ink(canvas, shape.fill, shape.line, shape.thick)
                canvas.rect(shape.x, top - shape.y - shape.height, shape.width, shape.height, **look)
            case Dot():
                _dot(canvas, shape, top - shape.y)
            case Stroke():
                _ink(canvas, None, shape.line, shape.thick)
                canvas.line(shape.x0, top - shape.y0, shape.x1, top - shape.y1)
            case Letters():
                self._write(canvas, shape, top)
            case Tiles():
                _ink(canvas, shape.fill, None, 0)
                path = canvas.beginPath()
                for x, y, width, height in shape.boxes:
                    path.rect(x, top - y - height, width, height)
                canvas.drawPath(path, stroke=0, fill=1)
            case Picture():
                place = shape.x, top - shape.y - shape.height, shape.width, shape.height
                canvas.drawImage(ImageReader(io.BytesIO(shape.jpeg)), *place)

    def _write(self, canvas: Canvas, shape: Letters, top: float) -> None:
        canvas.setFillColor(_colour(shape.fill))
        canvas.setFont(PLAIN, shape.size)
        write = {
            "start": canvas.drawString, "middle": canvas.drawCentredString, "end": canvas.drawRightString,
        }[shape.at]  # fmt: skip
        write(shape.x, top - shape.y, self._writing.drawn(shape.text))


def _dot(canvas: Canvas, dot: Dot, y: float) -> None:
    """A dot, drawn once a document and shown wherever there is one: circles are made of many numbers."""
    # a name of the format may have no number sign, with which colours begin
    name = f"dot-{dot.radius}-{dot.fill}-{dot.line}-{dot.thick}".replace("#", "")
    if not canvas.hasForm(name):
        reach = dot.radius + dot.thick
        canvas.beginForm(name, -reach, -reach, reach, reach)
        canvas.circle(0, 0, dot.radius, **_ink(canvas, dot.fill, dot.line, dot.thick))
        canvas.endForm()
    canvas.saveState()
    canvas.translate(dot.x, y)
    canvas.doForm(name)
    canvas.restoreState()


def _ink(canvas: Canvas, fill: str | None, line: str | None, thick: float) -> dict[str, int]:
    """Take the colours up; whether to fill and to outline."""
    if fill:
        canvas.setFillColor(_colour(fill))
    if line:
        canvas.setStrokeColor(_colour(line))
        canvas.setLineWidth(thick)
    return {"fill": int(bool(fill)), "stroke": int(bool(line))}
