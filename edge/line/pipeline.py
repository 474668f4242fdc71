"""The line of a frame, straight: quality → segment → crops → classify → slide map → tally → finding.

`Line` turns one frame into one Reading and remembers the slide so far; `edge.line.screening` moves frames to
it.
"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic, perf_counter

import numpy as np

from edge.cells import segment
from edge.cells.classify import Classifier, decide
from edge.cells.segment import Segmenter
from edge.line import finding, quality
from edge.line.focus import FocusMeter
from edge.line.slidemap import Placement, Separate, SlideMap
from edge.optics import specimen
from edge.optics.scale import ScaleKeeper
from edge.types import Cells, Frame, Reading, Tally


class Line:
    """One slide's frames, in the order they came.

    Parameters
    ----------
    classifier : the bundle's classifier, ready to run.
    scale : physical scale of a frame.
    single_cell : each frame is one leukocyte in its middle, never rejected.
    find : how cells are found; see `edge.cells.segment.segmenter`.
    mapped : lay overlapping frames on one map; False where frames have nothing to do with each other.
    """

    def __init__(
        self,
        classifier: Classifier,
        scale: ScaleKeeper,
        *,
        find: Segmenter = segment.segment,
        single_cell: bool = False,
        mapped: bool = True,
    ) -> None:
        self._classify = classifier
        self._manifest = classifier.manifest
        self._scale = scale
        self._find = find
        self._single_cell = single_cell
        self._map = SlideMap() if mapped and not single_cell else Separate()
        self._focus = FocusMeter()
        self._note: str | None = None
        self.tally = Tally(
            counts=dict.fromkeys(self._manifest.classes, 0),
            unit=self._manifest.unit,
            sign=self._manifest.sign,
        )

    def read(self, frame: Frame) -> Reading:
        """What this frame shows and what the slide says after it."""
        clock = _Stages()
        scale = self._scale.scale(frame)
        clock.end("scale")
        view = specimen.specimen(frame.pixels, scale.um_per_px, self._manifest.pitch_um, scale.flat)
        clock.end("preprocess")
        seen = quality.assess(view, frame)
        problems = () if self._single_cell and frame.fault is None else seen.problems
        clock.end("quality")
        size = (frame.height, frame.width)
        if problems:
            cells = Cells.none(*view.pixels.shape[:2])
        else:
            cells = segment.single(view, size, self._find) if self._single_cell else self._find(view, size)
        clock.end("segment")
        centres = cells.centres_px
        if self._single_cell and len(cells):  # whoever cut the picture knew where the cell's middle is
            centres = np.array([[frame.width / 2, frame.height / 2]], np.float32)
        crops = self._manifest.model_input.of(view, centres, frame.pixels)
        calls = self._classify(crops) if cells.told is None else decide(cells.told, self._manifest)
        clock.end("classify")
        centres_um = cells.centres_px.astype(np.float64) * scale.um_per_px
        placed = Placement.nowhere() if problems else self._map.place(view, centres_um)
        fresh = placed.countable & (~cells.cut | self._single_cell)
        settled = fresh & ~calls.uncertain
        self._map.mark(placed.ids[settled], placed.ids[fresh & calls.uncertain])
        clock.end("map")
        tally = finding.count(self.tally, self._manifest, calls.classes[settled], calls.certain[settled])
        self.tally = replace(
            tally,
            uncertain=self._map.undecided,
            frames=tally.frames + 1,
            rejected=tally.rejected + bool(problems),
            repeated=tally.repeated + placed.repeated,
        )
        return Reading(
            frame=frame,
            cells=cells,
            um_per_px=scale.um_per_px,
            um_per_px_from=scale.source,
            crops=crops,
            probabilities=calls.probabilities,
            classes=calls.classes,
            uncertain=calls.uncertain,
            certain=calls.certain,
            ids=placed.ids,
            new=placed.new,
            counted=settled & finding.in_differential(calls.classes, self._manifest),
            problems=problems,
            repeated=placed.repeated,
            sharpness=seen.sharpness,
            brightness=seen.brightness,
            focus=self._focus.see(seen),
            tally=self.tally,
            finding=finding.judge(self.tally, self._manifest.finding),
            ms=clock.total(),
            t_s=monotonic(),
            note=scale.note or self._news(frame.note),
        )

    def _news(self, note: str | None) -> str | None:
        """A camera's note when it is another than the one told last."""
        news, self._note = (None if note == self._note else note), note
        return news


class _Stages:
    """Milliseconds by stage of the line."""

    def __init__(self) -> None:
        self._started = self._last = perf_counter()
        self._ms: dict[str, float] = {}

    def end(self, stage: str) -> None:
        now = perf_counter()
        self._ms[stage] = (now - self._last) * 1e3
        self._last = now

    def total(self) -> dict[str, float]:
        return {**self._ms, "total": (perf_counter() - self._started) * 1e3}
