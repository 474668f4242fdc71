"""The line of a frame, straight: lit field → scale → specimen → quality → cells → crops → map → calls → tally
→ finding.

`Line` turns one frame into one Reading and remembers the slide so far; `edge.line.screening` moves frames to
it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from threading import Lock
from time import monotonic

import numpy as np

from edge.cells import segment
from edge.cells.classify import Calls, Classifier, decide
from edge.cells.segment import Segmenter
from edge.line import finding, marrow, quality
from edge.line.apl import AplCells
from edge.line.colours import Colours
from edge.line.focus import FocusMeter
from edge.line.known import Known
from edge.line.likeness import Likeness
from edge.line.notes import Notes
from edge.line.past import Past, ledger_of
from edge.line.quality import Quality
from edge.line.rules import Rules
from edge.line.slidemap import Placement, Separate, SlideMap
from edge.line.stages import Stages
from edge.optics import litfield, specimen
from edge.optics.litfield import LitField
from edge.optics.scale import Scale, Scaled, ScaleKeeper
from edge.optics.specimen import Specimen
from edge.types import F32, U8, Bools, Cells, Finding, Frame, Reading, Said, Tally
from edge.types.problems import OUT_OF_FOCUS, SCALE_UNKNOWN, commonest


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
    colours : what the slide's colours are held against; None begins anew.
    past : what the slide had come to before it was cut off; None begins anew. Nothing is said of APL then,
        for what its blasts looked like is not kept.

    Attributes
    ----------
    tally : the slide's, so far. passed : the last picture that was passed over, None without one.
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
        colours: Colours | None = None,
        past: Past | None = None,
    ) -> None:
        self._classify = classifier
        self._manifest = classifier.manifest
        self._scale = scale
        self._find: Segmenter = partial(segment.single, find=find) if single_cell else find
        self._single_cell = single_cell
        had = past or Past()
        laid = mapped and not single_cell
        self._map = SlideMap.of(had.fields) if laid else Separate.of(had.fields)
        self._known = Known()
        self._lit: Callable[[U8], LitField] = litfield.Finder() if laid else litfield.find
        self._focus, self._likeness = FocusMeter(), Likeness(self._manifest.familiar)
        self._apl = AplCells(None if past else self._manifest.apl, self._manifest.classes)
        self._colours = colours or Colours()
        self._clocks: dict[Frame, Stages] = {}  # of frames that wait for their scale
        self._read_before = Counter(had.sources)
        self.passed: Frame | None = None
        self._next = had.next_frame
        self._notes = Notes()
        self._problems = Counter(had.problems)
        self.rules = rules or Rules.of(self._manifest)
        # a picture of one cell, and one that is named as a whole, is as large as its makers cut it
        self._scaled = not single_cell and self.rules.unit != "field"
        self._reducible = not single_cell and not self._manifest.model_input.whole
        self._writing = Lock()
        self._ledger = ledger_of(self.rules, had.counted, had.said)
        self.tally = self._ledger.tally(
            uncertain=self._map.undecided,
            frames=had.frames,
            rejected=had.rejected,
            repeated=had.repeated,
            trouble=commonest(self._problems),
        )

    def knows(self, frame: Frame) -> bool:
        """Whether this picture was read before the slide was cut off; to be asked once of each."""
        known = self._read_before[frame.source] > 0
        if known:
            self._read_before[frame.source] -= 1
        return known

    def pass_over(self, frame: Frame) -> Iterator[Reading]:
        """Take the scale of a picture that was read before, for those to come; what waited for that shows."""
        self.passed = frame
        yield from self._read_all(self._scale.take(frame, self._lit(frame.pixels)))

    def take(self, frame: Frame) -> Iterator[Reading]:
        """What frames show, in the order in which they came: this one, unless it waits for its scale."""
        if frame.index < self._next:  # of a slide that is gone on with
            frame = replace(frame, index=self._next)
        self._next = frame.index + 1
        clock = self._clocks[frame] = Stages()
        lit = self._lit(frame.pixels)
        clock.end("field")
        settled = self._scale.take(frame, lit)
        clock.end("scale")
        yield from self._read_all(settled)

    def rest(self) -> Iterator[Reading]:
        """What the frames show that still wait when the slide ends."""
        yield from self._read_all(self._scale.rest())

    def _read_all(self, settled: Iterable[Scaled]) -> Iterator[Reading]:
        for each, scale in settled:
            if each in self._clocks:
                yield self._read(each, scale)

    @property
    def reduction(self) -> int:
        """How many pixels across a frame one of `Frame.pixels` may hold in what comes next, 1 or 2."""
        return self._scale.reduction(self._manifest.pitch_um) if self._reducible else 1

    def read(self, frame: Frame) -> Reading:
        """What this frame shows and what the slide says after it, by the scale as it is known now."""
        return [*self.take(frame), *self.rest()][-1]

    def _read(self, frame: Frame, scale: Scale) -> Reading:
        about, clock = self._manifest, self._clocks.pop(frame)
        clock.go_on()
        frame = self._fine(frame, scale)
        view = specimen.specimen(
            frame.pixels, scale.um_per_px, about.pitch_um, scale.flat, scale.lit, frame.size
        )
        clock.end("preprocess")
        seen = quality.assess(view, frame)
        problems = self._problems_of(view, frame, scale, seen)
        clock.end("quality")
        cells = Cells.none(*view.pixels.shape[:2]) if problems else self._find(view)
        clock.end("segment")
        centres = self._centres(cells, view, frame)
        crops = about.model_input.of(view, centres, frame.pixels)
        centres_um = centres.astype(np.float64) * view.pitch_um
        placed = Placement.nowhere() if problems else self._map.place(view, centres_um, frame.index)
        clock.end("map")
        named = cells.probabilities  # by what found them
        fresh, ask = self._fresh(cells, placed, scale), self._classify
        calls = self._known.name(placed.ids, crops, fresh, ask) if named is None else decide(named, ask)
        settled, abstained = self._settled(fresh, calls, placed)
        clock.end("classify")
        counted = settled & self.rules.in_differential(calls.classes)
        self._likeness.see(view, cells, counted)
        tally, said = self._count(placed, calls, settled, problems)
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
            abstained=abstained,
            problems=problems,
            repeated=placed.repeated,
            overlaps=placed.overlaps,
            thumb=placed.thumb,
            sharpness=seen.sharpness,
            brightness=seen.brightness,
            focus=self._focus.see(seen),
            focus_needed=self._focus.needed,
            tally=tally,
            finding=said,
            ms=clock.total(),
            t_s=monotonic(),
            note=scale.note
            or self._notes.advice(problems)
            or self._notes.news(frame.note)
            or self._likeness.note()
            or self._notes.once(marrow.note(tally, self.rules)),
        )

    def _fine(self, frame: Frame, scale: Scale) -> Frame:
        """The frame as large as the model needs it, whatever was thought of its scale when it was decoded."""
        if not self._reducible:
            return frame.at_full_size()
        return frame.at_least(scale.um_per_px, self._manifest.pitch_um)

    def _problems_of(self, view: Specimen, frame: Frame, scale: Scale, seen: Quality) -> tuple[str, ...]:
        """Why the frame is turned down, empty where it is not."""
        if frame.fault is not None:
            return seen.problems
        if self._single_cell:
            return ()
        colour = (
            self._colours.see(view, frame.pixels)
            if not seen.problems or seen.problems == (OUT_OF_FOCUS,)
            else None
        )
        if colour is not None:
            return (colour,)
        unscaled = scale.unknown and self._scaled and not seen.problems
        return (SCALE_UNKNOWN,) if unscaled else seen.problems

    def _centres(self, cells: Cells, view: Specimen, frame: Frame) -> F32:
        """(n, 2) where crops are cut; see `edge.bundle.model_input.ModelInput.of`."""
        if self._single_cell and len(cells):  # whoever cut the picture knew where the cell's middle is
            return np.array([[frame.width / 2, frame.height / 2]], np.float32) * view.scale
        return view.in_pitches(cells.centres)

    def _fresh(self, cells: Cells, placed: Placement, scale: Scale) -> Bools:
        """(n,) which cells would enter the tally now, were one sure of them."""
        return placed.countable & (~cells.cut | self._single_cell) & (scale.trusted or not self._scaled)

    def _settled(self, fresh: Bools, calls: Calls, placed: Placement) -> tuple[Bools, Bools]:
        """(n,) which cells enter the tally now, and which would if one were sure; the map remembers both."""
        settled, abstained = fresh & ~calls.uncertain, fresh & calls.uncertain
        self._map.mark(placed.ids[settled], placed.ids[abstained])
        self._known.remember(placed.ids[settled], calls.of(settled))
        return settled, abstained

    def _count(
        self, placed: Placement, calls: Calls, settled: Bools, problems: tuple[str, ...]
    ) -> tuple[Tally, Finding]:
        """The slide with this frame's cells, and what it says."""
        with self._writing:
            before = self.tally
            self._problems.update(problems)
            ids, counted = placed.ids[settled], calls.of(settled)
            self._ledger.count(ids, counted.classes)
            self._apl.see(ids, counted.classes, counted.features)
            self.tally = self._ledger.tally(
                uncertain=self._map.undecided,
                frames=before.frames + 1,
                rejected=before.rejected + bool(problems),
                repeated=before.repeated + placed.repeated,
                trouble=commonest(self._problems),
                apl=self._apl.say(self._ledger.word),
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
                trouble=now.trouble,
                apl=self._apl.say(self._ledger.word),
            )
            return self.tally, finding.judge(self.tally, self.rules)
