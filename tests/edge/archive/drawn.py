"""Drawn slides in folders, their entries as a plan lists them, and an order to screen them with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import pyarrow.parquet as pq

from edge import __version__
from edge.archive.entry import Entry, Task
from edge.archive.order import Order
from edge.archive.place import Place
from edge.archive.screening.screener import Screener
from edge.bundle import bundle
from edge.cameras.demo.camera import SimulatedCamera
from edge.cameras.files.folder import listed

TABLES = ("fields", "cells", "slides")
"""Those whose rows are the same on every run."""


def draw(folder: Path, seed: int, count: int, scale: float = 0.5) -> None:
    """Fields of a drawn slide, `scale` times as large as the camera takes them."""
    folder.mkdir(parents=True)
    camera = SimulatedCamera(seed)
    camera.open()
    for i in range(count):
        frame = camera.read()
        assert frame is not None
        small = cv2.resize(frame.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{i}.png"), small[..., ::-1])
    camera.close()


def slides(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """Two slides, drawn once: `healthy`, and `blasts` with a stack of two pages and two damaged files."""

    def make(folder: Path) -> None:
        draw(folder / "healthy", 0, 4)
        draw(folder / "blasts", 1, 4)
        pages = [cv2.imread(str(folder / "healthy" / f"{i}.png")) for i in (0, 1)]
        cv2.imwritemulti(str(folder / "blasts" / "4.tif"), pages)
        (folder / "blasts" / "5.png").write_bytes((folder / "blasts" / "0.png").read_bytes()[:5000])
        (folder / "blasts" / "6.jpg").write_text("not here any more")

    return made_once("archive", make)


def entries(
    folder: Path, *names: str, um_per_px: float | None = None, base: str | None = None
) -> list[Entry]:
    """The pictures of some slides of a folder, in order."""
    return [
        Entry(slide, place, name, f"{base or folder}/{slide}/{name}", um_per_px)
        for slide in names or sorted(path.name for path in folder.iterdir())
        for place, name in enumerate(listed(str(folder / slide)).names)
    ]


def order(source: Path | str, content: bytes, **changes: Any) -> Order:
    """What to screen with: this bundle, as this program would."""
    asked = {"trusted": True} | changes
    return Order(str(source), "leukocytes", hashlib.sha256(content).hexdigest(), __version__, **asked)


def shipped() -> bytes:
    """The bundle that ships."""
    return bundle.shipped_path().read_bytes()


def screen(
    out: Path | str, its: Sequence[Entry], *, task: int = 0, content: bytes | None = None, **changes: Any
) -> dict[str, list[dict[str, Any]]]:
    """Screen entries as one task; the rows of its fragments, by table."""
    content = content or shipped()
    place, asked = Place(str(out)), order("/", content, **changes)
    screener = Screener(asked, place, content, None)
    done = screener.screen(Task(0, task, len(its)), its)
    screener.close()
    found = rows(place, f"work/00000/{task:06d}.{{}}.parquet")
    assert (
        json.loads(place.read(f"work/00000/{task:06d}.json"))["fields"] == done.fields == len(found["fields"])
    )
    return found


def rows(place: Place, name: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table; `name` is its file's, with `{}` for the table."""
    found = {}
    for table in (*TABLES, "timing"):
        with place.files.open(place.path(name.format(table)), "rb") as stream:
            found[table] = pq.read_table(stream).to_pylist()
    return found


def of_slide(found: dict[str, list[dict[str, Any]]], slide: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of a slide in the tables that are the same on every run."""
    return {table: [row for row in found[table] if row["slide"] == slide] for table in TABLES}
