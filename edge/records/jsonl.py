"""Readings as JSON lines, one object a line, flushed when written: what other programs script against."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO

from edge import command
from edge.files import atomic
from edge.machine import clock
from edge.types import Apl, FilesRead, LeukoscopeError, Reading, Sink, SlideHeader, Waiting


class JsonLines(Sink):
    """Follows a screening and writes it to a file, or to standard output for `-`.

    What the file held before is kept until the first slide begins. A file that is made is its owner's alone.

    Raises
    ------
    LeukoscopeError : the file cannot be written.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._old = target != "-" and Path(target).is_file()
        self._open = True  # False after a failure too: nothing may follow half a line
        self._file: BinaryIO | None = None
        self._stdout = sys.stdout  # as it is now: the screen puts another in its place
        self._away: str | None = None
        self._slide = ""
        try:
            if target != "-":
                self._file = open(target, "ab", opener=atomic.opener)  # noqa: SIM115
        except OSError as error:
            raise self._refused(error.strerror) from None
        if target == "-" and self._stdout is None:
            raise self._refused("standard output is closed")

    def start(self, slide: str, header: SlideHeader, um_per_px: float) -> None:
        """The line before the first reading of a slide."""
        self._slide, self._classes = slide, header.classes
        self._mark = {"trusted": header.trusted} | caveats_record(header.caveats)
        if self._old and self._file is not None:
            self._file.truncate(0)
            self._old = False
        self._write(start_record(slide, header, um_per_px))

    def reading(self, reading: Reading) -> None:
        """One line a frame."""
        self._write(reading_record(reading, self._classes) | self._mark)

    def waiting(self, trouble: Waiting | None) -> None:
        """A line when a live camera goes away, for each new reason, and when it is back."""
        reason = trouble.reason if trouble else None
        if self._slide and reason != self._away:
            self._away = reason
            self._write(camera_record(self._slide, trouble) | self._mark)

    def finding(self, last: Reading) -> None:
        """The line after the last reading of a slide."""
        self._write(finding_record(self._slide, last) | self._mark)

    def files(self, files: FilesRead) -> None:
        """The last line, where files were read."""
        self._write(files_record(files) | self._mark)

    def close(self) -> None:
        """Close the file."""
        self._open = False
        if self._file is not None:
            with suppress(OSError):  # every line was flushed, or its failure told
                self._file.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        """One line, on its way to the reader before this returns; UTF-8 whatever the locale."""
        if not self._open:
            return
        line = json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
        content = line.encode("utf-8", "backslashreplace")  # half a pair comes as JSON escapes it
        try:
            if self._file is None:
                command.write_bytes(self._stdout, content)
            else:
                self._file.write(content)
                self._file.flush()
        except command.ReaderGoneError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise self._refused(error.strerror) from None

    def _refused(self, reason: str | None) -> LeukoscopeError:
        return LeukoscopeError(f"--json {self._target}: cannot be written ({reason}); give another place")


def start_record(slide: str, header: SlideHeader, um_per_px: float) -> dict[str, Any]:
    """The line before the first reading; `um_per_px` is what is assumed until something better is known.

    `rates` is how often the model is reckoned to err, here or elsewhere (`edge.bundle.operation.ErrorRates`).
    `site` is which site's figures it is read with (`edge.bundle.site.Site.record`).
    `boot` names the boot whose clock `t_s` is, in this line and those of the readings; `started_at` is the
    wall clock at that moment, and `clock_set` whether anything vouches for it (see `edge.machine.clock`).
    """
    moment = clock.now()
    return {
        "kind": "start",
        "slide": slide,
        "gone_on": header.gone_on,
        "started_at": moment.utc.isoformat(timespec="milliseconds"),
        "t_s": round(moment.monotonic_s, 3),
        "boot": moment.boot_id,
        "clock_set": moment.is_set,
        "bundle": {
            "name": header.bundle,
            "sha256": header.bundle_sha256,
            "trusted": header.trusted,
            "classes": list(header.classes),
            **caveats_record(header.caveats),
        },
        "rates": header.rules.get("rates"),
        "site": None if header.site is None else dict(header.site),
        "specimen": header.rules.get("specimen", "blood"),
        "runtime": header.runtime,
        "camera": header.camera,
        "profile": header.profile,
        "um_per_px": round(um_per_px, 5),
        "version": header.version,
    }


def caveats_record(caveats: Sequence[str]) -> dict[str, Any]:
    """What must stay in sight of a model, as JSON has it: nothing where there is none."""
    return {"caveats": list(caveats)} if caveats else {}


def reading_record(reading: Reading, classes: tuple[str, ...]) -> dict[str, Any]:
    """One line a frame, rejected frames included."""
    frame = reading.frame
    return {
        "kind": "reading",
        "index": frame.index,
        "source": frame.source,
        "t_s": round(reading.t_s, 3),
        "width": frame.width,
        "height": frame.height,
        "um_per_px": round(reading.um_per_px, 5),
        "um_per_px_from": reading.um_per_px_from,
        "problems": list(reading.problems),
        "note": reading.note,
        "counted": not reading.problems and not reading.repeated,
        "repeated": reading.repeated,
        "sharpness": round(reading.sharpness, 3),
        "focus": _rounded(reading.focus),
        "brightness": round(reading.brightness, 3),
        "ms": {stage: round(ms, 2) for stage, ms in reading.ms.items()},
        "cells": [_cell(reading, i, classes) for i in range(len(reading.cells))],
    }


def _cell(reading: Reading, i: int, classes: tuple[str, ...]) -> dict[str, Any]:
    cells = reading.cells
    return {
        "id": int(reading.ids[i]),
        "new": bool(reading.new[i]),
        "counted": bool(reading.counted[i]),
        "box_px": cells.boxes_px[i].tolist(),
        "area_um2": round(float(cells.area_um2[i]), 1),
        "nucleus_area_um2": round(float(cells.nucleus_area_um2[i]), 1),
        "cut": bool(cells.cut[i]),
        "class": classes[int(reading.classes[i])],
        "probabilities": probabilities_record(reading.probabilities[i].tolist(), classes),
        "uncertain": bool(reading.uncertain[i]),
    }


def probabilities_record(row: list[float], classes: Sequence[str]) -> dict[str, float]:
    """Five decimals that still sum to 1: the largest takes up what rounding left."""
    rounded = [round(p, 5) for p in row]
    top = max(range(len(row)), key=row.__getitem__)
    rounded[top] = round(rounded[top] + 1 - sum(rounded), 5)
    return dict(zip(classes, rounded, strict=True))


def camera_record(slide: str, trouble: Waiting | None) -> dict[str, Any]:
    """The line when a live camera gives no pictures any more, or again; the slide goes on."""
    return {
        "kind": "camera",
        "slide": slide,
        "state": "away" if trouble else "back",
        "reason": trouble.reason if trouble else None,
        "advice": trouble.advice if trouble else None,
        "t_s": round(monotonic(), 3),
    }


def finding_record(slide: str, last: Reading) -> dict[str, Any]:
    """The line after the last reading of a slide; `source` is that reading's, for slides of one frame."""
    tally, finding = last.tally, last.finding
    return {
        "kind": "finding",
        "slide": slide,
        "source": last.frame.source,
        "cells_counted": tally.leukocytes,
        "counts": dict(tally.counts),
        "uncertain": tally.uncertain,
        "blast_fraction": _rounded(finding.blast_fraction),
        "blast_interval": _ends(finding.interval),
        "blast_fraction_corrected": _rounded(finding.corrected),
        "blast_interval_corrected": _ends(finding.corrected_interval),
        "interval_level": finding.level,
        "confirmed": dict(tally.confirmed),
        "finding": finding.kind,
        "headline": finding.headline,
        "reason": finding.reason,
        "advice": finding.advice,
        "cells_needed": finding.cells_needed,
        "apl": apl_record(finding.apl),
        "frames": tally.frames,
        "rejected": tally.rejected,
        "repeated": tally.repeated,
    }


def apl_record(apl: Apl | None) -> dict[str, Any] | None:
    """What the blasts of a positive finding look like, as JSON has it."""
    return None if apl is None else {"score": round(apl.score, 4), "alert": apl.alert}


def files_record(files: FilesRead) -> dict[str, Any]:
    """The line at the end of a folder: how many pictures were read, what was left out and why."""
    return {"kind": "files", "read": files.read, "left_out": [asdict(left) for left in files.left_out]}


def _ends(interval: tuple[float, float] | None) -> list[float | None] | None:
    return [_rounded(end) for end in interval] if interval else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
