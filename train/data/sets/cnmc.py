"""C-NMC 2019: lymphoblasts and normal lymphoid cells of marrow, each cut out and laid on black.

The pixel size is not published and there are no red cells to tell it. It is estimated from what ought to be
alike in every laboratory: nuclei of normal lymphocytes. Those of `hem` measure 167 px across (median of the
diameter of a disc of their area; quartiles 154 and 181), those of lymphocytes of PBC at 0.1 µm per pixel
9.94 µm (9.2 and 10.6), with Otsu's threshold in both: 0.060 µm per pixel by the medians, 0.060 and 0.059 by
the quartiles, 0.058 and 0.062 for the two people with 250 cells each. `hem` holds precursors too, which are
larger, so that it may be up to a tenth more; all told 0.060 ± 0.008. Lymphoblasts then measure 13 µm.

`cnmc` is the training data, `cnmc-preliminary` the test set of the challenge's preliminary phase, whose
pictures are numbered and whose table tells class and subject.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from train.data.dataset import DataError, DataSet, Notice, Picture, Scale, Spot
from train.data.pictures import class_folders, one_spot, picture_files
from train.data.split import split_of

_SCALE = Scale(0.060, "nuclei of normal lymphocytes as wide as those of pbc: 0.060 ± 0.008, an estimate")

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


_TRAINING = ("training_data", "C-NMC_training_data", "")
"""Folders that hold the folds: as Kaggle, as the archive itself, and as somebody who unpacked only these."""

_PRELIMINARY = "C-NMC_test_prelim_phase_data"
_TABLE = f"{_PRELIMINARY}_labels.csv"
_COLUMNS = ("Patient_ID", "new_names", "labels")


def _folds(root: Path) -> list[Path]:
    return sorted(p for part in _TRAINING for p in (root / part).glob("fold_*") if p.is_dir())


def _group(subject: str) -> str:
    subject = subject.upper()
    return f"cnmc/{_SAME.get(subject, subject)}"


def _read(root: Path, notice: Notice) -> Iterator[Picture]:
    folds = _folds(root)
    if not folds:
        wanted = root / _TRAINING[0] / "fold_0"
        raise DataError(f"data set cnmc: no folder {wanted}; the layout is {CNMC.layout}")
    for path, label in class_folders(folds, _CLASSES, notice):
        name, kind = _NAME.fullmatch(path.stem), path.parent.name
        if name is None or name["kind"].lower() != kind:
            notice(f"{path}: not named UID_<subject>_<image>_<cell>_{kind}, left out")
            continue
        group = _group(name["subject"])
        yield one_spot(path, root, _SCALE.um_per_px, Spot(label, group, split_of(group, _SALT)))


def _read_preliminary(root: Path, notice: Notice) -> Iterator[Picture]:
    places = (root / "validation_data", root / _PRELIMINARY)
    table = next((place / _TABLE for place in places if (place / _TABLE).is_file()), None)
    if table is None:
        raise DataError(f"data set cnmc-preliminary: no file {places[0] / _TABLE}; it tells the classes")
    folder = table.parent / _PRELIMINARY
    if not folder.is_dir():
        raise DataError(f"data set cnmc-preliminary: no folder {folder} beside {table}")
    files = {path.stem: path for path in picture_files(folder, notice)}
    if not files:
        notice(f"{folder}: no pictures")
    trained = _trained(root)
    for new_name, group, label in _rows(table, notice):
        path = files.pop(Path(new_name).stem, None)
        if path is None:
            notice(f"{table}: {new_name} is not there, or named twice")
        elif group in trained:
            notice(f"{path}: of {group.removeprefix('cnmc/')}, who is in the training data too, left out")
        else:
            yield one_spot(path, root, _SCALE.um_per_px, Spot(label, group, "test"))
    for path in files.values():
        notice(f"{path}: not in {table.name}, left out")


def _trained(root: Path) -> set[str]:
    """The groups of the training data, as far as they are there."""
    names = (_NAME.fullmatch(path.stem) for fold in _folds(root) for path in fold.glob("*/*"))
    return {_group(name["subject"]) for name in names if name}


def _rows(table: Path, notice: Notice) -> Iterator[tuple[str, str, str]]:
    """Name of the picture, group and class, of every row that makes sense."""
    with table.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        rows = csv.DictReader(lines)
        for column in _COLUMNS:
            if column not in (rows.fieldnames or ()):
                raise DataError(f"{table}: no column {column!r}; it needs {', '.join(_COLUMNS)}")
        for row in rows:
            patient, new_name, kind = ((row[column] or "").strip() for column in _COLUMNS)
            name = _NAME.fullmatch(Path(patient).stem)
            if name is None or not new_name or {"1": "all", "0": "hem"}.get(kind) != name["kind"].lower():
                notice(
                    f"{table}: {patient!r}, {new_name!r}, {kind!r} is no row of subject, picture and class"
                )
                continue
            yield new_name, _group(name["subject"]), _CLASSES[name["kind"].lower()]


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
    scale=_SCALE,
    laboratory="AIIMS, New Delhi; marrow, stain normalized by its makers",
)

CNMC_PRELIMINARY = replace(
    CNMC,
    name="cnmc-preliminary",
    title="the preliminary test set of the same challenge, of other subjects",
    layout=f"C-NMC_Leukemia/validation_data/{_PRELIMINARY}/N.bmp, C-NMC_Leukemia/validation_data/{_TABLE}",
    split="all test, as in the challenge; subjects that are in the training data too are left out",
    read=_read_preliminary,
    own=f"*/{_TABLE}",
)
