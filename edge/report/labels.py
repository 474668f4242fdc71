"""Label images: each field's cells and nuclei as 16-bit PNGs, drawn from the outlines in the records."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from edge.files.labels import CELLS, NUCLEI, SUFFIX
from edge.records.outlines import draw
from edge.records.rows import Row
from edge.report.formats import Layout
from edge.report.report import Report


def files(report: Report, layout: Layout) -> Iterator[tuple[str, bytes]]:
    """Two images a field in the folder `.labels`, named by the frame's number: `000012.png` and
    `000012_nuclei.png`.

    0 is background, any other value the cell's identity on the slide, as `id` in its JSON (less a multiple of
    65,536 beyond that). Of a cell that is seen in several fields the outline lies in the first, and in the
    one in which it was counted.
    """
    for cells in report.pictures.outlines():
        frame = cells[0]["frame"]
        for column, ending in (("outline", CELLS), ("nucleus", NUCLEI)):
            yield f".labels/{frame:06d}{ending}", _image(cells, column)


def _image(cells: list[Row], column: str) -> bytes:
    labels = np.zeros((cells[0]["height"], cells[0]["width"]), np.int32)
    for cell in cells:
        draw(labels, cell[column], (cell["x0"], cell["y0"]), cell["cell"])
    return cv2.imencode(SUFFIX, labels.astype(np.uint16))[1].tobytes()
