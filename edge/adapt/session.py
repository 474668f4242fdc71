"""One run of `edge-device adapt`: opens what it needs, learns, shows, writes if nothing speaks against it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edge import command
from edge.adapt import gate, gather, healthy, labelled, place, words
from edge.adapt.gather import Corrected, Gathered
from edge.adapt.healthy import LEAST_CELLS, Scores
from edge.adapt.opened import Device
from edge.bundle import sitefile, spreads
from edge.bundle.operation import Spread
from edge.bundle.site import Correction, Site
from edge.cameras import Camera
from edge.cameras.selection import camera_for, namesake
from edge.files.text import printable
from edge.machine import clock
from edge.records.identifiers import initials
from edge.types import FindingKind, LeukoscopeError, Reading

_say = partial(command.say, "edge-device")

_ANEW = "its threshold no longer holds: measure it again with edge-device adapt --healthy"
_NOT_HEALTHY = (
    "a healthy person's slide is needed; if a haematologist has read this film as normal, pass "
    "--vouched-by INITIALS"
)


class AdaptError(LeukoscopeError):
    """Nothing can be learned so. Says why and what to do."""


def run(arguments: argparse.Namespace) -> int:
    """Do what the arguments ask for. Returns the exit status.

    Raises
    ------
    LeukoscopeError : it could not be done; nothing was written.
    """
    if arguments.undo:
        return _undone(arguments)
    with ExitStack() as held:
        session = Session(arguments, held)
        return session.healthy() if arguments.healthy else session.labelled()


def _undone(arguments: argparse.Namespace) -> int:
    path = arguments.out or sitefile.own_path()
    now = place.undo(path)
    if arguments.json != "-":
        command.put(f"in use now: {words.of_site(now)}")
    in_use = None
    if now is not None:
        threshold = now.healthy.threshold if now.healthy else None
        in_use = {"threshold": threshold, "corrected": now.correction is not None, "made_at": now.made_at}
    _write_json(arguments, "undo", str(path) if now else None, [], {"in_use": in_use})
    return command.DONE


@dataclass(frozen=True, eq=False)
class _Slide:
    """A slide presumed healthy.

    `found` and `headline` are what the line finds in it, `confirmed` how many blasts people did; `source` is
    what to call it.
    """

    scores: Scores
    found: FindingKind | None
    headline: str
    source: str
    confirmed: int = 0


class Session:
    """The model, what is known of the site, and the profile by which all of it runs.

    Parameters
    ----------
    arguments : of the command. held : closes what was opened.
    """

    def __init__(self, arguments: argparse.Namespace, held: ExitStack) -> None:
        self._arguments = arguments
        self._path: Path = arguments.out or sitefile.own_path()
        self._vouched = initials(arguments.vouched_by) if arguments.vouched_by else None
        self._device = Device(arguments, held)
        self._about = self._device.bundle.manifest
        if not self._about.positive or self._about.unit == "field":
            raise AdaptError(f"{self._about.name}: tells no blasts among cells; nothing to adapt to a site")
        self._known, notice = place.start(arguments.site, self._about)
        if notice:
            _say(notice)

    def healthy(self) -> int:
        """Measure where the cells of a healthy person's slide score."""
        asked = self._arguments
        slide = self._of_records(asked.slide) if asked.slide else self._of_camera(asked.camera)
        scores, source = slide.scores, slide.source
        healthy.enough(scores)
        refused = healthy.suspicions(scores, slide.found, slide.headline)
        if refused and self._vouched:
            _say(f"{self._vouched} vouches for it though {'; '.join(refused)}")
            source, refused = f"{source}; read as normal by {self._vouched}, though {'; '.join(refused)}", []
        if slide.confirmed:
            refused.append(f"people confirmed {slide.confirmed} of its cells as blasts")
        learned = healthy.measured(scores, self._about, source)
        before = self._before(scores)
        self._show(words.of_healthy(before, learned))
        written = None if refused else self._kept(replace(self._site(), healthy=learned))
        if written and learned.threshold > self._about.thresholds.positive:
            _say(
                f"from now on blasts that score less than {learned.threshold:.3f} are missed, before it was"
                f" {self._about.thresholds.positive:.3f}; how many, healthy blood cannot tell: look at the"
                " suspicious cells in the review"
            )
        old, called, rate = before
        outcome = {
            "cells": learned.cells, "called": learned.called, "threshold": learned.threshold,
            "false_blasts": asdict(learned.false_blasts), "threshold_before": old, "called_before": called,
            "false_blasts_before": asdict(rate), "source": source,
            "by_type": {k: {"cells": n, "highest_tenth": s} for k, (n, s) in learned.by_type.items()},
        }  # fmt: skip
        _write_json(asked, "healthy", written, refused, outcome)
        return self._ended(refused, _NOT_HEALTHY)

    def labelled(self) -> int:
        """Fit the last layer to cells with names."""
        asked = self._arguments
        classifier = self._device.engine.classifier
        size = self._about.size_px
        classifier.features(np.zeros((1, size, size, 3), np.uint8))  # without them all else is in vain
        gathered, source = self._named()
        left_out = [*gather.in_words(gathered.left_out)]
        for line in left_out:
            _say(printable(line))
        cells = gathered.cells
        labelled.check(cells, self._about.classes)
        with command.Progress(len(labelled.STRENGTHS)) as bar:
            strength, answers = labelled.chosen(
                cells, lambda i: bar.show(i, "fitting, each cell left out in turn")
            )
        before, after = (
            gate.figures(said, cells.labels, self._about) for said in (cells.probabilities, answers)
        )
        counts = cells.counts(self._about.classes)
        correction = Correction(
            *labelled.fit(cells, strength), cells=counts, source=source, gate=gate.record(before, after)
        )
        golden = gate.golden_changes(self._device.bundle, classifier, correction)
        refused = gate.objections(before, after, golden)
        told = {
            side: gate.confusion(said, cells.labels, self._about)
            for side, said in (("before", cells.probabilities), ("after", answers))
        }
        self._show(words.of_labelled(before, after, told))
        written = None if refused else self._kept(Site(self._about.network, correction=correction))
        if written and self._known is not None and self._known.healthy is not None:
            _say(_ANEW)
        outcome = {
            "cells": counts, "strength": strength, "before": asdict(before), "after": asdict(after),
            "confusion_before": told["before"], "confusion_after": told["after"], "source": source,
            "golden": {"changed": golden[0], "cells": golden[1]}, "left_out": dict(gathered.left_out),
        }  # fmt: skip
        _write_json(asked, "labelled", written, refused, outcome)
        return self._ended(refused, "name more cells, and look whether the names are right")

    def _of_camera(self, spec: str) -> _Slide:
        """One that the line reads now."""
        if (other := namesake(spec)) is not None:
            _say(other)
        camera = self._camera(spec)
        if hasattr(camera, "truth") and self._arguments.out is None:
            raise AdaptError(
                f"--camera {spec}: the simulated microscope is not this site; write it elsewhere with --out"
            )
        endless = camera.live or hasattr(camera, "truth")
        if camera.live:
            _say(
                "put a healthy person's stained smear under the lens, move from field to field; Ctrl-C stops"
            )
        single_cell = self._arguments.single_cell
        screening = self._device.screening(camera, lambda: self._camera(spec), single_cell=single_cell)
        hint = "move to the next field" if camera.live else ""
        with command.Progress(LEAST_CELLS) as bar:
            scores, found = gather.screened(
                screening,
                self._about,
                Corrected(self._device.engine.classifier, self._known),
                single_cell=single_cell,
                limit=LEAST_CELLS if endless else None,
                show=lambda n, reading: bar.show(n, _progress(n, reading, hint)),
            )
        kind, headline = (
            (found.kind, f"{found.headline}: {found.reason.rstrip('.')}") if found else (None, "")
        )
        return _Slide(scores, kind, headline, self._source(scores, printable(camera.name)))

    def _of_records(self, name: str) -> _Slide:
        """One of the records."""
        corrects = self._known is not None and self._known.correction is not None
        classifier = self._device.engine.classifier if corrects else None
        with self._device.book() as book:
            slide = gather.recorded(book, name, self._device.bundle, Corrected(classifier, self._known))
        source = self._source(slide.scores, f"slide {name}")
        return _Slide(slide.scores, slide.found, slide.headline, source, slide.confirmed)

    def _named(self) -> tuple[Gathered, str]:
        """The cells with names, and where they come from."""
        asked, classifier = self._arguments, self._device.engine.classifier
        if asked.from_records:
            with self._device.book() as book:
                gathered = gather.of_records(book, self._device.bundle, classifier)
            return gathered, f"{len(gathered.cells.labels)} cells named in the review"
        if not asked.labelled.is_dir():
            raise AdaptError(
                f"--labelled {asked.labelled}: is no folder; give one with a folder for each class"
            )
        spec = str(asked.labelled.absolute())
        screening = self._device.screening(self._camera(spec), lambda: self._camera(spec), single_cell=True)
        with command.Progress(LEAST_CELLS) as bar:
            gathered = gather.of_folder(
                screening,
                classifier,
                lambda n, reading: bar.show(n, f"{n} cells, {reading.frame.source}"),
            )
        return gathered, f"{len(gathered.cells.labels)} cells of folder {printable(asked.labelled.name)}"

    def _camera(self, spec: str) -> Camera:
        return camera_for(spec, self._device.profile.camera)

    def _source(self, scores: Scores, name: str) -> str:
        day = f"{clock.now().utc:%Y-%m-%d}"
        return f"{scores.leukocytes} leukocytes of one healthy person's slide, {name}, {day}"

    def _site(self) -> Site:
        return self._known or Site(self._about.network)

    def _before(self, scores: Scores) -> tuple[float, int, Spread]:
        """The threshold in use so far, how many of the cells it calls, and the rate of these."""
        threshold = self._site().thresholds(self._about.thresholds).positive
        called = int((scores.values >= threshold).sum())
        between = healthy.between_slides(self._about)
        return threshold, called, spreads.of_healthy_slides([(called, len(scores.values))], between)

    def _show(self, lines: Iterable[str]) -> None:
        if self._arguments.json != "-":
            for line in lines:
                command.put(printable(line))

    def _kept(self, site: Site) -> str:
        """Write the site, and say so."""
        made_at = clock.now().utc.isoformat(timespec="seconds")
        place.keep(self._path, replace(site, made_at=made_at, made_by=self._device.profile.name))
        _say(f"written to {self._path}: {words.of_site(replace(site, made_at=made_at))}")
        if self._arguments.out is None:
            _say("to go back: edge-device adapt --undo")
        return str(self._path)

    def _ended(self, refused: list[str], advice: str) -> int:
        if not refused:
            return command.DONE
        _say(f"refused, nothing was written: {'; '.join(refused)}; {advice}")
        return command.CHECK_FAILED


def _progress(n: int, reading: Reading, hint: str) -> str:
    told = hint or reading.frame.source
    if reading.problems:
        told = reading.problems[0]
    return f"{n} of {LEAST_CELLS} cells; {told}"


def _write_json(
    arguments: argparse.Namespace, what: str, written: str | None, refused: list[str], outcome: dict[str, Any]
) -> None:
    if arguments.json:
        whole = {"kind": "adapt", "what": what, "written": written, "refused": refused} | outcome
        command.write("--json", arguments.json, json.dumps(whole, indent=2) + "\n")
