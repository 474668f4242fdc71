"""A plain folder for each of five diagnoses: ALL, AML, CLL, CML, healthy.

No set of this kind is public as one: the papers on it collected theirs from ALL-IDB and the ASH Image Bank,
so that a class may well be known by its source. Each picture is read as a whole. A folder inside a class is a
patient; elsewhere consecutive file numbers stay together, and so do all names without a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from train.data.dataset import DataError, DataSet, Notice, Picture, Scale, Spot
from train.data.pictures import SUFFIXES, class_folders, one_spot
from train.data.scale import measured_or
from train.data.split import split_of

_LABELS = ("all", "aml", "cll", "cml", "healthy")
_CLASSES = {name: name for name in _LABELS} | {"normal": "healthy"}
_BLOCK = 20
_SCALE = Scale(
    0.10,
    "where its red cells are too few to measure it by, an estimate: what 100-fold objectives give on usual "
    "cameras, 0.06 to 0.13",
)


def _files(folder: Path, notice: Notice) -> list[Path]:
    """The pictures of a class, at any depth, in order of name."""
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if path.suffix.lower() in SUFFIXES:
            found.append(path)
        else:
            notice(f"{path}: not a picture, left out")
    return found


def _group(label: str, path: Path) -> str:
    """`path` : inside the data set."""
    above = path.parts[1:-1]
    if above:
        return f"fivetype/{label}/{above[0]}"
    numbers = re.findall(r"\d+", path.stem)
    return f"fivetype/{label}/block {int(numbers[-1]) // _BLOCK if numbers else 'unnumbered'}"


def _read(root: Path, notice: Notice) -> Iterator[Picture]:
    absent = set(_LABELS) - {_CLASSES.get(p.name.lower()) for p in root.iterdir() if p.is_dir()}
    found = list(class_folders([root], _CLASSES, notice, key=str.lower, files=_files))
    if len(absent) == len(_LABELS):
        raise DataError(f"data set fivetype: no class folder in {root}; the layout is {FIVETYPE.layout}")
    for label in sorted(absent):
        notice(f"{root}: no folder of class {label!r}")
    um_per_px = measured_or(_SCALE, [path for path, _ in found], root, notice)
    for path, label in found:
        group = _group(label, path.relative_to(root))
        yield one_spot(path, root, um_per_px, Spot(label, group, split_of(group)))


FIVETYPE = DataSet(
    name="fivetype",
    title="blood in ALL, AML, CLL, CML and health, a folder each",
    folder="fivetype",
    home="one's own; the papers took ALL-IDB and https://imagebank.hematology.org",
    licence="that of its sources",
    citation="Ahmed et al., Identification of leukemia subtypes from microscopic images using convolutional "
    "neural network, Diagnostics 2019;9:104; Bibi et al., J. Healthcare Engineering 2020:6648574",
    layout="fivetype/{ALL,AML,CLL,CML,Healthy}/* or fivetype/<class>/<patient>/*",
    groups="patient, or block of file numbers",
    split=f"by the folder in the class, else by blocks of {_BLOCK} consecutive file numbers in it, by a hash "
    "of either: about 65% train, 15% validation, 20% test",
    read=_read,
    scale=_SCALE,
    laboratory="several",
    labels=_LABELS,
)
