"""Pictures of fields with what was found in them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.records.labels import label_images
from edge.types import U8, Bools, CellsInFrame
from train.data.sets.fields import Field, leukocytes


def outlined(field: Field, pixels: U8, cells: CellsInFrame, found: Bools, true: Bools) -> U8:
    """The field with outlines: labels green, missed ones red; cells yellow, false ones magenta."""
    out = pixels.copy()
    labels, nuclei = label_images(cells)
    for i in range(len(cells)):
        colour = (255, 230, 0) if true[i] else (255, 0, 255)
        for part, thickness in ((labels == i + 1, 2), (nuclei == i + 1, 1)):
            outline, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(out, outline, -1, colour, thickness)
    for box, hit in zip(leukocytes(field), found, strict=True):
        x0, y0, x1, y1 = map(int, box)
        cv2.rectangle(out, (x0, y0), (x1, y1), (0, 160, 0) if hit else (255, 0, 0), 1 if hit else 3)
    return out


def write(
    folder: Path, every: bool, field: Field, pixels: U8, cells: CellsInFrame, found: Bools, true: Bools
) -> None:
    """The field with outlines, as a picture in a folder; of `every` field, or only of one with an error."""
    if every or not (found.all() and true.all()):
        folder.mkdir(parents=True, exist_ok=True)
        picture = outlined(field, pixels, cells, found, true)
        cv2.imwrite(str(folder / f"{field.path.stem}.png"), picture[..., ::-1])
