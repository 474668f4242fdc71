"""PBC (Acevedo et al.): single blood cells of healthy people, eight classes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from train.data.dataset import DataError, DataSet, Notice, Picture, Scale, Spot
from train.data.pictures import class_folders, one_spot
from train.data.split import split_of

_SCALE = Scale(0.1, "CellaVision at 100×; red cells measure 73 px")
_BLOCK = 20_000  # neighbouring numbers may be of one person; the names tell nothing more

_CLASSES = {
    "basophil": "basophil",
    "eosinophil": "eosinophil",
    "erythroblast": "erythroblast",
    # promyelocytes, myelocytes and metamyelocytes together, of people without leukemia
    "ig": "immature-granulocyte",
    "lymphocyte": "lymphocyte",
    "monocyte": "monocyte",
    "neutrophil": "neutrophil",
    "platelet": "platelet",
}


def _group(label: str, path: Path) -> str:
    number = re.search(r"(\d+)", path.stem)
    block = int(number.group(1)) // _BLOCK if number else 0
    return f"pbc/{label}/{block}"


def _read(root: Path, notice: Notice) -> Iterator[Picture]:
    if not any((root / name).is_dir() for name in _CLASSES):
        raise DataError(f"data set pbc: no class folder in {root}; the layout is {PBC.layout}")
    for path, label in class_folders([root], _CLASSES, notice):
        group = _group(label, path)
        yield one_spot(path, root, _SCALE.um_per_px, Spot(label, group, split_of(group)))


PBC = DataSet(
    name="pbc",
    title="blood cells of healthy people, eight classes",
    folder="PBC_dataset_normal_DIB",
    home="https://doi.org/10.17632/snkd93bnjr.1",
    licence="CC BY 4.0",
    citation="Acevedo et al., A dataset of microscopic peripheral blood cell images for development of "
    "automatic recognition systems, Data in Brief 2020;30:105474",
    layout="PBC_dataset_normal_DIB/<class>/*",
    groups="block of file numbers",
    split=f"by blocks of {_BLOCK} consecutive file numbers within a class (the names tell no person), "
    "by a hash of the block: about 65% train, 15% validation, 20% test",
    read=_read,
    scale=_SCALE,
    laboratory="Hospital Clínic, Barcelona; May-Grünwald-Giemsa, CellaVision DM96",
)
