"""Munich AML cytomorphology (Matek et al.): leukocytes of 100 people with acute myeloid leukemia, 100 others.

File names carry a class and a number, no person: patients cannot be kept apart. Blocks of numbers keep at
least neighbours together; figures on the test part flatter all the same.

400 px are 28 to 29 µm by its makers' papers (14.14 px per µm in Matek et al. 2019; M8 scanner by Precipoint,
100-fold with oil): 0.071 µm per pixel. The re-annotations in `annotations.dat` measure its annotators and
change no label.

Promyelocytes (PMO) are immature granulocytes here: outside of acute promyelocytic leukemia they do not count
as blasts (WHO 2022), and no name tells whose they are. Bilobed ones (PMB) are blasts: cells of that
leukemia's microgranular variant look so, and no healthy ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from train.data.dataset import DataError, DataSet, Notice, Picture, Scale, Spot
from train.data.pictures import class_folders, one_spot
from train.data.split import split_of

_SCALE = Scale(0.071, "its makers: 400 px are 28 to 29 µm (14.14 px per µm, Matek et al. 2019)")
_BLOCK = 25
_SALT = "333"
"""Of 400 salts the one that comes nearest to 65, 15 and 20% of every class: chosen from the published counts
alone. The 15 smudge cells are one block, and train."""

_CLASSES = {
    "BAS": "basophil",
    "EBO": "erythroblast",
    "EOS": "eosinophil",
    "KSC": "smudge-cell",
    "LYA": "lymphocyte",  # atypical
    "LYT": "lymphocyte",  # typical
    "MMZ": "immature-granulocyte",  # metamyelocyte
    "MOB": "blast",  # monoblast
    "MON": "monocyte",
    "MYB": "immature-granulocyte",  # myelocyte
    "MYO": "blast",  # myeloblast
    "NGB": "neutrophil",  # band
    "NGS": "neutrophil",  # segmented
    "PMB": "blast",  # bilobed promyelocyte
    "PMO": "immature-granulocyte",  # promyelocyte
}
_INSIDE = ("", "data", "data/data")  # where copies keep the folders of the classes


def _base(root: Path) -> Path:
    for inside in _INSIDE:
        if any((root / inside / code).is_dir() for code in _CLASSES):
            return root / inside
    raise DataError(f"data set munich: no class folder in {root}; the layout is {MUNICH.layout}")


def _annotated(root: Path, notice: Notice) -> dict[str, str]:
    """File name without suffix -> class code, as annotated; empty without the table."""
    table = root / "annotations.dat"
    if not table.is_file():
        notice(f"{table}: absent, so the folders alone tell the classes")
        return {}
    labels = {}
    for line in filter(
        None, map(str.strip, table.read_text(encoding="utf-8-sig", errors="replace").splitlines())
    ):
        match line.split():
            case [file, code, *_] if code in _CLASSES:
                labels[Path(file).stem] = code
            case _:
                notice(f"{table}: {line!r} is no file and class, left out")
    return labels


def _read(root: Path, notice: Notice) -> Iterator[Picture]:
    base = _base(root)
    annotated = _annotated(root, notice)
    missing, unlisted = set(annotated), 0
    for path, label in class_folders([base], _CLASSES, notice):
        code = path.parent.name
        missing.discard(path.stem)
        name = re.fullmatch(rf"{code}_(\d+)", path.stem)
        if name is None:
            notice(f"{path}: not named {code}_NNNN, left out")
            continue
        if annotated.get(path.stem, code) != code:
            notice(f"{path}: annotated {annotated[path.stem]}, left out")
            continue
        unlisted += path.stem not in annotated
        group = f"munich/{code}/{(int(name[1]) - 1) // _BLOCK}"
        yield one_spot(path, root, _SCALE.um_per_px, Spot(label, group, split_of(group, _SALT)))
    if missing:
        notice(f"{root}: {len(missing)} pictures of annotations.dat are absent, {min(missing)} the first")
    if annotated and unlisted:
        notice(f"{root}: {unlisted} pictures are not in annotations.dat; their folder tells their class")


MUNICH = DataSet(
    name="munich",
    title="leukocytes of people with acute myeloid leukemia and of others, fifteen classes",
    folder="AML-Cytomorphology_LMU",
    also=("PKG - AML-Cytomorphology_LMU",),
    home="https://doi.org/10.7937/tcia.2019.36f5o9ld",
    licence="CC BY 3.0",
    citation="Matek et al., Human-level recognition of blast cells in acute myeloid leukaemia with "
    "convolutional neural networks, Nature Machine Intelligence 2019;1:538-544",
    layout="AML-Cytomorphology_LMU/<CODE>/<CODE>_NNNN.tiff, AML-Cytomorphology_LMU/annotations.dat",
    groups="block of file numbers",
    split=f"by blocks of {_BLOCK} consecutive file numbers within a class, by a hash of the block: about 65% "
    "train, 15% validation, 20% test; the names tell no person, so patients are NOT kept apart",
    read=_read,
    scale=_SCALE,
    laboratory="Munich University Hospital; May-Grünwald-Giemsa, Precipoint M8",
)
