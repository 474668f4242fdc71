"""Picture files on the disk: which there are in a folder or in folders of classes, and what is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from edge.files.pictures import IMAGES, pages
from edge.types import U8
from train.data.dataset import DataError, Notice, Picture, Spot

SUFFIXES = frozenset(IMAGES)
"""Picture files, whatever a copy of the data set was encoded as."""


def picture_files(folder: Path, notice: Notice) -> list[Path]:
    """Picture files of a folder in order of name; other files are told and left out."""
    kept = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):  # what systems leave behind, also under names of pictures
            continue
        if path.suffix.lower() in SUFFIXES and path.is_file():
            kept.append(path)
        else:
            notice(f"{path}: not a picture, left out")
    return kept


def class_folders(
    bases: Iterable[Path],
    classes: Mapping[str, str],
    notice: Notice,
    *,
    key: Callable[[str], str] = str,
    files: Callable[[Path, Notice], Sequence[Path]] = picture_files,
) -> Iterator[tuple[Path, str]]:
    """Every picture in a folder of a known class, and that class; folders of others are told and left out.

    Parameters
    ----------
    bases : what the classes' folders lie in. classes : `key` of a folder's name -> class.
    files : the pictures of a folder.
    """
    folders = (path for base in bases for path in sorted(base.iterdir()) if path.is_dir())
    for folder in (folder for folder in folders if not folder.name.startswith(".")):
        label = classes.get(key(folder.name))
        if label is None:
            notice(f"{folder}: unknown class {folder.name!r}, left out")
            continue
        found = files(folder, notice)
        if not found:
            notice(f"{folder}: no pictures")
        yield from ((path, label) for path in found)


def one_spot(path: Path, root: Path, um_per_px: float, spot: Spot) -> Picture:
    """A picture file of a data set in `root` that shows one thing."""
    return Picture(str(path.relative_to(root)), um_per_px, (spot,), partial(load_picture, path))


def load_picture(path: Path) -> U8:
    """(H, W, 3) uint8 RGB as the device reads it, a file's first page; raises DataError where it cannot."""
    picture = next(pages(path))
    if isinstance(picture, str):
        raise DataError(f"{path}: cannot be read as a picture ({picture}), left out")
    return picture
