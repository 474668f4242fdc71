"""Label images from the records show the cells that the screening drew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge import cli
from edge.files.labels import CELLS, NUCLEI
from edge.records.book import Book
from tests.edge.report.exported import exported

FIELDS = 3


@pytest.fixture(scope="session")
def demo(made_once: Callable[..., Path]) -> Path:
    """A folder with `records.db` and the folder `labels`, of the simulated microscope."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LEUKOSCOPE_HOME", str(folder / "home"))
            words = ["--camera", "demo:1", "--max-frames", FIELDS, "--headless", "--slide", "s"]
            words += ["--labels", folder / "labels", "--records", folder / "records.db"]
            assert cli.main([*map(str, words)]) == 0

    return made_once("labelled", make)


def dice(ours: np.ndarray, theirs: np.ndarray) -> float:
    return 2 * float((ours & theirs).sum()) / float(ours.sum() + theirs.sum())


def pairs(demo: Path, out: Path, ending: str) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Frame, and its label images from the records and from the screening."""
    files = exported(demo / "records.db", "s", "--format", "labels", out=out)
    names = [f"s.labels/{frame:06d}{ending}" for frame in range(FIELDS)]
    assert len(files) == 2 * len([name for name in names if name in files]) > 2
    for frame, name in enumerate(names):
        if name in files:
            ours = cv2.imdecode(np.frombuffer(files[name], np.uint8), cv2.IMREAD_UNCHANGED)
            theirs = cv2.imread(str(demo / f"labels/demo-1_{frame:06d}{ending}"), cv2.IMREAD_UNCHANGED)
            assert ours.dtype == np.uint16
            assert ours.shape == theirs.shape
            yield frame, ours, theirs


@pytest.mark.parametrize("ending", [CELLS, NUCLEI])
def test_they_agree_with_those_of_the_screening(demo: Path, tmp_path: Path, ending: str) -> None:
    for _, ours, theirs in pairs(demo, tmp_path, ending):
        for number in np.unique(ours[ours > 0]):
            ours_of_cell = ours == number
            there = np.bincount(theirs[ours_of_cell]).argmax()
            assert there > 0
            assert dice(ours_of_cell, theirs == there) > 0.9


def test_their_areas_are_the_cells(demo: Path, tmp_path: Path) -> None:
    with Book(demo / "records.db", reads_only=True) as book:
        views = {view["cell"]: view for view in book.views("s")}
    seen = set()
    for ending, column in ((CELLS, "area_um2"), (NUCLEI, "nucleus_area_um2")):
        for frame, ours, _ in pairs(demo, tmp_path, ending):
            for view in (view for view in views.values() if view["frame"] == frame and not view["cut"]):
                area = (ours == view["cell"]).sum() * view["um_per_px"] ** 2
                assert area == pytest.approx(view[column], rel=0.1), (view["cell"], ending)
                seen.add(view["cell"])
    assert len(seen) > 3
