"""How own pictures may lie in their folder, and which way they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from train.data.dataset import Notice
from train.data.own import coco, folders, masks, table, voc, yolo
from train.data.own.listed import Listed
from train.data.own.names import Names
from train.data.own.section import Layout

PREFIX = "folder"
"""What the command line calls a folder of own pictures."""

LAYOUTS: Mapping[str, str] = {
    "folders": folders.LAYOUT,
    "table": table.LAYOUT,
    "coco": coco.LAYOUT,
    "yolo": yolo.LAYOUT,
    "voc": voc.LAYOUT,
    "masks": masks.LAYOUT,
}
"""What a recipe calls a layout -> how it looks."""

_READERS: Mapping[str, Callable[[Path, Names, Notice], Iterator[Listed]]] = {
    "folders": folders.read,
    "coco": lambda root, _, notice: coco.read(root, notice),
    "yolo": lambda root, _, notice: yolo.read(root, notice),
    "voc": lambda root, _, notice: voc.read(root, notice),
    "masks": masks.read,
}

OF_FIELDS = ("coco", "yolo", "voc")
"""Those of whole fields."""


def recognised(root: Path, name: str = "") -> Layout:
    """The layout of a folder, by what lies in it; `name` is of a table.

    Raises
    ------
    DataError : several tables could be its own.
    """
    if name or table.table_in(root) is not None:
        return "table"
    if coco.files(root):
        return "coco"
    if yolo.there(root):
        return "yolo"
    if voc.there(root):
        return "voc"
    return "masks" if masks.there(root) else "folders"


def read(root: Path, layout: Layout, name: str, names: Names, notice: Notice) -> list[Listed]:
    """The pictures of a folder of this layout; `name` is of a table.

    Raises
    ------
    DataError : what the layout needs is not there.
    """
    if layout == "table":
        return list(table.read(root, name, notice))
    return list(_READERS[layout](root, names, notice))
