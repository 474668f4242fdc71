"""Leukocytes with hand-drawn masks of nucleus and cytoplasm (Zheng et al.), of two laboratories."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from edge.types import U8
from train.data.classes import LEUKOCYTE
from train.data.dataset import CYTOPLASM, NUCLEUS, DataError, DataSet, Notice, Picture, Scale, Split, Spot
from train.data.pictures import load_picture, one_spot, picture_files

_NUCLEUS_GREY, _CYTOPLASM_GREY = 200, 60  # above; drawn in 255 and 128, with specks of 3 to 52 in the second

_CLASSES = {1: "neutrophil", 2: "lymphocyte", 3: "monocyte", 4: "eosinophil", 5: "basophil"}

_SCALE_1 = Scale(0.18, "red cells are ghosts of about 40 px")
_SCALE_2 = Scale(0.10, "red cells measure about 75 px")

_BLOCK = 50
_VALIDATED = 2  # blocks: files 100 to 149, the only block with all kinds and both of a pair of copies


def load_mask(path: Path, shape: tuple[int, int]) -> U8:
    """(H, W) uint8 of 0, CYTOPLASM and NUCLEUS; raises DataError where the file does not fit its picture."""
    drawn = load_picture(path)[..., 0]
    if drawn.shape != shape:
        raise DataError(f"{path}: {drawn.shape[1]}×{drawn.shape[0]} px, not as its picture, left out")
    mask = np.zeros(drawn.shape, np.uint8)
    mask[drawn > _CYTOPLASM_GREY] = CYTOPLASM
    mask[drawn > _NUCLEUS_GREY] = NUCLEUS
    return mask


def _types(table: Path, notice: Notice) -> dict[int, str]:
    """File number -> class, of a table with a heading; a file without a line is some leukocyte."""
    if not table.is_file():
        notice(f"{table}: absent, so no cell's type is known")
        return {}
    types = {}
    with table.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        for row in list(csv.reader(lines))[1:]:
            try:
                number, kind = (int(v) for v in row[:2])
                types[number] = _CLASSES[kind]
            except (ValueError, KeyError):
                if any(row):
                    notice(f"{table}: {','.join(row)!r} is no number and class, left out")
    return types


def _split_of_file(number: int) -> Split:
    return "validation" if number // _BLOCK == _VALIDATED else "train"


def _read_part(
    part: int, scale: Scale, split_of_file: Callable[[int], Split]
) -> Callable[[Path, Notice], Iterator[Picture]]:
    def read(root: Path, notice: Notice) -> Iterator[Picture]:
        folder = root / f"Dataset {part}"
        if not folder.is_dir():
            raise DataError(f"data set zheng-{part}: no folder {folder}; the layout is {ZHENG_1.layout}")
        types = _types(root / f"Class Labels of Dataset {part}.csv", notice)
        files = picture_files(folder, notice)
        masks = {p.stem: p for p in files if p.suffix.lower() == ".png"}
        pictures = [p for p in files if p.suffix.lower() != ".png"]
        for stem in sorted(masks.keys() - {p.stem for p in pictures}):
            notice(f"{masks[stem]}: a mask without its picture, left out")
        for path in pictures:
            if path.stem not in masks or not path.stem.isdecimal():
                notice(f"{path}: no number for a name, or no mask beside it, left out")
                continue
            number = int(path.stem)
            split = split_of_file(number)
            label = types.get(number, LEUKOCYTE)
            spot = Spot(label, f"zheng-{part}/{number // _BLOCK}", split)
            picture = one_spot(path, root, scale.um_per_px, spot)
            yield replace(picture, load_mask=partial(_mask_of, path, masks[path.stem]))

    return read


def _mask_of(picture: Path, mask: Path) -> U8:
    height, width = load_picture(picture).shape[:2]
    return load_mask(mask, (height, width))


ZHENG_1 = DataSet(
    name="zheng-1",
    title="leukocytes with masks of nucleus and cytoplasm, rapid stain on yellow",
    folder="segmentation_WBC",
    home="https://github.com/zxaoyou/segmentation_WBC",
    licence="GPL-3.0; its makers ask to be cited",
    citation="Zheng et al., Fast and robust segmentation of white blood cell images by self-supervised "
    "learning, Micron 2018;107:55-71",
    layout="segmentation_WBC/Dataset N/NNN.bmp with NNN.png, segmentation_WBC/Class Labels of Dataset N.csv",
    groups="block of file numbers",
    split=f"files {_VALIDATED * _BLOCK} to {(_VALIDATED + 1) * _BLOCK - 1} validation, the others train",
    read=_read_part(1, _SCALE_1, _split_of_file),
    scale=_SCALE_1,
    laboratory="Jiangxi Tecom Science, China; rapid stain, Motic Moticam Pro 252A",
)

ZHENG_2 = replace(
    ZHENG_1,
    name="zheng-2",
    title="leukocytes with masks of nucleus and cytoplasm, from the CellaVision blog",
    split="all test: a laboratory that nothing is trained on",
    read=_read_part(2, _SCALE_2, lambda _: "test"),
    scale=_SCALE_2,
    laboratory="several, from the CellaVision blog",
)
