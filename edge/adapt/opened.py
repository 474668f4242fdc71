"""The model and the device's own line, opened for `edge-device adapt`; nothing of it is recorded."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property, partial

from edge import command
from edge.bundle import bundle
from edge.bundle.bundle import Bundle
from edge.cameras import Camera
from edge.cameras.livefeed import feed_for
from edge.line.engine import Engine, open_engine
from edge.line.opening import scales_of, with_saved_light
from edge.line.options import ScreeningOptions
from edge.line.screening import Screening
from edge.machine.profile import Profile, data_folder, load_profile
from edge.records.book import Book
from edge.records.store import Unrecorded
from edge.types import FilesRead, Reading, Sink, Waiting

_say = partial(command.say, "edge-device")


class Device:
    """What the arguments ask for, opened when it is needed.

    Parameters
    ----------
    arguments : of the command. held : closes what was opened.

    Attributes
    ----------
    profile, bundle : by which and what the line runs.
    """

    def __init__(self, arguments: argparse.Namespace, held: ExitStack) -> None:
        self._arguments, self._held = arguments, held
        self.profile: Profile = load_profile(arguments.profile)
        self.bundle: Bundle = bundle.load(
            arguments.bundle, allow_unsigned=arguments.allow_unsigned, large=arguments.large
        )

    @cached_property
    def engine(self) -> Engine:
        """The model, ready to read fields."""
        engine = open_engine(self.profile, self.bundle, self._arguments.runtime, _say)
        self._held.callback(engine.close)
        return engine

    def book(self) -> Book:
        """The records, to read."""
        return Book(self._arguments.records or data_folder() / "records.db", reads_only=True)

    def screening(self, camera: Camera, again: Callable[[], Camera], *, single_cell: bool) -> Screening:
        """The line on a camera, as the model ships; `again` makes the camera anew."""
        feed = feed_for(camera, again, prepare=with_saved_light)
        if camera.live:  # one that is away or busy is told at once, and the rest is made while it settles
            self._held.enter_context(feed)
        return Screening(
            camera=camera,
            bundle=self.bundle,
            classifier=self.engine.classifier,
            scales=scales_of(self._arguments.um_per_px, camera, self.bundle.manifest, self.profile),
            store=Unrecorded(),
            profile=self.profile.name,
            options=ScreeningOptions(single_cell=single_cell),
            sinks=[_Teller()],
            feed=feed,
            find=self.engine.find,
        )


class _Teller(Sink):
    """Says on standard error what somebody must know while cells are gathered."""

    def __init__(self) -> None:
        self._reason: str | None = None
        self._faults = 0

    def reading(self, reading: Reading) -> None:
        """What the user should be told once."""
        self._faults += reading.frame.fault is not None
        if reading.note:
            _say(reading.note)

    def waiting(self, trouble: Waiting | None) -> None:
        """Once for each reason, and once when the pictures come again."""
        reason = trouble.reason if trouble else None
        if reason != self._reason:
            self._reason = reason
            _say(f"{trouble.reason}; {trouble.advice}" if trouble else "the camera is back")

    def files(self, files: FilesRead) -> None:
        """Once, where something was left out."""
        if files.note:
            _say(files.note)
