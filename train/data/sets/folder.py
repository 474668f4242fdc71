"""Anybody's cells: a folder of pictures a class, one leukocyte in the middle of each.

The folders' names are understood as far as they are the program's own classes or usual names of them, or said
to hold some class. Where not one of them is, the folders nearest to the root are taken for classes of their
own: whether the model that is judged knows these is for `train.judging.cells` to say. Every cell is a test
cell: such a folder is there to judge a model, never to train it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.types import LeukoscopeError
from train.data.dataset import DataError, DataSet, Notice, Picture, Spot
from train.data.pictures import SUFFIXES, one_spot
from train.data.scale import measured, sample

PREFIX = "folder"
LAYOUT = "<class>/*, <class>/<patient>/* or <patient>/<class>/*"

_NAMES: Mapping[str, str] = {
    "blast": "blast blast_no_lineage_spec bla myeloblast myo monoblast mob lymphoblast megakaryoblast all "
    "abnormal_promyelocyte promyelocyte_bilobed pmb promonocyte",
    "immature-granulocyte": "immature_granulocyte ig promyelocyte pmo myelocyte myb metamyelocyte mmz",
    "lymphocyte": "lymphocyte lym ly lyt typical_lymphocyte lya atypical_lymphocyte lymphocyte_variant lyi "
    "reactive_lymphocyte small_lymph large_lymph hairy_cell hac plasma_cell plm hem",
    "monocyte": "monocyte mon mono mo",
    "neutrophil": "neutrophil neu segmented_neutrophil ngs sne band_neutrophil ngb bne",
    "eosinophil": "eosinophil eos eo abnormal_eosinophil abe",
    "basophil": "basophil bas baso ba",
    "erythroblast": "erythroblast ebo erb normoblast nrbc proerythroblast peb",
    "platelet": "platelet plt thrombocyte giant_thrombocyte thrombocyte_aggregation platelet_clump",
    "smudge-cell": "smudge_cell smudge ksc smu burst basket_cell",
    "artefact": "artefact artifact art dirt debris stain_deposit",
}
"""Class -> what folders of it are called, in the singular, separated by blanks: full names, and the
abbreviations of the Munich AML and bone marrow sets, DeepAPL, PBC, Raabin and C-NMC. Promyelocytes are blast
equivalents only where they are abnormal, which a folder's name does not tell: `FolderOptions.classes` can."""


class FolderError(LeukoscopeError):
    """What was said about the folder does not make sense. Names the value and what to do."""


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


_CLASS_OF = {alias: label for label, aliases in _NAMES.items() for alias in aliases.split()}


@dataclass(frozen=True)
class FolderOptions:
    """How a folder is to be read.

    Attributes
    ----------
    um_per_px : size of a pixel; None measures it from the red cells in the pictures.
    classes : folder name -> class, before what is understood anyway; any class that a model may have.
    group : regular expression; its first group (or all of it), found in a picture's path, names the patient.
        None takes the folders beside the class's.
    """

    um_per_px: float | None = None
    classes: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None

    def __post_init__(self) -> None:
        if self.um_per_px is not None and not 0.01 <= self.um_per_px <= 10:
            raise FolderError(f"--um-per-px {self.um_per_px:g}: is not within 0.01 to 10 µm")
        try:
            re.compile(self.group or "")
        except re.error as error:
            raise FolderError(f"--group-by {self.group}: not a regular expression ({error})") from None


def folder(name: str = PREFIX, options: FolderOptions | None = None) -> DataSet:
    """The data set of a folder.

    Parameters
    ----------
    name : 'folder' is the data folder itself, 'folder:SUB' the folder SUB in it.
    """
    inside = name.partition(":")[2] or None
    how = options or FolderOptions()

    def read(root: Path, notice: Notice) -> Iterator[Picture]:
        return _read(root, notice, how)

    return DataSet(
        name=inside or PREFIX,
        title="anybody's cells, a folder a class",
        folder=inside,
        home="whoever took the pictures",
        licence="whatever their owner says",
        citation="none",
        layout=f"{inside}/{LAYOUT}" if inside else LAYOUT,
        groups="patient or picture",
        split="all of it is test: it is there to judge, not to train on",
        read=read,
        laboratory=inside or "the folder's own",
        labels=tuple(how.classes.values()),
    )


def _read(root: Path, notice: Notice, options: FolderOptions) -> Iterator[Picture]:
    if not root.is_dir():
        raise DataError(f"data set {root}: no such folder; the layout is {LAYOUT}")
    found = list(_labelled(root, notice, options))
    if not found:
        given = "".join(f", nor in any called {n!r} ({n}={label})" for n, label in options.classes.items())
        raise DataError(
            f"data set {root}: no pictures in folders named after a class{given}; the layout is {LAYOUT}, "
            "and --class-of NAME=CLASS says what a folder holds"
        )
    scale = options.um_per_px or _measured(root, [path for path, _, _ in found], notice)
    if len({group for _, _, group in found}) == len(found):
        notice(
            f"{root}: nothing tells the patients apart, so every picture counts as one and intervals are too "
            "narrow; use a folder a patient, or --group-by REGEX"
        )
    for path, label, group in found:
        yield one_spot(path, root, scale, Spot(label, group, "test"))


def _labelled(root: Path, notice: Notice, options: FolderOptions) -> Iterator[tuple[Path, str, str]]:
    """Every picture whose folders tell its class: path, class, group."""
    given = {_key(name): label for name, label in options.classes.items()}
    paths = list(_pictures(root))
    folders = {name for path in paths for name in path.relative_to(root).parts[:-1]}
    for name, label in options.classes.items():
        if folders and _key(name) not in map(_key, folders):
            notice(f"{root}: no folder is called {name!r} (--class-of {name}={label})")
    if folders and not any(_class_of(name, given) for name in folders):
        given = _outermost(root, paths)
        notice(
            f"{root}: no folder is named after a usual class; taken for classes: {', '.join(given.values())}"
        )
    unknown: Counter[str] = Counter()
    for path in paths:
        inside = path.relative_to(root)
        labels = [_class_of(name, given) for name in inside.parts[:-1]]
        known = [i for i, label in enumerate(labels) if label]
        if not known:
            unknown[inside.parent.name] += 1
            continue
        nearest = known[-1]
        others = inside.parts[:nearest] + inside.parts[nearest + 1 : -1]
        yield path, labels[nearest], _group(inside, others, options)
    for name, count in unknown.items():
        notice(
            f"{root}: {count} pictures in folders {name!r} left out, no class known here; "
            f"--class-of '{name}=CLASS' takes them in"
            if name
            else f"{root}: {count} pictures in no folder left out; the layout is {LAYOUT}"
        )


def _pictures(root: Path) -> Iterator[Path]:
    """Picture files at any depth, in order of name, but for what systems leave behind."""
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if path.suffix.lower() in SUFFIXES and path.is_file() and not hidden:
            yield path


def _outermost(root: Path, paths: Sequence[Path]) -> dict[str, str]:
    """The folders nearest to the root, as they are looked up -> a class of that name."""
    inside = (path.relative_to(root).parts for path in paths)
    names = sorted({parts[0] for parts in inside if len(parts) > 1})
    return {_key(name): _key(name).replace("_", "-") for name in names}


def _class_of(name: str, given: Mapping[str, str]) -> str:
    """The class of a folder, whatever number stands before and whether in the plural; '' for none."""
    key = _key(name)
    bare = re.sub(r"^[0-9]+_", "", key)
    for form in (key, bare, bare.removesuffix("s"), bare.replace("s_", "_")):
        if label := given.get(form) or _CLASS_OF.get(form):
            return label
    return ""


def _group(path: Path, others: Sequence[str], options: FolderOptions) -> str:
    """The patient of a picture; without anything that tells, the picture itself."""
    if options.group is None:
        return "/".join(others) or str(path)
    match = re.search(options.group, str(path.as_posix()))
    if match is None:
        return str(path)
    return str(match.group(1) if match.re.groups else match.group())


def _measured(root: Path, paths: Sequence[Path], notice: Notice) -> float:
    """µm per pixel from the red cells of pictures spread over the folder."""
    found = measured(sample(paths))
    if found is None:
        raise DataError(
            f"data set {root}: its pictures show too few red cells to measure the scale; give it with "
            "--um-per-px NUMBER"
        )
    notice(
        f"{root}: {found.um_per_px:.4f} µm per pixel, by {found.cells} red cells in {found.fields} "
        f"pictures (within {2 * found.uncertainty:.0%}); --um-per-px NUMBER takes another"
    )
    return found.um_per_px


FOLDER = folder()
