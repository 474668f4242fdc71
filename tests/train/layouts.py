"""Every data set that a recipe may name, drawn small in its own layout; a new one is a line in `LAYOUTS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from tests.train.conftest import draw
from tests.train.published.detection.conftest import make as bccd

GROUPS = 16
"""Patients, slides or blocks of a class: so many that each part of a split gets some."""

HUES = ((120, 60, 160), (70, 60, 150), (190, 120, 190), (200, 90, 120), (60, 40, 110))

Layout = Callable[[Path], object]


def _draw(paths: Iterable[Path], kind: int, size: int = 120) -> None:
    """Pictures of a class, a disc of its colour in the middle."""
    for seed, path in enumerate(paths):
        draw(path, HUES[kind % len(HUES)], 100 * kind + seed, size)


def _folders(names: Iterable[str], path: Callable[[str, int], Path]) -> None:
    """A picture of each class and group."""
    for kind, name in enumerate(names):
        _draw((path(name, group) for group in range(GROUPS)), kind)


def deepapl(data: Path) -> None:
    base = data / "deepapl" / "Data" / "All"
    names = ("Blast, no lineage spec", "Lymphocyte", "Band neutrophils", "Monocyte")
    _folders(names, lambda name, group: base / f"Patient_{group:02d}" / "Signed slides" / name / "0.png")


def pbc(data: Path) -> None:
    base = data / "PBC_dataset_normal_DIB"
    names = ("neutrophil", "lymphocyte", "monocyte", "eosinophil", "basophil")
    _folders(names, lambda name, group: base / name / f"XX_{20_000 * group + 1}.png")


def cnmc(data: Path) -> None:
    """Cells cut out on black."""
    base = data / "C-NMC_Leukemia" / "training_data"
    for kind, name in enumerate(("all", "hem")):
        for group in range(2 * GROUPS):
            path = base / f"fold_{group % 3}" / name / f"UID_{'H' * kind}{group + 20}_1_1_{name}.bmp"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = np.zeros((150, 150, 3), np.uint8)
            cv2.circle(picture, (75, 75), 55 + group % 7, HUES[kind], -1)
            cv2.circle(picture, (70 + group % 5, 80), 30, tuple(v // 2 for v in HUES[kind]), -1)
            cv2.imwrite(str(path), picture[..., ::-1])


def txl_pbc(data: Path) -> None:
    for part in ("train", "val", "test"):
        for number in range(3):
            _yolo(data / "txl_pbc", f"{part}/{number}", (575, 575), kinds=(0, 1))


def chula(data: Path) -> None:
    for number, slide in enumerate(("B-30", "E-11", "L-8", "M-8", "N-2B", "Z-1")):
        _yolo(data / "chula_wbc", f"{slide}_{number}", (1440, 900), kinds=(0, number % 5))


def _yolo(base: Path, name: str, size: tuple[int, int], kinds: tuple[int, int]) -> None:
    """A field of two discs with a box each, width × height."""
    width, height = size
    picture = np.full((height, width, 3), 230, np.uint8)
    lines = ""
    for kind, x in zip(kinds, (0.25, 0.75), strict=True):
        cv2.circle(picture, (round(x * width), height // 2), 45, HUES[kind], -1)
        lines += f"{kind} {x} 0.5 {90 / width} {90 / height}\n"
    for folder, suffix in (("images", ".png"), ("labels", ".txt")):
        path = (base / folder / name).with_name(Path(name).name + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix == ".txt":
            path.write_text(lines)
        else:
            cv2.imwrite(str(path), picture[..., ::-1])


def aria(data: Path) -> None:
    """Fields of a few small nuclei."""
    for kind, name in enumerate(("Benign", "Early", "Pre", "Pro")):
        for group in range(GROUPS):
            picture = np.full((160, 160, 3), 230, np.uint8)
            for x in (35, 80, 125):
                cv2.ellipse(picture, (x, 50 + group), (9, 12), 0, 0, 360, HUES[kind], -1)
            # blocks of 30 numbers are groups; the first 18 blocks hold some that overlap
            path = data / "aria_all" / "Original" / name / f"WBC-{name}-{30 * (group + 18):04d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), picture[..., ::-1])


def allidb1(data: Path) -> None:
    _allidb(data / "ALL_IDB1" / "im", 10, "jpg")
    for path in sorted((data / "ALL_IDB1" / "im").glob("*_1.jpg")):
        marks = data / "ALL_IDB1" / "xyc" / f"{path.stem}.xyc"
        marks.parent.mkdir(exist_ok=True)
        marks.write_text("60\t60\n")


def allidb2(data: Path) -> None:
    _allidb(data / "ALL_IDB2" / "img", 20, "tif")


def _allidb(folder: Path, block: int, suffix: str) -> None:
    _folders("01", lambda kind, group: folder / f"Im{block * group + 5:03d}_{kind}.{suffix}")


def munich(data: Path) -> None:
    base = data / "AML-Cytomorphology_LMU"
    names = ("MYO", "LYT", "NGS", "MON")
    _folders(names, lambda name, group: base / name / f"{name}_{25 * group + 1:04d}.tiff")


def raabin(data: Path) -> None:
    base = data / "Raabin-WBC" / "Train"
    names = ("Neutrophil", "Lymphocyte", "Monocyte", "Eosinophil", "Basophil")
    _folders(names, lambda name, group: base / name / f"2019{1 + group % 9:02d}{1 + group:02d}_120000_0.jpg")


def fivetype(data: Path) -> None:
    base = data / "fivetype"
    names = ("Healthy", "ALL", "AML", "CLL", "CML")
    _folders(names, lambda name, group: base / name / f"p{group}" / "1.png")


def without_files(data: Path) -> None:
    """Drawn by the program itself."""


def zheng_1(data: Path) -> None:
    """Cells of both parts of the split, their drawn masks and their kinds."""
    folder = data / "segmentation_WBC" / "Dataset 1"
    kinds = {number: number % 5 + 1 for number in (1, 2, 3, 4, 5, 101, 102, 103, 104, 105)}
    for number, kind in kinds.items():
        draw(folder / f"{number:03d}.bmp", HUES[kind - 1], number, 120)
        mask = np.zeros((120, 120, 3), np.uint8)
        for radius, grey in ((25, 128), (15, 255)):
            cv2.circle(mask, (60, 60), radius, (grey,) * 3, -1)
        cv2.imwrite(str(folder / f"{number:03d}.png"), mask)
    lines = ["image ID,class label", *(f"{number},{kind}" for number, kind in kinds.items())]
    (data / "segmentation_WBC" / "Class Labels of Dataset 1.csv").write_text("\n".join(lines) + "\n")


LAYOUTS: dict[str, Layout] = {
    "deepapl": deepapl,
    "pbc": pbc,
    "cnmc": cnmc,
    "bccd": lambda data: bccd(data, {"train": (1, 2, 3), "val": (4, 5), "test": (6, 7)}),
    "chula": chula,
    "txl-pbc": txl_pbc,
    "aria": aria,
    "aria-cells": aria,
    "aria-fields": aria,
    "allidb1": allidb1,
    "allidb1-cells": allidb1,
    "allidb2": allidb2,
    "munich": munich,
    "raabin": raabin,
    "fivetype": fivetype,
    "zheng-1": zheng_1,
    "simulated": without_files,
    "oddities": without_files,
}
"""Data set -> what draws it into a data folder."""
