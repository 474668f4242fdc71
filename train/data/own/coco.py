"""Fields with boxes as COCO has them: a JSON with images, annotations and categories."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from train.data.dataset import DataError, Notice, Split
from train.data.own.listed import PARTS, Cell, Listed, files_in, patient_of, several

LAYOUT = "a .json with images, annotations and categories (COCO), and the pictures"

_USUAL = ("images", "annotations")


def files(root: Path) -> list[Path]:
    """The JSONs of a folder that look like it."""
    return [path for path in files_in(root, (".json",)) if _looks(path)]


def _looks(path: Path) -> bool:
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return all(f'"{name}"'.encode() in content for name in ("images", "annotations", "categories"))


def read(root: Path, notice: Notice) -> Iterator[Listed]:
    """Every picture of the JSONs.

    Raises
    ------
    DataError : there is none, or one is damaged.
    """
    found = files(root)
    if not found:
        raise DataError(f"{root}: no JSON with images, annotations and categories; the layout is {LAYOUT}")
    by_name: dict[str, list[Path]] = defaultdict(list)
    for path in files_in(root):
        by_name[path.name].append(path)
    seen: set[Path] = set()
    for file in found:
        for listed in _of_file(root, file, by_name, notice):
            if listed.path in seen:
                notice(f"{file}: {listed.path.name} stands in two files or twice, kept once")
                continue
            seen.add(listed.path)
            yield listed
    if rest := [path.relative_to(root).as_posix() for paths in by_name.values() for path in paths
                if path not in seen]:  # fmt: skip
        notice(f"{root}: {len(rest)} pictures in no JSON left out ({several(rest)})")


def _of_file(root: Path, file: Path, by_name: dict[str, list[Path]], notice: Notice) -> Iterator[Listed]:
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
        names = {item["id"]: str(item["name"]) for item in content["categories"]}
        boxes: dict[Any, list[Cell]] = defaultdict(list)
        wrong = 0
        for item in content["annotations"]:
            cell = _cell(item, names)
            wrong += cell is None
            boxes[item["image_id"]] += [cell] if cell else []
        images = [(item["id"], str(item["file_name"]), item) for item in content["images"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file}: is no COCO file ({type(error).__name__}: {error}); the layout is {LAYOUT}"
        ) from None
    if wrong:
        notice(f"{file}: {wrong} annotations without a box or of a class without a name left out")
    missing = []
    for number, told, item in images:
        path = _found(root, file, told, by_name)
        if path is None:
            missing.append(told)
            continue
        size = float(item.get("width") or 0), float(item.get("height") or 0)
        patient, part = patient_of(path.relative_to(root).parts[:-1], _USUAL)
        yield Listed(path, tuple(boxes[number]), patient, part or _part(file), size=size)
    if missing:
        notice(f"{file}: {len(missing)} of its images are not there, left out ({several(missing)})")


def _cell(item: dict[str, Any], names: dict[Any, str]) -> Cell | None:
    box, name = item.get("bbox"), names.get(item.get("category_id"))
    if name is None or not isinstance(box, list) or len(box) != 4:
        return None
    x, y, width, height = map(float, box)
    return Cell(name, box=(x, y, x + width, y + height))


def _found(root: Path, file: Path, told: str, by_name: dict[str, list[Path]]) -> Path | None:
    """The picture that a JSON calls so: beside it, below the root, in images/, or the only one called so."""
    told = told.replace("\\", "/")
    for folder in (file.parent, root, root / "images"):
        path = folder / told
        if path.is_file() and path.resolve().is_relative_to(root.resolve()):
            return path
    among = by_name.get(told.rpartition("/")[2], [])
    return among[0] if len(among) == 1 else None


def _part(file: Path) -> Split | None:
    """The part that a JSON's own name tells, as in instances_train.json."""
    words = file.stem.lower().replace("-", "_").split("_")
    return next((PARTS[word] for word in words if word in PARTS), None)
