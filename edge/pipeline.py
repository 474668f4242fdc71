"""The line of a frame, straight: quality → segment → crops → classify → slide map → tally → finding.

`Line` turns one frame into one Reading and remembers the slide so far. `Screening` moves frames from the
camera through the line into the records and hands out Readings once they are stored; the terminal screen
and the headless printer both consume it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from time import monotonic, perf_counter
from typing import Protocol

import numpy as np

from edge import __version__, finding, preprocess, quality, segment
from edge.bundle import Bundle
from edge.cameras import Camera, CameraError
from edge.cameras.feed import Feed
from edge.classify import Classifier
from edge.optics import ScaleKeeper, Scales
from edge.records.store import SlideHeader, Store, Unrecorded, new_slide_id
from edge.slidemap import Placement, Separate, SlideMap
from edge.types import Cells, Frame, Reading, Tally


class Line:
    """One slide's frames, in the order they came.

    Parameters
    ----------
    classifier : the bundle's classifier, ready to run.
    scale : physical scale of a frame.
    single_cell : each frame is one leukocyte in its middle, never rejected.
    mapped : lay overlapping frames on one map; False where frames have nothing to do with each other.
    """

    def __init__(
        self, classifier: Classifier, scale: ScaleKeeper, *, single_cell: bool = False, mapped: bool = True
    ) -> None:
        self._classify = classifier
        self._manifest = classifier.manifest
        self._scale = scale
        self._single_cell = single_cell
        self._map = SlideMap() if mapped and not single_cell else Separate()
        self.tally = Tally(counts=dict.fromkeys(self._manifest.classes, 0))

    def read(self, frame: Frame) -> Reading:
        """What this frame shows and what the slide says after it."""
        clock = _Stages()
        scale = self._scale.scale(frame)
        clock.end("scale")
        view = preprocess.specimen(frame.pixels, scale.um_per_px, self._manifest.pitch_um)
        clock.end("preprocess")
        seen = quality.assess(view, frame)
        problems = () if self._single_cell and frame.fault is None else seen.problems
        clock.end("quality")
        size = (frame.height, frame.width)
        if problems:
            cells = Cells.none(*view.pixels.shape[:2])
        else:
            cells = segment.single(view, size) if self._single_cell else segment.segment(view, size)
        clock.end("segment")
        centres = cells.centres_px
        if self._single_cell and len(cells):  # whoever cut the picture knew where the cell's middle is
            centres = np.array([[frame.width / 2, frame.height / 2]], np.float32)
        crops = preprocess.crops(view, centres, self._manifest.size_px)
        calls = self._classify(crops)
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
            tally=self.tally,
            finding=finding.judge(self.tally, self._manifest.finding),
            ms=clock.total(),
            t_s=monotonic(),
            note=scale.note,
        )


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


class Sink(Protocol):
    """Something that follows a screening: JSON lines, label images."""

    def start(self, slide: str, header: SlideHeader, um_per_px: float) -> None:
        """A slide begins; `um_per_px` is given, or assumed until something better is known."""

    def reading(self, reading: Reading) -> None:
        """A reading was stored."""

    def finding(self, last: Reading) -> None:
        """The slide ended with this reading."""


@dataclass(frozen=True)
class Order:
    """What the command asks of a screening.

    Attributes
    ----------
    slide : identifier of the first slide, None for a generated one.
    single_cell : each frame is one leukocyte in its middle.
    independent : each frame is a slide of its own.
    max_frames, max_seconds : stop after so much, None without a limit.
    """

    slide: str | None = None
    single_cell: bool = False
    independent: bool = False
    max_frames: int | None = None
    max_seconds: float | None = None


class Screening:
    """Frames from the camera through the line into the records, and out as Readings once they are stored.

    `readings` runs in one thread; `stop`, `pause` and `new_slide` may be called from another meanwhile.
    """

    def __init__(
        self,
        *,
        camera: Camera,
        bundle: Bundle,
        classifier: Classifier,
        scales: Scales,
        store: Store | Unrecorded,
        profile: str,
        order: Order,
        sinks: Sequence[Sink] = (),
    ) -> None:
        self._classifier, self._scales, self._store = classifier, scales, store
        self._order, self._sinks = order, sinks
        self._stopped, self._go_on, self._change = threading.Event(), threading.Event(), threading.Event()
        self._go_on.set()
        self._next_slide = order.slide or new_slide_id()
        self.slide = self._next_slide
        self.classes = classifier.manifest.classes
        self.positives = classifier.manifest.positive
        self.leukocytes = classifier.manifest.leukocytes
        self.referral_fraction = classifier.manifest.finding.refer_fraction
        self.camera, self.runtime = camera.name, classifier.runtime
        self.bundle = f"{classifier.manifest.name} {classifier.manifest.version}"
        # of the bundle itself nothing is kept: its graphs are megabytes
        self._header = SlideHeader(
            version=__version__,
            profile=profile,
            camera=self.camera,
            runtime=self.runtime,
            bundle=self.bundle,
            bundle_sha256=bundle.sha256,
            trusted=bundle.trusted,
            classes=self.classes,
        )
        self.recorded = isinstance(store, Store)
        warnings = [
            *(["unsigned model: not for patients"] if not bundle.trusted else []),
            *([classifier.note] if classifier.note else []),
            *(["nothing is recorded (--no-records)"] if not self.recorded else []),
        ]
        self.warning = "; ".join(warnings) or None
        self._last: Reading | None = None
        self._feed = Feed(camera)

    def stop(self) -> None:
        """Let `readings` end after the frame in hand."""
        self._stopped.set()
        self._go_on.set()
        self._feed.close(timeout_s=0)  # a silent camera must not hold up whoever wants to leave

    def pause(self, on: bool) -> None:
        """Hold the line, or let it go on."""
        (self._go_on.clear if on else self._go_on.set)()

    def new_slide(self) -> str:
        """Close the slide and start another, from the next frame on; its identifier."""
        self._next_slide = new_slide_id()
        self._change.set()
        return self._next_slide

    def readings(self) -> Iterator[Reading]:
        """Readings as they come, each stored before it is given.

        Raises
        ------
        LeukoscopeError : the camera is lost or the records cannot be written. What was given is kept.
        """
        end = monotonic() + (self._order.max_seconds or float("inf"))
        with self._feed as feed:
            self._begin()
            try:
                for n in count(1):
                    if not self._go_on.is_set():
                        yield from self._given(self._store.flush())
                        self._go_on.wait()
                    frame = None if self._stopped.is_set() else feed.get()
                    if frame is None:
                        break
                    if self._change.is_set() or (self._order.independent and self._last):
                        yield from self._given(self._store.flush())
                        self._finish()
                        self._begin()
                    self._last = self._line.read(frame)
                    self._store.add(self._last)
                    yield from self._given(self._store.committed())
                    if n == self._order.max_frames or monotonic() >= end:
                        break
            except CameraError:
                yield from self._given(self._store.flush())
                raise
            else:
                yield from self._given(self._store.flush())
            finally:
                self._finish()

    def _given(self, stored: Sequence[Reading]) -> Iterator[Reading]:
        for reading in stored:
            for sink in self._sinks:
                sink.reading(reading)
            yield reading

    def _begin(self) -> None:
        self._change.clear()
        self.slide = self._store.begin_slide(self._next_slide, self._header)
        self._next_slide = new_slide_id()
        self._last = None
        self._line = Line(
            self._classifier, self._scales.for_slide(),
            single_cell=self._order.single_cell, mapped=not self._order.independent,
        )  # fmt: skip
        for sink in self._sinks:
            sink.start(self.slide, self._header, self._scales.expected)

    def _finish(self) -> None:
        self._store.flush()
        if self._last is not None:
            self._store.finish_slide(self._last.finding, self._last.tally)
            for sink in self._sinks:
                sink.finding(self._last)
