"""ALL-IDB: fields of blood smears with lymphoblasts marked, and single cells that were cut from them.

`allidb1` is the fields under their class, `allidb1-cells` places in them, `allidb2` the single cells. Nothing
names a patient, so contiguous numbers are kept together; at the ends of a block a person may yet be divided.
The cells of ALL-IDB2 are those of ALL-IDB1, nobody says which: never train on one and judge by the other. Of
49 fields with lymphoblasts 33 are of another size (1712×1368 px) than all fields without, and 15 have an
arrow drawn in: a network can tell the classes by those.

The scale differs from field to field (magnification 300 to 500) and is not published: a field is measured by
its own red cells, as the device does it. One that shows none is taken at 0.10 µm per pixel, an estimate:
in the 257 px of ALL-IDB2 a lymphoblast of 12 µm fills about half the width.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edge.optics import redcells
from edge.types import U8
from train.data.classes import NO_BLAST
from train.data.dataset import DataError, DataSet, Notice, Picture, Scale, Split, Spot
from train.data.pictures import load_picture, one_spot, picture_files
from train.data.scale import measured_or
from train.data.sets.artefacts import nucleated_spots
from train.data.split import split_of

_SCALE = Scale(
    0.10,
    "where a field shows no red cells to measure it by, an estimate: a lymphoblast of 12 µm fills half of "
    "the 257 px of ALL-IDB2",
)
_NAME = re.compile(r"Im(?P<number>\d+)_(?P<kind>[01])", re.IGNORECASE)
_LABELS = {"0": "healthy", "1": "all"}
_NUCLEI_PER_FIELD = 8

_SAME = {108: 93}
"""A field of ALL-IDB1 that is a copy of another."""

_BLOCKS = {"allidb1": 10, "allidb2": 20}
_SALTS = {"allidb1": "78", "allidb2": "131"}
"""Of 400 salts the ones that come nearest to 65, 15 and 20% of either class and, in ALL-IDB1, of the marked
lymphoblasts: chosen from the published counts alone."""


@dataclass(frozen=True)
class _File:
    """A picture whose name says what it is."""

    path: Path
    kind: str
    group: str
    split: Split

    def spot(self) -> Spot:
        """The whole of it, under what its name says."""
        return Spot(_LABELS[self.kind], self.group, self.split)


def _files(root: Path, folder: str, part: str, layout: str, notice: Notice) -> Iterator[_File]:
    base = root / folder
    if not base.is_dir():
        raise DataError(f"data set {part}: no folder {base}; the layout is {layout}")
    files = picture_files(base, notice)
    if not files:
        notice(f"{base}: no pictures")
    for path in files:
        name = _NAME.fullmatch(path.stem)
        if name is None:
            notice(f"{path}: not named ImNNN_0 or ImNNN_1, left out")
            continue
        number = int(name["number"])
        if part == "allidb1":
            number = _SAME.get(number, number)
        group = f"{part}/{_LABELS[name['kind']]}/{(number - 1) // _BLOCKS[part]}"
        yield _File(path, name["kind"], group, split_of(group, _SALTS[part]))


def _fields(root: Path, notice: Notice) -> Iterator[tuple[_File, U8, float]]:
    """Every field of ALL-IDB1 that can be read, its pixels and µm per pixel."""
    unsure = 0
    for file in _files(root, "im", "allidb1", ALLIDB1.layout, notice):
        try:
            pixels = load_picture(file.path)
        except DataError as error:
            notice(str(error))
            continue
        scale = redcells.estimate([redcells.find(pixels, thorough=True)])
        sure = scale is not None and scale.cells > 0  # a network alone may err by the laboratory
        unsure += not sure
        yield file, pixels, scale.um_per_px if scale and sure else _SCALE.um_per_px
    if unsure:
        notice(
            f"{root}: {unsure} fields without red cells to measure, taken at {_SCALE.um_per_px} µm per pixel"
        )


def _read_fields(root: Path, notice: Notice) -> Iterator[Picture]:
    for file, _, um_per_px in _fields(root, notice):
        yield one_spot(file.path, root, um_per_px, file.spot())


def _read_cells(root: Path, notice: Notice) -> Iterator[Picture]:
    for file, pixels, um_per_px in _fields(root, notice):
        table = root / "xyc" / f"{file.path.stem}.xyc"
        marked = _centres(table, pixels, notice)
        if bool(marked) != (file.kind == "1"):
            notice(f"{table}: {len(marked)} blasts, but {file.path.name} is {_LABELS[file.kind]}, left out")
            continue
        nuclei = marked or nucleated_spots(pixels, um_per_px, _NUCLEI_PER_FIELD)
        spot = replace(file.spot(), label="blast" if marked else NO_BLAST)
        spots = tuple(replace(spot, centre_px=centre) for centre in nuclei)
        if spots:
            yield replace(one_spot(file.path, root, um_per_px, spot), spots=spots)


def _centres(table: Path, pixels: U8, notice: Notice) -> list[tuple[float, float]]:
    """Where the lymphoblasts of a field lie, x and y in pixels; none without a table."""
    if not table.is_file():
        notice(f"{table}: absent, so nobody says where the blasts are")
        return []
    centres = []
    for line in filter(
        None, map(str.strip, table.read_text(encoding="utf-8-sig", errors="replace").splitlines())
    ):
        try:
            x, y = (float(value) for value in line.split())
        except ValueError:
            notice(f"{table}: {line!r} is no x and y, left out")
            continue
        if not (0 <= x < pixels.shape[1] and 0 <= y < pixels.shape[0]):
            notice(f"{table}: {line!r} lies outside of the picture, left out")
            continue
        centres.append((x, y))
    return centres


def _read_single(root: Path, notice: Notice) -> Iterator[Picture]:
    files = list(_files(root, "img", "allidb2", ALLIDB2.layout, notice))
    um_per_px = measured_or(_SCALE, [file.path for file in files], root, notice)
    for file in files:
        yield one_spot(file.path, root, um_per_px, file.spot())


ALLIDB1 = DataSet(
    name="allidb1",
    title="fields of blood smears of acute lymphoblastic leukemia and of others",
    folder="ALL_IDB1",
    also=("ALL-IDB1",),
    home="https://scotti.di.unimi.it/all/",
    licence="for research, on written request to its makers; do not redistribute",
    citation="Donida Labati, Piuri and Scotti, ALL-IDB: the acute lymphoblastic leukemia image database for "
    "image processing, IEEE ICIP 2011:2045-2048, doi 10.1109/ICIP.2011.6115881",
    layout="ALL_IDB1/im/ImNNN_{0,1}.jpg, ALL_IDB1/xyc/ImNNN_{0,1}.xyc",
    groups="block of file numbers",
    split=f"by blocks of {_BLOCKS['allidb1']} consecutive numbers within a class (nothing names a patient), "
    "a copy with its original, by a hash of the block: about 65% train, 15% validation, 20% test",
    read=_read_fields,
    scale=_SCALE,
    laboratory="M. Tettamanti Research Center, Monza; Canon PowerShot G5",
    labels=tuple(_LABELS.values()),
    overlapping=True,
)

ALLIDB1_CELLS = replace(
    ALLIDB1,
    name="allidb1-cells",
    title="places in those fields: marked lymphoblasts, and large nuclei of people without leukemia",
    read=_read_cells,
    labels=(),
)

ALLIDB2 = replace(
    ALLIDB1,
    name="allidb2",
    title="single cells cut from those fields: probable lymphoblasts and others",
    folder="ALL_IDB2",
    also=("ALL-IDB2",),
    layout="ALL_IDB2/img/ImNNN_{0,1}.tif",
    split=f"by blocks of {_BLOCKS['allidb2']} consecutive numbers within a class (nothing names a patient, "
    "nor the field that a cell is from), by a hash of the block: about 65% train, 15% validation, 20% test",
    read=_read_single,
    overlapping=False,
)
