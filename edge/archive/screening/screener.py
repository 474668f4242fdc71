"""A task of an archive: whole slides through the device's own line, and what that gives as fragments."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from time import monotonic

from edge import __version__
from edge.archive.done import Done
from edge.archive.entry import Entry, Task
from edge.archive.order import Order
from edge.archive.place import ArchiveError, Place
from edge.archive.screening import records, shards
from edge.archive.screening.attempts import MOST, Attempt, attempt
from edge.archive.screening.fields import Ahead, Field, SlideCamera, fields_of
from edge.archive.screening.rows import TABLES, Rows
from edge.archive.screening.scales import scales_of_slide
from edge.bundle import bundle as bundles
from edge.bundle import sitefile
from edge.bundle.bundle import Bundle
from edge.bundle.site import Site
from edge.line.engine import Engine, open_engine
from edge.line.options import ScreeningOptions
from edge.line.screening import Screening
from edge.machine.profile import FALLBACK, Profile, load_profile
from edge.records.database import RecordsError
from edge.records.identifiers import LONGEST
from edge.records.store import Store, Unrecorded
from edge.types import LeukoscopeError

_TOLD = 200  # characters of an error that nobody foresaw


class Screener:
    """The line with its engine open, which screens one task after another. Used by one thread.

    Parameters
    ----------
    order : what the archive is screened with.
    place : where the output is.
    bundle, site : the bytes of the model's file, and of the site's; None for no site.
    run : names the driver's run, so that slides over which workers end are given up; None never does.
    node : what this machine is called in `timing`; None takes its host name.

    Raises
    ------
    ArchiveError : this node would give other rows than the others: another program, model or precision.
    LeukoscopeError : the model cannot be opened here.
    """

    def __init__(
        self,
        order: Order,
        place: Place,
        bundle: bytes,
        site: bytes | None,
        *,
        run: str | None = None,
        node: str | None = None,
    ) -> None:
        self._order, self._place, self._run = order, place, run
        self.node = node or platform.node() or "unknown"
        if order.version != __version__:
            raise self._differs("version of leukoscope", order.version, __version__)
        self._bundle = self._opened(bundle)
        self._site = self._site_of(site)
        self._engine = self._engine_for()

    def close(self) -> None:
        """Let go of the runtimes."""
        self._engine.close()

    def screen(self, task: Task, entries: Sequence[Entry]) -> Done:
        """Screen the task's slides and write its fragments; the last to be written says that it is done.

        A task that is screened again writes the same, but for its timing.

        Raises
        ------
        ArchiveError : storage does not answer, or the output cannot be written.
        RecordsError : no room for the task's records.
        """
        broken: dict[str, str] = {}
        with attempt(self._place, task, self._run) as trying:
            if trying is not None:
                broken |= dict.fromkeys(trying.given_up, f"{MOST} workers ended over it")
            while True:
                try:
                    return self._through(task, entries, broken, trying)
                except _BrokenError as error:
                    broken[error.slide] = error.reason
                except OSError as error:
                    told = error.strerror or error
                    raise ArchiveError(f"node {self.node}: {told}; mend that and run it again") from error

    def _through(
        self, task: Task, entries: Sequence[Entry], broken: Mapping[str, str], trying: Attempt | None
    ) -> Done:
        begun = monotonic()
        rows = Rows(self._bundle.manifest.classes, self.node)
        with records.of_task(wanted=self._order.records) as store, Ahead(entries) as files:
            for slide, its in _slides(entries):
                if trying is not None:
                    trying.begins(slide)
                try:
                    for camera in self._cameras(slide, its, files, broken.get(slide)):
                        self._slide(camera, its, rows, store)
                except (ArchiveError, RecordsError, OSError):
                    raise
                except Exception as error:  # one slide that the line breaks down on is no reason to stop
                    if slide in broken:
                        raise
                    raise _BrokenError(slide, error) from error
            if self._order.records:
                records.put(store, self._place, shards.records_of(task))
        if rows.done.faults:
            self._see_source()
        done = rows.done_in(monotonic() - begun)
        shards.write(self._place, task, {name: rows.table(name) for name in TABLES}, done)
        return done

    def _cameras(
        self, slide: str, entries: Sequence[Entry], files: Ahead, instead: str | None
    ) -> Iterator[SlideCamera]:
        """The slide as a camera; where each picture is a slide of its own, one for each."""
        if not self._order.independent:
            yield SlideCamera(slide, partial(fields_of, entries, files, instead=instead))
            return
        for number, field in enumerate(fields_of(entries, files, instead=instead), 1):
            yield SlideCamera(_numbered(slide, number), partial(_alone, field))

    def _slide(
        self, camera: SlideCamera, entries: Sequence[Entry], rows: Rows, store: Store | Unrecorded
    ) -> None:
        """One slide through the line. All is made anew for it, so that nothing is left of the one before."""
        rows.begin(camera.slide, camera)
        screening = Screening(
            camera=camera,
            bundle=self._bundle,
            classifier=self._engine.classifier,
            scales=scales_of_slide(self._order, camera, entries, self._bundle.manifest, self._engine.profile),
            store=store,
            profile=self._engine.profile.name,
            options=ScreeningOptions(
                slide=camera.slide,
                single_cell=self._order.single_cell,
                independent=self._order.independent,
                specimen=self._order.specimen,
            ),
            sinks=[rows],
            find=self._engine.find,
            site=self._site,
        )
        for _ in screening.readings():
            pass

    def _opened(self, content: bytes) -> Bundle:
        """The model; whether it is trusted is the word of who began, whose keys this node need not have."""
        order, sha256 = self._order, hashlib.sha256(content).hexdigest()
        if sha256 != order.bundle_sha256:
            raise self._differs("bundle", order.bundle_sha256[:16], sha256[:16])
        found = bundles.opened(Path(order.bundle), content, allow_unsigned=True, large=True)
        caveats = tuple(c for c in order.caveats if c not in found.manifest.caveats)
        # nobody asks an archive why: its cells are held against no others, which every slide would read anew
        about = replace(found.manifest, references=None)
        return replace(found, manifest=about, trusted=order.trusted, installed_with=caveats)

    def _site_of(self, content: bytes | None) -> Site | None:
        sha256 = None if content is None else hashlib.sha256(content).hexdigest()
        if sha256 != self._order.site:
            raise self._differs("site", str(self._order.site)[:16], str(sha256)[:16])
        if content is None:
            return None
        try:
            site = sitefile.decoded(content)
        except ValueError as error:
            raise LeukoscopeError(f"--site: {error}; measure it anew, or leave it away") from None
        if site.network != self._bundle.manifest.network:
            raise LeukoscopeError("--site: was measured with another model; measure it anew with this one")
        return site

    def _engine_for(self) -> Engine:
        """The engine in the order's precision: another would give other last digits than other nodes."""
        told: list[str] = []
        engine = open_engine(profile_of(self._order), self._bundle, None, told.append)
        runs = engine.classifier.runtime
        if runs != f"ort-{self._order.precision}":
            engine.close()
            why = f" ({told[-1]})" if told else ""
            raise ArchiveError(
                f"node {self.node}: runs {runs}, not {self._order.precision}{why}; begin another --out with "
                "--precision fp32, which every node runs"
            )
        return engine

    def _see_source(self) -> None:
        """See that files are not lacking because a disk is; of a manifest it is not known which."""
        source = Path(self._order.source)
        if source.is_absolute() and not source.suffix and not source.exists():
            raise ArchiveError(
                f"node {self.node}: {source} is not there; every node must have it at this path"
            )

    def _differs(self, what: str, wanted: str, found: str) -> ArchiveError:
        return ArchiveError(
            f"node {self.node}: its {what} is {found}, this archive was begun with {wanted}; "
            "give every node the same"
        )


class _BrokenError(Exception):
    """The line broke down on a slide."""

    def __init__(self, slide: str, error: Exception) -> None:
        told = " ".join(f"{type(error).__name__}: {error}".split())
        self.slide, self.reason = slide, f"the line breaks down on its slide ({told[:_TOLD]})"
        super().__init__(self.reason)


def profile_of(order: Order) -> Profile:
    """How every node computes, whatever machine it is: on one thread, in the order's precision."""
    usual = load_profile(FALLBACK)
    return replace(
        usual,
        name="archive",
        runtime=replace(usual.runtime, kind="ort", precision=order.precision, threads=1),
        images=replace(usual.images, threads=1),
    )


def _slides(entries: Sequence[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    """The entries by slide, in the order of the task and of their places."""
    for slide, its in groupby(entries, attrgetter("slide")):
        yield slide, sorted(its, key=attrgetter("place"))


def _alone(field: Field, _reduction: Callable[[], int]) -> Iterator[Field]:
    """A picture that is a slide of its own, decoded before."""
    yield field


def _numbered(slide: str, number: int) -> str:
    """What a slide is called that is one picture of a file; the first as the file is."""
    if number == 1:
        return slide
    ending = f"#{number}"
    room = LONGEST - len(ending)
    return f"{slide if len(slide) <= room else f'…{slide[1 - room :]}'}{ending}"
