"""Fields with boxes as Pascal VOC has them: an XML beside each picture or in Annotations/."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from train.data.dataset import DataError, Notice
from train.data.own.listed import Cell, Listed, files_in, patient_of, several
from train.data.sets.fields import voc_boxes, voc_size

LAYOUT = "JPEGImages/* and Annotations/*.xml, or each XML beside its picture (Pascal VOC)"

_USUAL = ("jpegimages", "images", "annotations")


def there(root: Path) -> bool:
    """Whether a folder is laid out so."""
    return next(files_in(root, (".xml",)), None) is not None


def read(root: Path, notice: Notice) -> Iterator[Listed]:
    """Every picture with an XML."""
    by_stem: dict[str, list[Path]] = {}
    for path in files_in(root, (".xml",)):
        by_stem.setdefault(path.stem, []).append(path)
    without = []
    for path in files_in(root):
        inside = path.relative_to(root)
        annotation = _annotation(path, by_stem.get(path.stem, []))
        if annotation is None:
            without.append(inside.as_posix())
            continue
        try:
            boxes, size = voc_boxes(annotation), voc_size(annotation)
        except DataError as error:
            notice(str(error))
            continue
        patient, part = patient_of(inside.parts[:-1], _USUAL)
        cells = tuple(Cell(label, box=(x0, y0, x1, y1)) for label, x0, y0, x1, y1 in boxes)
        yield Listed(path, cells, patient, part, size=size)
    if without:
        notice(f"{root}: {len(without)} pictures without an XML left out ({several(without)})")


def _annotation(path: Path, among: list[Path]) -> Path | None:
    """Of the XMLs of a picture's name the one beside it, else the one that lies nearest."""

    def shared(other: Path) -> int:
        return len(set(path.parents) & set(other.parents))

    return max(among, key=shared, default=None)
