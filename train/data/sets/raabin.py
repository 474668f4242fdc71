"""Raabin-WBC, cells that two experts named: five types, of healthy people but for some of the basophils.

Its parts Train and TestA hold 70 and 30% of the cells of every type, as if divided by cell, so cells of one
slide may lie in both. `raabin` reads them together and divides them by the day of the picture, which file
names tell (`20190526_162951_0.jpg`: day, time, cell): the nearest thing to a slide that there is. TestB,
another microscope and another camera, is a data set of its own, all test: `raabin-b`.

Train and TestA have the scale of the pictures of theirs that are in `txl-pbc` too; do not train on one of the
two and judge by the other. TestB is measured by the red cells of its own pictures, and taken to be alike
where they are too few.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from train.data.dataset import DataError, DataSet, Notice, Picture, Scale, Spot
from train.data.pictures import class_folders, one_spot
from train.data.scale import measured_or
from train.data.split import split_of

_SCALE = Scale(0.063, "red cells of its pictures in txl-pbc (`python benchmarks/scale.py`)")
_CLASSES = {name: name for name in ("basophil", "eosinophil", "lymphocyte", "monocyte", "neutrophil")}
_DAY = re.compile(r"((?:19|20)\d{6})[_-]\d{6}(?!\d)")


def _labelled(root: Path, parts: tuple[str, ...], notice: Notice) -> Iterator[tuple[Path, str]]:
    """Every picture of some parts and its class."""
    bases = [root / part for part in parts if (root / part).is_dir()]
    if not bases:
        raise DataError(f"data set in {root}: no folder {' or '.join(parts)}; the layout is {RAABIN.layout}")
    return class_folders(bases, _CLASSES, notice, key=str.lower)


def _slide(path: Path) -> str:
    """The day in a file's name; in one without, what stands before its first number."""
    day = _DAY.match(path.stem)
    return day[1] if day else re.split(r"\d", path.stem, maxsplit=1)[0].strip(" _-(") or "unnamed"


def _undated(paths: list[Path], notice: Notice) -> None:
    odd = [path for path in paths if not _DAY.match(path.stem)]
    if odd:
        notice(
            f"{odd[0]}: not named <day>_<time>_<cell>, {len(odd)} in all, grouped by how their names begin"
        )


def _read(root: Path, notice: Notice) -> Iterator[Picture]:
    found = list(_labelled(root, ("Train", "TestA"), notice))
    _undated([path for path, _ in found], notice)
    for path, label in found:
        group = f"raabin/{_slide(path)}"
        yield one_spot(path, root, _SCALE.um_per_px, Spot(label, group, split_of(group)))


def _read_b(root: Path, notice: Notice) -> Iterator[Picture]:
    found = list(_labelled(root, ("TestB",), notice))
    paths = [path for path, _ in found]
    _undated(paths, notice)
    um_per_px = measured_or(_SCALE, paths, root / "TestB", notice)
    for path, label in found:
        yield one_spot(path, root, um_per_px, Spot(label, f"raabin-b/{_slide(path)}", "test"))


RAABIN = DataSet(
    name="raabin",
    title="leukocytes of five types",
    folder="Raabin-WBC",
    also=("RaabinWBC",),
    home="https://raabindata.com/free-data/",
    licence="no formal one; its makers allow any use and ask to be cited",
    citation="Mousavi Kouzehkanan et al., A large dataset of white blood cells containing cell locations and "
    "types, along with segmented nuclei and cytoplasm, Scientific Reports 2022;12:1123",
    layout="Raabin-WBC/{Train,TestA}/<class>/<day>_<time>_<cell>.jpg",
    groups="day",
    split="Train and TestA together, by the day of the picture, by a hash of it: about 65% train, 15% "
    "validation, 20% test; the parts themselves look divided by cell, as @random does",
    read=_read,
    scale=_SCALE,
    laboratory="Raabin-WBC, Iran; Giemsa",
)

RAABIN_B = replace(
    RAABIN,
    name="raabin-b",
    title="leukocytes of those types under another microscope and camera",
    layout="Raabin-WBC/TestB/<class>/*",
    split="all test, as its makers have it",
    read=_read_b,
    own="TestB",
    laboratory="Raabin-WBC, Iran; Giemsa, second microscope and camera",
)
