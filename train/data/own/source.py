"""Own pictures as a data set: one that a recipe names, or a folder that a model is judged by."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from functools import partial
from pathlib import Path

from train.data.classes import CLASSES
from train.data.dataset import DataError, DataSet, Notice, Picture, Split
from train.data.own import splitfile
from train.data.own.layouts import LAYOUTS, OF_FIELDS, PREFIX
from train.data.own.listed import files_in, several
from train.data.own.parts import agreed, assigned, look
from train.data.own.section import Own
from train.data.own.shown import picture_of
from train.data.own.survey import Survey, survey
from train.data.pictures import SUFFIXES
from train.data.scale import measured, sample
from train.data.sets.artefacts import ARTEFACT
from train.data.sets.fields import Field
from train.data.splits import split_anew

_TABLES = (".csv", ".json", ".txt", ".xml", ".yaml", ".yml", ".names")
_ROOM = "train.data.own."


def own(name: str, about: Own, classes: Sequence[str] = CLASSES) -> DataSet:
    """The data set of these pictures, called so; 'NAME@SCHEME' under another split.

    Parameters
    ----------
    classes : of the recipe.

    Raises
    ------
    DataError : no such split.
    """
    plain, at, scheme = name.partition("@")
    found = DataSet(
        name=plain,
        title=f"own pictures of {about.laboratory or plain}",
        folder=_place(about)[0] or ".",
        home="whoever took the pictures",
        licence="whatever their owner says",
        citation="none",
        layout=LAYOUTS[about.layout] if about.layout else "; or ".join(LAYOUTS.values()),
        groups="patient or picture",
        split=f"by patient, or by picture where nothing tells them apart; {about.split}",
        read=partial(_read, about, tuple(classes), "anew" if at else "file"),
        laboratory=about.laboratory or plain,
        labels=tuple(about.classes.values()),
        overlapping=about.layout in OF_FIELDS,
        reading=partial(_reading, about, tuple(classes)),
    )
    return split_anew(found, scheme) if at else found


def folder(name: str = PREFIX, about: Own | None = None) -> DataSet:
    """The data set of a folder that a model is judged by: all of it is test.

    Parameters
    ----------
    name : 'folder' is the data folder itself, 'folder:SUB' the folder or table SUB in it.
    """
    inside = name.partition(":")[2]
    about = Own(**{**vars(about or Own()), "path": inside})
    return DataSet(
        name=inside or PREFIX,
        title="anybody's cells, a folder a class or in another layout",
        folder=_place(about)[0] or ".",
        home="whoever took the pictures",
        licence="whatever their owner says",
        citation="none",
        layout="; or ".join(LAYOUTS.values()),
        groups="patient or picture",
        split="all of it is test: it is there to judge by, not to train on",
        read=partial(_read, about, (), "test"),
        laboratory=inside or "the folder's own",
        labels=tuple(about.classes.values()),
        reading=partial(_reading, about, ()),
    )


def _place(about: Own) -> tuple[str, str]:
    """The folder of the pictures, and the name of their table if it is told."""
    if not about.path.lower().endswith(".csv"):
        return about.path, ""
    above, _, table = about.path.replace("\\", "/").rpartition("/")
    return above, table


def surveyed(
    root: Path, about: Own, classes: Sequence[str], notice: Notice, *,
    anything: bool = False, judged: bool = False,
) -> Survey:  # fmt: skip
    """What lies in the folder; see `train.data.own.survey.survey`."""
    return survey(root, about, _place(about)[1], classes, notice, anything=anything, judged=judged)


def split_path(root: Path, about: Own) -> Path:
    """The file of the parts."""
    return root / about.split


def _read(
    about: Own, classes: tuple[str, ...], divided: str, root: Path, notice: Notice
) -> Iterator[Picture]:
    """Every picture; `divided` : by the split 'file', all 'test', or 'anew' by whoever asks."""
    judged = divided == "test"
    found = surveyed(root, about, classes, notice, anything=judged, judged=judged)
    parts = _parts(found, about, notice) if divided == "file" else {}
    otherwise: Split = "test" if judged else "train"
    scale = about.um_per_px
    if not scale and not all(entry.listed.um_per_px for entry in found.entries):
        scale = measured_scale(root, [entry.listed.path for entry in found.entries], notice)
    artefacts = judged or ARTEFACT in classes
    for entry in found.entries:
        part, um_per_px = parts.get(entry.group, otherwise), entry.listed.um_per_px or scale
        picture = picture_of(
            entry.listed, entry.labels, root, entry.group, part, um_per_px, artefacts=artefacts
        )
        if picture is not None:
            yield picture


def _parts(found: Survey, about: Own, notice: Notice) -> Mapping[str, Split]:
    """Patient -> part, from the file where there is one."""
    path, groups = split_path(found.root, about), found.groups
    if path.is_file():
        kept = splitfile.read(path)
        given = agreed(found, kept)
        new = sorted(groups.keys() - given.keys() - kept.keys())
        if len(new) == len(groups):
            raise DataError(
                f"{path}: names none of the {len(new)} patients or pictures of {found.root}, such as "
                f"{new[0]!r}; edge-train new-recipe adds them"
            )
        if new:
            notice(
                f"{path}: {len(new)} patients or pictures are not in it and train ({several(new)}); "
                "edge-train new-recipe adds them"
            )
        parts: dict[str, Split] = {**dict.fromkeys(new, "train"), **given, **kept}
    else:
        notice(
            f"{found.root}: no {about.split} says which patients train, validate and test; divided now as "
            "edge-train new-recipe would, and not written down"
        )
        parts = assigned(found, {}, look(found))
    there = {parts[group] for group in groups}
    for part, for_what in (("validation", "choose thresholds on"), ("train", "train on")):
        if part not in there:
            notice(f"{found.root}: no cell to {for_what}, for no patient is for {part}; see {path}")
    return parts


def measured_scale(root: Path, paths: Sequence[Path], notice: Notice) -> float:
    """µm per pixel from the red cells of pictures spread over the folder.

    Raises
    ------
    DataError : they show too few.
    """
    found = measured(sample(paths))
    if found is None:
        raise DataError(
            f"data set {root}: its pictures show too few red cells to measure the scale; give it with "
            "--um-per-px NUMBER, or um_per_px in the recipe"
        )
    notice(
        f"{root}: {found.um_per_px:.4f} µm per pixel, by {found.cells} red cells in {found.fields} "
        f"pictures (within {2 * found.uncertainty:.0%}); --um-per-px NUMBER takes another"
    )
    return found.um_per_px


def _reading(about: Own, classes: tuple[str, ...], root: Path) -> Iterator[object]:
    """What reading hangs on: what the recipe says, this room, the files and which part they are for."""
    yield astuple(about)
    yield classes
    yield from (module for name, module in sorted(sys.modules.items()) if name.startswith(_ROOM))
    yield sys.modules[Field.__module__]
    for path in files_in(root, (*SUFFIXES, *_TABLES)):
        told = path.stat()
        yield path.relative_to(root).as_posix(), told.st_size, told.st_mtime_ns
    split = split_path(root, about)
    yield split.read_bytes() if split.is_file() else b""


FOLDER = folder()
