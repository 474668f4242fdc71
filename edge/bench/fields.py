"""Simulated 1080p fields, drawn before anything is measured, and cameras that show them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2

from edge.cameras.demo.camera import SimulatedCamera
from edge.cameras.demo.scope import Scope, scope_of
from edge.types import U8, Frame, LeukoscopeError

Tell = Callable[[str], None]
"""Takes what is being done, once for every step of it."""

SIZE_PX = (1920, 1080)
SPARSE_CELLS, CELLS, CROWDED_CELLS = 2, 9, 30
UM_PER_PX = 0.1
JPEG_QUALITY = 90

CROWDED_UM_PER_PX = 0.2
CROWDED_SPACING_UM = 28.0  # at 0.2 µm per pixel there is room for a hundred
SLIDE_SEED = 1
SPARSE, USUAL, CROWDED = "sparse", "usual", "crowded"
_BLASTS = {"blast": 0.65, "lymphocyte": 0.3, "neutrophil": 0.05}  # small blasts look like lymphocytes
_SHARP_UM = 0.5  # defocus beyond which quality turns a field down


def microscope(cells: float = CELLS) -> Scope:
    """The leukemic slide of `demo:1` seen by a 1080p camera, with about so many cells found in a field."""
    # what the frame's edge cuts is found too: a field shows a fifth more than its share of the slide
    return replace(
        scope_of(SLIDE_SEED), field_px=SIZE_PX, um_per_px=UM_PER_PX, leukocytes_per_field=cells / 1.2
    )


def leukemic(cells: float = CROWDED_CELLS) -> Scope:
    """A smear full of blasts at the same scale: clumps, smudge cells, stain deposit and few red cells.

    Numbers are set by eye beside the crowded fields of acute lymphoblastic leukemia of Aria et al. 2021 (doi
    10.34740/KAGGLE/DSV/2175623), whose clumps are larger still and whose smudge cells are paler.
    """
    slide = microscope(cells)
    return replace(
        slide,
        composition=dict.fromkeys(slide.composition, 0.0) | _BLASTS,
        fields_across=10,
        fields_down=8,
        leukocyte_spacing_um=24.0,
        clumped=0.85,
        smudges_per_field=3.0,
        artefacts_per_field=1.5,
        red_cell_spacing_um=12.5,
    )


KINDS: Mapping[str, Callable[[], Scope]] = {
    SPARSE: lambda: microscope(SPARSE_CELLS),
    USUAL: microscope,
    CROWDED: leukemic,
}
"""What is drawn for the line, by the name under which it is reported."""


def crowded(cells: float) -> Scope:
    """A field twice as wide, with `cells` leukocytes from few to a hundred and nothing else of that size."""
    return replace(
        scope_of(SLIDE_SEED),
        field_px=SIZE_PX,
        um_per_px=CROWDED_UM_PER_PX,
        fields_across=4,
        fields_down=3,
        leukocyte_spacing_um=CROWDED_SPACING_UM,
        leukocytes_per_field=cells,
        erythroblasts_per_field=0.0,
        smudges_per_field=0.0,
        artefacts_per_field=0.0,
    )


def draw(scope: Scope, n: int) -> Iterator[U8]:
    """The next `n` fields in focus as the stage wanders over the slide, (H, W, 3) uint8 RGB."""
    camera = SimulatedCamera(scope.seed, scope=scope)
    camera.open()
    sharp = [field["defocus_um"] < _SHARP_UM for field in camera.truth()["fields"]]
    drawn = 0
    while drawn < n:
        frame = camera.read()
        if sharp[frame.index % len(sharp)]:
            drawn += 1
            yield frame.pixels
    camera.close()


def watched(fields: Iterable[U8], tell: Tell, what: str) -> list[U8]:
    """The fields, told one by one as they are drawn."""
    kept = []
    for field in fields:
        kept.append(field)
        tell(what)
    return kept


def frame_of(pixels: U8, index: int) -> Frame:
    """A new frame of this field, taken now."""
    return Frame(pixels, index, "drawn fields", datetime.now(UTC), time.monotonic())


class DrawnFields:
    """A camera that shows fields drawn beforehand. Not live: every field is delivered."""

    live = False
    serial = ""
    um_per_px: float | None = UM_PER_PX
    name = "drawn fields"

    def __init__(self, fields: Sequence[U8]) -> None:
        self._fields = fields
        self._index = 0

    def open(self) -> None:
        self._index = 0

    def read(self) -> Frame | None:
        if self._index == len(self._fields):
            return None
        frame = frame_of(self._fields[self._index], self._index)
        self._index += 1
        return frame

    def close(self) -> None:
        return


def write_mjpeg(fields: Sequence[U8], path: Path) -> None:
    """Write fields as a stream of JPEGs, as cameras send them. Raises LeukoscopeError."""
    try:
        with path.open("wb") as file:
            for field in fields:
                bgr = cv2.cvtColor(field, cv2.COLOR_RGB2BGR)
                _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
                file.write(jpeg.tobytes())
    except OSError as error:
        raise LeukoscopeError(f"{path}: cannot be written ({error.strerror}); make room there") from None
