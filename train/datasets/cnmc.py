"""C-NMC 2019: lymphoblasts and normal lymphoid cells of marrow, each cut out and laid on black.

The pixel size is not published and there are no red cells to tell it. It is estimated from what ought to be
alike in every laboratory: nuclei of normal lymphocytes. Those of `hem` measure 167 px across (median of the
diameter of a disc of their area; quartiles 154 and 181), those of lymphocytes of PBC at 0.1 µm per pixel
9.94 µm (9.2 and 10.6), with Otsu's threshold in both: 0.060 µm per pixel by the medians, 0.060 and 0.059 by
the quartiles, 0.058 and 0.062 for the two people with 250 cells each. `hem` holds precursors too, which are
larger, so that it may be up to a tenth more; all told 0.060 ± 0.008. Lymphoblasts then measure 13 µm.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from train.datasets import DataError, DataSet, Notice, Picture, Spot, load_picture, picture_files
from train.split import split_of

UM_PER_PX = 0.060

_CLASSES = {
    "all": "blast",
    # "normal lymphocytes and precursors": the few precursors look like blasts and are none
    "hem": "lymphocyte",
}
_NAME = re.compile(r"UID_(?P<subject>[A-Z]*\d+)_\d+_\d+_(?P<kind>all|hem)", re.IGNORECASE)

_SAME = {"H6": "H2", "H3": "H10"}
"""Subjects that are somebody else again: both cells of H6 are those of H2, a cell of H3 is one of H10, found
by `edge-train datasets --check`."""

_SALT = "153"
"""Of 400 salts the one that comes nearest to 65, 15 and 20% of the lymphoblasts of the development subset,
with one of its two large normal subjects in training and one in test: chosen from the counts alone."""


def _read(root: Path, notice: Notice) -> Iterator[Picture]:
    folds = sorted(p for p in root.glob("training_data/fold_*") if p.is_dir())
    if not folds:
        wanted = root / "training_data" / "fold_0"
        raise DataError(f"data set cnmc: no folder {wanted}; the layout is {CNMC.layout}")
    for folder in sorted(p for fold in folds for p in fold.iterdir() if p.is_dir()):
        if folder.name not in _CLASSES:
            notice(f"{folder}: unknown class {folder.name!r}, left out")
            continue
        files = picture_files(folder, notice)
        if not files:
            notice(f"{folder}: no pictures")
        for path in files:
            name = _NAME.fullmatch(path.stem)
            if name is None or name["kind"].lower() != folder.name:
                notice(f"{path}: not named UID_<subject>_<image>_<cell>_{folder.name}, left out")
                continue
            subject = name["subject"].upper()
            group = f"cnmc/{_SAME.get(subject, subject)}"
            spot = Spot(_CLASSES[folder.name], group, split_of(group, _SALT))
            yield Picture(str(path.relative_to(root)), UM_PER_PX, (spot,), partial(load_picture, path))


CNMC = DataSet(
    name="cnmc",
    title="lymphoblasts, and normal lymphocytes and precursors, cut out on black",
    folder="C-NMC_Leukemia",
    home="https://doi.org/10.7937/tcia.2019.dc64i46r",
    licence="CC BY 3.0",
    citation="Gupta and Gupta, C-NMC 2019: ALL Challenge dataset of ISBI 2019, The Cancer Imaging Archive",
    layout="C-NMC_Leukemia/training_data/fold_N/{all,hem}/UID_<subject>_<image>_<cell>_{all,hem}.*",
    groups="subject",
    split="by subject, by a hash of the subject's number: about 65% train, 15% validation, 20% test",
    read=_read,
    laboratory="AIIMS, New Delhi; marrow, stain normalized by its makers",
)
