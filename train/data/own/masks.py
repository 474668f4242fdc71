"""Pictures with label images of their cells, as `edge-run --labels` writes them.

What a cell is says labels.csv, or the folder of its picture, which then shows one cell in the middle; else
every cell is some leukocyte.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from edge.files.labels import is_label_image
from train.data.classes import LEUKOCYTE
from train.data.dataset import Notice
from train.data.own.folders import in_folders, levels
from train.data.own.listed import Cell, Listed, files_in, patient_of, several
from train.data.own.names import Names
from train.data.own.spreadsheet import rows

LAYOUT = "NAME.png with NAME_labels.png beside it or labels/NAME.png, and folders a class or labels.csv"
TABLE = "labels.csv"

_LABELS, _NUCLEI, _FOLDER = "_labels", "_nuclei", "labels"
_USUAL = ("images", "pictures")
_COLUMNS = {
    "picture": ("picture", "path", "file", "image"),
    "cell": ("cell", "number", "id"),
    "class": ("class", "label", "type"),
    "patient": ("patient", "patient_id", "subject", "group"),
}
_NEEDED = ("picture", "cell", "class")


def there(root: Path) -> bool:
    """Whether a folder is laid out so."""
    return any(_is_drawing(path, root) for path in files_in(root))


def _is_drawing(path: Path, root: Path) -> bool:
    """Whether a file is a label image, by its name, its folder or what it holds."""
    if path.stem.endswith((_LABELS, _NUCLEI)) or any(
        name.lower() == _FOLDER for name in path.relative_to(root).parts[:-1]
    ):
        return True
    return path.suffix.lower() == ".png" and is_label_image(path)


def read(root: Path, names: Names, notice: Notice) -> Iterator[Listed]:
    """Every picture with a label image.

    Raises
    ------
    DataError : labels.csv lacks a column.
    """
    with_labels, without = [], []
    for path in files_in(root):
        if _is_drawing(path, root):
            continue
        labels = _labels_of(path, root)
        if labels is None:
            without.append(path.relative_to(root).as_posix())
        else:
            with_labels.append((path, labels))
    if without:
        notice(f"{root}: {len(without)} pictures without a label image left out ({several(without)})")
    drawn = {path: (labels, _nuclei_of(labels)) for path, labels in with_labels}
    if (root / TABLE).is_file():
        listed = _by_table(root, list(drawn), notice)
    elif any(_known(path.relative_to(root).parts[:-1], names) for path in drawn):
        listed = in_folders(root, list(drawn), names, notice)
    else:
        listed = _whatever(root, list(drawn))
    for each in listed:
        labels, nuclei = drawn[each.path]
        yield replace(each, labels=labels, nuclei=nuclei)


def _known(folders: Sequence[str], names: Names) -> bool:
    at = levels([folders], names)(folders)
    return at is not None and bool(names.of(folders[at]))


def _labels_of(path: Path, root: Path) -> Path | None:
    """The label image of a picture's cells."""
    inside = path.relative_to(root)
    at = [
        path.with_name(f"{path.stem}{_LABELS}.png"),
        *(
            folder / name
            for folder in (path.parent / _FOLDER, root / _FOLDER / inside.parent, root / _FOLDER,
                           path.parent.parent / _FOLDER)
            for name in (f"{path.stem}.png", f"{path.name}.png", f"{path.stem}{_LABELS}.png")
        ),
        path.with_suffix(".png"),
        path.with_name(f"{path.name}.png"),
    ]  # fmt: skip
    beside = at[-2:]
    return next((p for p in at if p != path and p.is_file() and (p not in beside or is_label_image(p))), None)


def _nuclei_of(labels: Path) -> Path | None:
    stem = labels.stem
    stems = (f"{stem}{_NUCLEI}", f"{stem.removesuffix(_LABELS)}{_NUCLEI}")
    return next((p for p in (labels.with_name(f"{s}.png") for s in stems) if p.is_file()), None)


def _whatever(root: Path, paths: Sequence[Path]) -> Iterator[Listed]:
    for path in paths:
        patient, part = patient_of(path.relative_to(root).parts[:-1], _USUAL)
        yield Listed(path, (Cell(LEUKOCYTE),), patient, part)


def _by_table(root: Path, paths: Sequence[Path], notice: Notice) -> Iterator[Listed]:
    """The pictures that the table has rows of, with the cells that it names."""
    table = root / TABLE
    cells: dict[str, list[Cell]] = defaultdict(list)
    patients: dict[str, str] = {}
    for row in rows(table, _COLUMNS, _NEEDED):
        picture = row.values["picture"].replace("\\", "/")
        try:
            number = int(row.values.get("cell", ""))
        except ValueError:
            notice(f"{table}: line {row.number}: cell {row.values.get('cell', '')!r} is no number, left out")
            continue
        cells[picture].append(Cell(row.values.get("class", ""), number=number))
        patients[picture] = row.values.get("patient", "")
    without = []
    for path in paths:
        inside = path.relative_to(root)
        told = next((n for n in (inside.as_posix(), path.name, path.stem) if n in cells), None)
        if told is None:
            without.append(inside.as_posix())
            continue
        patient, part = patient_of(inside.parts[:-1], _USUAL)
        yield Listed(path, tuple(cells.pop(told)), patients[told] or patient, part)
    if without:
        notice(f"{table}: {len(without)} pictures without a row left out ({several(without)})")
    if cells:
        notice(
            f"{table}: {len(cells)} pictures are not there or have no label image ({several(list(cells))})"
        )
