"""A slide that was cut off goes on: what it comes to is what it would have come to in one go."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import bundle
from edge.cameras.demo.camera import SimulatedCamera
from edge.cells.classify import Classifier
from edge.line.options import ScreeningOptions
from edge.line.screening import Screening
from edge.optics.scale import Scales
from edge.records.book import Book
from edge.records.database import RecordsError
from edge.records.store import Store
from edge.review.review import Review
from edge.types import FilesRead, Frame, Reading, Tally
from tests.edge.records.example import HEADER

N = 26


class Frames:
    """A microscope that shows these frames."""

    live = False
    serial = ""
    um_per_px: float | None = 0.1
    name = "frames"

    def __init__(self, frames: list[Frame]) -> None:
        self._frames = frames

    def open(self) -> None:
        self._left = iter(self._frames)

    def read(self) -> Frame | None:
        return next(self._left, None)

    def close(self) -> None:
        self._left = iter(())


class Folder(Frames):
    """The same as files: each has a name of its own, and is there again the second time."""

    name = "folder"

    def __init__(self, frames: list[Frame]) -> None:
        super().__init__([replace(frame, source=f"{i}.png", index=i) for i, frame in enumerate(frames)])

    def files(self, frames: int) -> FilesRead:
        return FilesRead.of(frames, [])

    def samples(self, most: int) -> Iterator[Any]:
        return iter(())


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    camera = SimulatedCamera(1)
    camera.open()
    taken = [camera.read() for _ in range(N)]
    camera.close()
    return taken


@pytest.fixture(scope="module")
def classifier() -> Iterator[Classifier]:
    opened = Classifier(bundle.load())
    yield opened
    opened.close()


class Screen:
    """Screens frames into a store, as slide s."""

    def __init__(self, classifier: Classifier, path: Path) -> None:
        self._classifier, self.path = classifier, path

    def __call__(self, camera: Frames, asked: float | str = 0.1, **options: Any) -> list[Reading]:
        with Store(self.path) as store:
            work = Screening(
                camera=camera,
                bundle=bundle.load(),
                classifier=self._classifier,
                scales=Scales(asked=asked, nominal=0.1, camera=camera),
                store=store,
                profile="test",
                options=ScreeningOptions(slide="s", **options),
            )
            return [*work.readings()]

    def cut_off(self) -> None:
        """Leave the slide as a power cut does."""
        with sqlite3.connect(self.path) as database:
            database.execute(
                "UPDATE slides SET process = '1:0', finished_at = NULL, finished_s = NULL, finding = NULL, "
                "headline = NULL, reason = NULL, advice = NULL, tally = NULL, sha256 = NULL"
            )


@pytest.fixture
def screen(classifier: Classifier, tmp_path: Path) -> Screen:
    return Screen(classifier, tmp_path / "records.db")


@pytest.fixture(scope="module")
def whole(classifier: Classifier, frames: list[Frame], tmp_path_factory: pytest.TempPathFactory) -> Tally:
    """What the frames come to in one go."""
    return Screen(classifier, tmp_path_factory.mktemp("whole") / "r.db")(Frames(frames))[-1].tally


def _settled(path: Path) -> Counter[int]:
    with Book(path) as book:
        return Counter(row["cell"] for row in book.cells("s") if row["settled"])


@pytest.mark.parametrize("cut", [4, 17])
def test_a_microscope_goes_on_and_no_cell_counts_twice(
    screen: Screen, frames: list[Frame], whole: Tally, cut: int
) -> None:
    screen(Frames(frames[:cut]))
    screen.cut_off()
    # the stage goes back over what was seen before it goes on
    again = screen(Frames([*frames[cut - 2 : cut], *frames[cut:]]), go_on=True)
    assert [reading.frame.index for reading in again] == list(range(cut, N + 2))
    now = again[-1].tally
    assert (now.counts, now.uncertain, now.standing) == (whole.counts, whole.uncertain, whole.standing)
    assert (now.frames, now.repeated >= whole.repeated) == (N + 2, True)
    assert "goes on after" in (again[0].note or "")
    assert again[-1].finding.apl is None
    assert set(_settled(screen.path).values()) == {1}
    with Book(screen.path) as book:
        slide = book.found("s")
    assert (slide["state"], slide["cells_counted"]) == ("finished", whole.leukocytes)
    assert len(slide["gone_on"]) == 1


def test_pictures_in_files_are_read_once_and_come_to_the_same(
    screen: Screen, frames: list[Frame], classifier: Classifier, tmp_path: Path
) -> None:
    asked = "auto"  # so that what was read before tells the scale of the rest
    one_go = Screen(classifier, tmp_path / "one.db")(Folder(frames[::2]), asked)
    screen(Folder(frames[::2]), asked, max_frames=6)
    screen.cut_off()
    again = screen(Folder(frames[::2]), asked, go_on=True)
    assert [reading.frame.index for reading in again] == list(range(6, N // 2))
    assert again[-1].tally == replace(one_go[-1].tally, apl=None)
    assert [reading.um_per_px for reading in again] == [reading.um_per_px for reading in one_go[6:]]
    screen.cut_off()
    assert screen(Folder(frames[::2]), asked, go_on=True) == []  # nothing was left to read
    with Book(screen.path) as book:
        slide = book.found("s")
        assert [row["frame"] for row in book.readings("s")] == list(range(N // 2))
    assert (slide["finding"], slide["tally"]["frames"]) == (again[-1].finding.kind, N // 2)
    assert len(slide["gone_on"]) == 2


def test_what_people_said_meanwhile_counts_and_their_finding_is_brought_up_to_date(
    screen: Screen, frames: list[Frame]
) -> None:
    screen(Frames(frames[:8]))
    screen.cut_off()
    with Book(screen.path) as book, Review(book, "s", "AB") as review:
        blasts = [cell.id for cell in review.cells if cell.named == "blast"][:2]
        review.say(blasts, "lymphocyte")
        before = book.found("s")["cells_counted"]
    again = screen(Frames(frames[8:]), go_on=True)
    assert again[-1].tally.confirmed == {"lymphocyte": 2}
    with Book(screen.path) as book:
        slide = book.found("s")
    assert slide["cells_counted"] == again[-1].tally.leukocytes > before
    assert slide["reason"] == again[-1].finding.reason
    assert slide["confirmed"] == {"lymphocyte": 2}


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("bundle_sha256", "ab" * 32, "was begun with model leukocytes .* (abababab), and this is leukocytes"),
        ("site", '{"file": "0123"}', "was begun with site file 0123, and this is none"),
        ("camera", "demo:7", "was begun with camera demo:7, and this is frames"),
        ("rules", '{"specimen": "marrow"}', "was begun with specimen marrow, and this is blood"),
        ("finished_at", "2026-11-30T08:00:00.000+00:00", "was finished on 2026-11-30; begin another"),
        ("process", None, ""),
    ],
)
def test_a_slide_goes_on_only_with_what_it_was_begun_with(
    screen: Screen, frames: list[Frame], column: str, value: str | None, told: str
) -> None:
    screen(Frames(frames[:1]))
    screen.cut_off()
    with sqlite3.connect(screen.path) as database:
        database.execute(f"UPDATE slides SET {column} = ?", (value,))
    if not told:
        assert len(screen(Frames(frames[1:2]), go_on=True)) == 1
        return
    before, _, now = told.partition("(")
    with pytest.raises(RecordsError, match=before) as refused:
        screen(Frames(frames[1:2]), go_on=True)
    assert now in str(refused.value)
    assert "\n" not in str(refused.value)


def test_pictures_of_single_cells_do_not_go_on_as_fields(screen: Screen, frames: list[Frame]) -> None:
    screen(Frames(frames[:2]), single_cell=True)
    screen.cut_off()
    with pytest.raises(RecordsError, match="pictures of single cells, and this is of fields"):
        screen(Frames(frames[2:3]), go_on=True)
    assert len(screen(Frames(frames[2:3]), go_on=True, single_cell=True)) == 1


def test_who_was_slower_is_told(screen: Screen, frames: list[Frame]) -> None:
    screen(Frames(frames[:1]))
    screen.cut_off()
    with Book(screen.path) as book, Store(screen.path) as store, Store(screen.path) as other:
        before = book.found("s")
        other.go_on(before, HEADER)
        with pytest.raises(RecordsError, match="another program closed it or went on with it meanwhile"):
            store.go_on(before, HEADER)


def test_a_slide_of_an_older_version_cannot_go_on(screen: Screen, frames: list[Frame]) -> None:
    screen(Frames(frames[:1]))
    screen.cut_off()
    with sqlite3.connect(screen.path) as database:
        database.execute("UPDATE readings SET overlaps = NULL, thumb = NULL, sha256 = NULL")
    with pytest.raises(RecordsError, match=r"older version .*; close it: edge-slides close s"):
        screen(Frames(frames[1:2]), go_on=True)
