"""What moves frames from the camera through the line into the records, and Readings to whoever follows.

The terminal screen and the headless printer both consume `Screening.readings`.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from time import monotonic

from edge.bundle.bundle import Bundle
from edge.bundle.site import Site
from edge.cameras import Camera, CameraError, OfFiles
from edge.cameras.feed import Feed
from edge.cameras.livefeed import feed_for
from edge.cells.classify import Classifier
from edge.cells.segment import Segmenter, segment
from edge.line.colours import Colours
from edge.line.explain import Explainer
from edge.line.header import header_of, warning_of
from edge.line.options import ScreeningOptions, Throttle
from edge.line.past import Past
from edge.line.pipeline import Line
from edge.line.rules import Rules
from edge.line.slides import Slides, Whole, Wish
from edge.optics.scale import Scales
from edge.records.entries import without_pictures
from edge.records.people import UNKNOWN, About
from edge.records.store import Store, Unrecorded
from edge.types import FilesRead, Finding, Frame, Reading, Said, Sink, Tally, Waiting

_LOOK_S = 0.5
"""Between two looks at the camera while the line rests: a user is told within two seconds that it is away."""


class Screening:
    """Frames from the camera through the line into the records, and out as Readings once they are stored.

    `readings` runs in one thread; `stop`, `pause` and `new_slide` may be called from another meanwhile, and
    return soon enough for a key press.

    Attributes
    ----------
    slide : identifier of the slide under way; it changes before the first reading of a new one is given. It
        is in the records from its first frame on: what ends before that leaves none behind.
    classes : of the bundle, in the order of `Reading.probabilities`' columns.
    positives, leukocytes : those that count as positive (blasts); the differential's, positives included.
    referral_fraction : the blast fraction, 0 to 1, that the interval is held against.
    camera, runtime, bundle : what to call them. bundle_sha256 : the bundle's hash.
    rules : what the finding reckons with.
    site : which site's figures are in use, as `edge.bundle.site.Site.record` tells; None for none.
    warning : something to keep in sight (an unsigned bundle), None without it.
    recorded : False when nothing is written down.
    records, records_folder : the records' file and where it lies; None when nothing is written down.
    waiting : what keeps the camera from giving pictures, None while it does; the slide goes on afterwards.
    files : what was read of the files and what was not, once `readings` ended; None for other cameras.

    Parameters
    ----------
    throttle : slows the line down; None lets it run.
    feed : of the camera, entered or not; None makes one.
    find : how cells are found; see `edge.cells.segment.segmenter`.
    site : what was learned of the place where the pictures come from; None where nothing was.
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
        options: ScreeningOptions,
        sinks: Sequence[Sink] = (),
        throttle: Throttle | None = None,
        feed: Feed | None = None,
        find: Segmenter = segment,
        site: Site | None = None,
    ) -> None:
        self._find = find
        about, classifier = classifier.manifest, classifier.at(site)
        rates = None if site is None else site.rates(about.operation)
        self.rules = Rules.of(about, rates, options.specimen)
        self.site = None if site is None else site.record()
        self._classifier, self._scales, self._store = classifier, scales, store
        self._options, self._sinks, self._throttle = options, sinks, throttle
        self._stopped, self._go_on, self._woken = threading.Event(), threading.Event(), threading.Event()
        self._go_on.set()
        self.slide = options.slide or store.new_slide_id()
        self._patient = About(patient=options.patient)
        mapped = not options.independent and not options.single_cell
        self._slides = Slides(store, mapped=mapped, apl=about.apl is not None)
        self._slides.ask(Wish(self.slide, self._patient, options.slide is None, options.go_on))
        self.classes = about.classes
        self.positives = about.positive
        self.leukocytes = about.leukocytes
        self.referral_fraction = about.finding.refer_fraction
        self._camera, self.runtime = camera, classifier.runtime
        self.bundle_sha256 = bundle.sha256
        self.recorded = isinstance(store, Store)
        self.records = store.path.absolute() if isinstance(store, Store) else None
        self.records_folder = self.records.parent if self.records else None
        # of the bundle itself nothing is kept but the cells that explain, as they lie in it: its graphs are
        # megabytes
        shown = () if about.references is None else (about.references.picture,)
        self._explains = replace(bundle, members={name: bundle.members[name] for name in shown})
        self._header = header_of(
            bundle, classifier, self.rules, self.site, profile=profile, camera=camera.name
        )
        self.bundle = self._header.bundle
        self.warning = warning_of(bundle, classifier, self.rules, recorded=self.recorded)
        self.waiting: Waiting | None = None
        self.files: FilesRead | None = None
        self._line: Line | None = None  # of the slide in the records that is not finished
        self._heard: Line | None = None  # of the slide that people can be asked about, finished or not
        self._last: Reading | None = None  # of that slide, of those that were given
        self._took_s: float | None = None  # by the line, of the newest reading
        self._whole: deque[Whole] = deque()  # in the order in which the store will hand them back
        self._note = options.note  # what a user must know of the slide that begins
        self._said: set[str] = set()  # notes that independent slides need not repeat
        self._colours = Colours() if options.independent else None
        self._feed = feed or feed_for(camera)

    @cached_property
    def explainer(self) -> Explainer | None:
        """Says why its model called a cell what it did, while the line is paused; None where it cannot.

        Raises
        ------
        BundleError : the picture of its reference cells is not what the manifest says.
        """
        if self._explains.manifest.task != "cell":
            return None
        return Explainer(self._classifier, self._explains.references(), self._find)

    @property
    def camera(self) -> str:
        """What the camera is called, as far as it is known before it was there."""
        return self._camera.name

    def stop(self) -> None:
        """Let `readings` end after the frame in hand; stopping twice does nothing more."""
        self._stopped.set()
        self._go_on.set()
        self._woken.set()
        self._feed.close(timeout_s=0)  # a silent camera must not hold up whoever wants to leave

    def pause(self, on: bool) -> None:
        """Hold the line, or let it go on."""
        (self._go_on.clear if on else self._go_on.set)()
        self._woken.set()

    def new_slide(self, slide: str | None = None, about: About = UNKNOWN) -> str:
        """Close the slide and start another, from the next frame on; its name, a generated one for None.

        Whoever names it has seen that the records have no such slide. If another program takes the name
        before the next frame, the slide gets a generated one, and a reading's note says so.
        """
        slide = slide or self._store.new_slide_id()
        self._slides.ask(Wish(slide, about, generated=True))
        self._woken.set()
        return slide

    def go_on(self, slide: str) -> None:
        """Close the slide and go on with one that was cut off, from the next frame on.

        Raises
        ------
        RecordsError : that cannot be.
        """
        self._slides.past(slide, replace(self._header, camera=self.camera))
        self._slides.ask(Wish(slide, goes_on=True))
        self._woken.set()

    def hear(self, said: Sequence[Said]) -> tuple[Tally, Finding] | None:
        """Take what people said of the cells of the slide under way, or of the last where none is.

        Returns what the slide says then, None before the first frame. The records have it already.
        """
        return self._heard.hear(said) if self._heard else None

    def readings(self) -> Iterator[Reading]:
        """Readings as they come, each stored before it is given.

        Raises
        ------
        LeukoscopeError : the camera is lost, ended or took all the time before it gave a picture, or the
            records cannot be written. What was given is kept.
        """
        with self._feed as feed:
            frames = known = 0  # of the latter the records have what they show
            end = monotonic() + (self._options.max_seconds or float("inf"))
            try:
                while frames != self._options.max_frames and monotonic() < end:
                    if not self._go_on.is_set():
                        yield from self._given(self._store.flush())
                        self._sleep(end, self._go_on.is_set)
                        continue
                    frame = None if self._stopped.is_set() else feed.get()
                    self._tell(feed.trouble, tick=isinstance(frame, Waiting))
                    if frame is None:
                        break
                    if isinstance(frame, Waiting):
                        yield from self._given(self._store.flush())
                        continue
                    named, apart = self._slides.asked, self._options.independent
                    if named or (apart and self._line):
                        yield from self._left_over()
                        self._finish()
                    if named:
                        self._begin()
                    if apart and not named:
                        self._add_whole(frame)
                        yield from self._given(self._store.committed())
                    else:
                        assert self._line is not None
                        if self._line.knows(frame):
                            yield from self._kept(self._line.pass_over(frame))
                            known += 1
                            continue
                        yield from self._kept(self._line.take(frame))
                        # pictures that are slides of their own have no scale in common
                        feed.reduce(1 if apart else self._line.reduction)
                    frames += 1
                    self._rest(end)
            except CameraError:
                yield from self._left_over()
                raise
            else:
                yield from self._left_over()
            finally:
                self._finish()
            if not frames + known and not self._stopped.is_set():
                raise self._nothing(monotonic() >= end)
        self._tell_of_files(frames + known)

    def _tell_of_files(self, frames: int) -> None:
        if isinstance(self._camera, OfFiles):
            self.files = self._camera.files(frames)
            for sink in self._sinks:
                sink.files(self.files)

    def _nothing(self, late: bool) -> CameraError:
        """Why nothing was screened, though nobody stopped it; `late`: because time was up."""
        if not late:
            return CameraError(f"camera {self.camera}: gave no picture; choose another with --camera")
        told = f"no picture within {self._options.max_seconds:g} s"
        if self.waiting is None:
            return CameraError(f"{told}; give it more with --max-seconds")
        return CameraError(f"{told}: {self.waiting.reason}; {self.waiting.advice}")

    def _left_over(self) -> Iterator[Reading]:
        """The slide's last readings: of frames that waited for their scale, and what is not committed yet."""
        if self._line is not None:
            yield from self._kept(self._line.rest())
        yield from self._given(self._store.flush())

    def _kept(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        """Store readings as they come; those that are on the disk."""
        for reading in map(self._noted, readings):
            self._took_s = reading.ms["total"] / 1e3
            self._store.add(reading)
            del reading  # it holds its frame, of which the store may have no need any more
            yield from self._given(self._store.committed())

    def _add_whole(self, frame: Frame) -> None:
        """Take a frame that is a slide of its own, which goes to the disk as one.

        So one commit may hold several slides: each waits for the disk no longer than a reading does.
        """
        header, line = replace(self._header, camera=self.camera), self._new_line()
        (reading,) = map(self._noted, [*line.take(frame), *line.rest()])
        tally, said = line.hear(())
        slide = self._store.add_slide(header, reading, said, tally, self._patient)
        last = without_pictures(replace(reading, tally=tally, finding=said))
        self._whole.append(Whole(slide, header, line, last))
        self._took_s = last.ms["total"] / 1e3

    def _noted(self, reading: Reading) -> Reading:
        """The reading with all that the user should know by now."""
        note = reading.note
        if self._options.independent and note is not None:  # what every picture would say is said once
            note = None if note in self._said else note
            self._said.add(str(reading.note))
        note = "; ".join(filter(None, (self._note, note))) or None
        self._note = None
        if note is None and self._throttle is not None:
            note = self._throttle.note
        return reading if note == reading.note else replace(reading, note=note)

    def _rest(self, end: float) -> None:
        """Let a hot processor cool; the camera's newest frame is taken afterwards, so nothing waits."""
        if self._took_s is None:
            return
        rest_s = self._throttle.pause_s(self._took_s) if self._throttle else 0.0
        end = min(end, monotonic() + rest_s)
        self._sleep(end, lambda: self._stopped.is_set() or self._slides.asked)

    def _sleep(self, end: float, until: Callable[[], bool]) -> None:
        """Rest until this moment, with signs of life and an eye on the camera."""
        while (left := end - monotonic()) > 0 and not until():
            self._woken.wait(min(left, _LOOK_S))
            self._woken.clear()
            if left > _LOOK_S:
                self._tell(self._feed.trouble, tick=True)

    def _tell(self, trouble: Waiting | None, *, tick: bool) -> None:
        """Tell the sinks of trouble with the camera when it comes and goes, and that the line is alive."""
        changed = (trouble is None) != (self.waiting is None)
        self.waiting = trouble
        if changed or tick:
            for sink in self._sinks:
                sink.waiting(trouble)

    def _given(self, stored: Sequence[Reading]) -> Iterator[Reading]:
        self._last = stored[-1] if stored else self._last
        for reading in stored:
            whole = self._whole.popleft() if self._whole else None
            if whole is not None:
                self.slide, self._header, self._heard = whole.slide.id, whole.header, whole.line
                self._tell_start()
            for sink in self._sinks:
                sink.reading(reading)
            if whole is not None:
                self._tell_finding(replace(reading, tally=whole.last.tally, finding=whole.last.finding))
            yield reading

    def _begin(self) -> None:
        begun = self._slides.begin(replace(self._header, camera=self.camera, gone_on=False))
        self.slide, self._header = begun.slide, begun.header
        self._note = "; ".join(filter(None, (self._note, begun.note))) or None
        self._heard = self._line = self._new_line(begun.past)
        self._tell_start()

    def _new_line(self, past: Past | None = None) -> Line:
        if past and not isinstance(self._camera, OfFiles):  # a microscope shows no picture twice
            past = replace(past, sources=Counter())
        return Line(
            self._classifier, self._scales.for_slide(past.scale if past else None), find=self._find,
            rules=self.rules, single_cell=self._options.single_cell, mapped=not self._options.independent,
            colours=self._colours, past=past,
        )  # fmt: skip

    def _tell_start(self) -> None:
        for sink in self._sinks:
            sink.start(self.slide, self._header, self._scales.expected)

    def _tell_finding(self, last: Reading) -> None:
        for sink in self._sinks:
            sink.finding(last)

    def _finish(self) -> None:
        """Close the slide under way; those that are one frame are closed, and only told."""
        for _ in self._given(self._store.flush()):
            pass
        line, last, self._line, self._last = self._line, self._last, None, None
        self._took_s = None
        if line is None:
            return
        # of what broke down in its first frame too, with nothing counted
        tally, said = line.hear(())  # what people said since the last frame included
        self._store.finish_slide(said, tally)
        if last is not None:
            self._tell_finding(replace(last, tally=tally, finding=said))
        elif line.passed is not None:  # every picture had been read before
            self._tell_finding(Reading.none(line.passed, tally, said))
