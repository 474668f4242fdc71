"""The line of a frame, straight: scale → field → specimen → quality → cells → crops → calls → map → finding.

`Line` turns one frame into one Reading and remembers the slide so far; `edge.line.screening` moves frames to
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from threading import Lock
from time import monotonic, perf_counter

import numpy as np

from edge.cells import segment
from edge.cells.classify import Calls, Classifier, decide
from edge.cells.segment import Segmenter
from edge.line import finding, quality
from edge.line.focus import FocusMeter
from edge.line.ledger import Ledger
from edge.line.likeness import Likeness
from edge.line.rules import Rules
from edge.line.slidemap import Placement, Separate, SlideMap
from edge.optics import litfield, specimen
from edge.optics.litfield import LitField
from edge.optics.scale import ScaleKeeper
from edge.optics.specimen import Specimen
from edge.types import F32, U8, Bools, Cells, Finding, Frame, Reading, Said, Tally


class Line:
    """One slide's frames, in the order they came.

    Parameters
    ----------
    classifier : the bundle's classifier, ready to run.
    scale : physical scale of a frame.
    rules : what the slide's finding reckons with; None takes the bundle's own.
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
        rules: Rules | None = None,
        single_cell: bool = False,
        mapped: bool = True,
    ) -> None:
        self._classify = classifier
        self._manifest = classifier.manifest
        self._scale = scale
        self._find: Segmenter = partial(segment.single, find=find) if single_cell else find
        self._single_cell = single_cell
        self._map = SlideMap() if mapped and not single_cell else Separate()
        self._lit: Callable[[U8], LitField] = (
            litfield.Finder() if mapped and not single_cell else litfield.find
        )
        self._focus, self._likeness = FocusMeter(), Likeness(self._manifest.familiar)
        self._note: str | None = None
        self.rules = rules or Rules.of(self._manifest)
        self._ledger, self._writing = Ledger(self.rules), Lock()
        self.tally = self._ledger.tally()

    def read(self, frame: Frame) -> Reading:
        """What this frame shows and what the slide says after it."""
        about, clock = self._manifest, _Stages()
        scale = self._scale.scale(frame)
        clock.end("scale")
        lit = scale.lit or self._lit(frame.pixels)
        clock.end("field")
        view = specimen.specimen(frame.pixels, scale.um_per_px, about.pitch_um, scale.flat, lit)
        clock.end("preprocess")
        seen = quality.assess(view, frame)
        problems = () if self._single_cell and frame.fault is None else seen.problems
        clock.end("quality")
        cells = Cells.none(*view.pixels.shape[:2]) if problems else self._find(view)
        clock.end("segment")
        centres = self._centres(cells, view, frame)
        crops = about.model_input.of(view, centres, frame.pixels)
        calls = self._classify(crops) if cells.probabilities is None else decide(cells.probabilities, about)
        clock.end("classify")
        centres_um = centres.astype(np.float64) * view.pitch_um
        placed = Placement.nowhere() if problems else self._map.place(view, centres_um)
        settled = self._settled(cells, calls, placed)
        clock.end("map")
        counted = settled & self.rules.in_differential(calls.classes)
        self._likeness.see(view, cells, counted)
        tally, said = self._count(placed, calls, settled, turned_down=bool(problems))
        return Reading(
            frame=frame,
            cells=cells.in_frame(frame.height, frame.width),
            um_per_px=scale.um_per_px,
            um_per_px_from=scale.source,
            crops=crops,
            probabilities=calls.probabilities,
            classes=calls.classes,
            uncertain=calls.uncertain,
            certain=calls.certain,
            ids=placed.ids,
            new=placed.new,
            counted=counted,
            settled=settled,
            problems=problems,
            repeated=placed.repeated,
            sharpness=seen.sharpness,
            brightness=seen.brightness,
            focus=self._focus.see(seen),
            focus_needed=self._focus.needed,
            tally=tally,
            finding=said,
            ms=clock.total(),
            t_s=monotonic(),
            note=scale.note or self._news(frame.note) or self._likeness.note(),
        )

    def _centres(self, cells: Cells, view: Specimen, frame: Frame) -> F32:
        """(n, 2) where crops are cut; see `edge.bundle.model_input.ModelInput.of`."""
        if self._single_cell and len(cells):  # whoever cut the picture knew where the cell's middle is
            return np.array([[frame.width / 2, frame.height / 2]], np.float32) * view.scale
        return view.in_pitches(cells.centres)

    def _settled(self, cells: Cells, calls: Calls, placed: Placement) -> Bools:
        """(n,) which cells enter the tally now; the map remembers them, and those nobody is sure of."""
        fresh = placed.countable & (~cells.cut | self._single_cell)
        settled = fresh & ~calls.uncertain
        self._map.mark(placed.ids[settled], placed.ids[fresh & calls.uncertain])
        return settled

    def _count(
        self, placed: Placement, calls: Calls, settled: Bools, *, turned_down: bool
    ) -> tuple[Tally, Finding]:
        """The slide with this frame's cells, and what it says."""
        with self._writing:
            before = self.tally
            self._ledger.count(placed.ids[settled], calls.classes[settled])
            self.tally = self._ledger.tally(
                uncertain=self._map.undecided,
                frames=before.frames + 1,
                rejected=before.rejected + turned_down,
                repeated=before.repeated + placed.repeated,
            )
            return self.tally, finding.judge(self.tally, self.rules)

    def hear(self, said: Iterable[Said]) -> tuple[Tally, Finding]:
        """Take what people said of the slide's cells; what it says then. May be called from any thread."""
        with self._writing:
            self._ledger.hear(said)
            now = self.tally
            self.tally = self._ledger.tally(
                uncertain=self._map.undecided,
                frames=now.frames,
                rejected=now.rejected,
                repeated=now.repeated,
            )
            return self.tally, finding.judge(self.tally, self.rules)

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
