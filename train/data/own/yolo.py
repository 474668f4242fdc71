"""Fields with boxes as YOLO has them: `images/`, `labels/`, and names in data.yaml or classes.txt."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from train.data.dataset import DataError, Notice
from train.data.own.listed import WHOLE, Cell, Listed, files_in, patient_of, several
from train.data.sets.fields import MARKED, yolo_boxes

LAYOUT = "images/*, labels/*.txt (YOLO), data.yaml or classes.txt; images/train, val and test are kept"

_YAML = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_TEXT = ("classes.txt", "obj.names", "labels/classes.txt")
_USUAL = ("images", "labels")


def there(root: Path) -> bool:
    """Whether a folder is laid out so."""
    named = any((root / name).is_file() for name in (*_YAML, *_TEXT))
    return named or any(
        path.name != "classes.txt" for folder in root.rglob("labels") for path in folder.rglob("*.txt")
    )


def read(root: Path, notice: Notice) -> Iterator[Listed]:
    """Every picture with a text file of its boxes.

    Raises
    ------
    DataError : nothing says what the classes are called.
    """
    names = names_in(root)
    without, beyond = [], Counter[int]()
    for path in files_in(root):
        inside = path.relative_to(root)
        text = label_file(root, inside)
        if not text.is_file():
            without.append(inside.as_posix())
            continue
        if not names:
            raise DataError(
                f"{root}: {text.relative_to(root)} has classes by number, and neither data.yaml nor "
                "classes.txt says their names; add one"
            )
        boxes = yolo_boxes(text, (1, 1), names, notice)
        beyond[max(names) + 1] += sum(label == MARKED for label, *_ in boxes)
        cells = tuple(Cell(label, box=(x0, y0, x1, y1)) for label, x0, y0, x1, y1 in boxes)
        patient, part = patient_of(inside.parts[:-1], _USUAL)
        yield Listed(path, cells, patient, part, size=WHOLE)
    if without:
        notice(f"{root}: {len(without)} pictures without a text file of boxes left out ({several(without)})")
    if count := sum(beyond.values()):
        notice(
            f"{root}: {count} boxes of classes without a name left out; names are {', '.join(names.values())}"
        )


def label_file(root: Path, inside: Path) -> Path:
    """Where the boxes of a picture stand: in `labels` for `images`, or beside it."""
    parts = list(inside.parts)
    places = [i for i, name in enumerate(parts[:-1]) if name.lower() == "images"]
    if places:
        parts[places[-1]] = "labels"
    return root.joinpath(*parts).with_suffix(".txt")


def names_in(root: Path) -> dict[int, str]:
    """Number of a class -> its name; empty where nothing tells."""
    for name in _YAML:
        if (root / name).is_file():
            return _of_yaml((root / name).read_text(encoding="utf-8-sig", errors="replace"))
    for name in _TEXT:
        if (root / name).is_file():
            lines = (root / name).read_text(encoding="utf-8-sig", errors="replace").splitlines()
            return dict(enumerate(line.strip() for line in lines if line.strip()))
    return {}


def _of_yaml(text: str) -> dict[int, str]:
    """`names` of the YAML that YOLO writes: a list or a mapping, on one line or a line each."""
    found = re.search(r"^names\s*:(.*(?:\n(?:[ \t-].*|\s*|[\]}].*))*)", text, re.MULTILINE)
    if found is None:
        return {}
    body = re.sub(r"(^|\s)#.*", "", found[1]).strip()
    items = re.split(r"[,\n]", body.strip("[]{}"))
    names: dict[int, str] = {}
    for item in (item.strip().removeprefix("- ").strip() for item in items):
        number, colon, name = item.partition(":")
        if colon and number.strip().isdecimal():
            names[int(number)] = _bare(name)
        elif item:
            names[len(names)] = _bare(item)
    return names


def _bare(name: str) -> str:
    return name.strip().strip("'\"").strip()
