"""Cameras whose driver runs in a process of its own: what those of a Raspberry Pi and a Jetson share."""

from __future__ import annotations

import mmap
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np

from edge.cameras import CameraError
from edge.cameras.attached import Attached
from edge.cameras.child.driver import Driver, DriverError
from edge.machine.profile import CameraSettings
from edge.types import U8, Frame, Light

SLOTS = 4
"""Pictures in shared memory: one that waits, one in work, one on the screen, one to write into."""

OPEN_S = 9.0
"""Longest start: Python, picamera2 and libcamera take three seconds on a Raspberry Pi 4."""

SILENT_S = 1.0
"""Longest wait for a picture of an open camera."""

LIGHT_S = 3.0
"""Longest change of light, for which some cameras start anew."""

_CREDIBLE_S = 2.0  # a time stamp older than this, or from the future, is of another clock


class IsolatedCamera:
    """A live camera behind a `Driver`. Adjustable.

    A driver that gives nothing for a second makes `read` fail; closing ends its process, and opening
    starts another.

    Parameters
    ----------
    spec : what `--camera` takes for it; messages begin with it.
    attached : the cameras of this kind; one that is not among them yet is looked for again when it is open.
    driver : module in `edge/cameras/child/drivers`, and `arguments` of its class.
    advice : what to tell the user for a `DriverError`, by its reason, 'failed' for any other; `{}` stands
        for its detail.
    settings : `settle_s` is used here.
    """

    live = True
    um_per_px: float | None = None

    def __init__(
        self,
        spec: str,
        attached: Callable[[], Sequence[Attached]],
        driver: str,
        arguments: Mapping[str, Any],
        advice: Mapping[str, str],
        settings: CameraSettings,
    ) -> None:
        self._attached, self._known = attached, False
        self._spec, self._module, self._arguments, self._advice = spec, driver, arguments, advice
        self._settle_s = settings.settle_s
        self._one_at_a_time = threading.Lock()
        self._driver: Driver | None = None
        self._fixed: Light | None = None
        self._adjusted = self._locked = False
        self._light: Light | None = None
        self._recognise()

    def open(self) -> None:
        """Start the driver and wait for its first picture, for some seconds at most; raises CameraError."""
        with self._one_at_a_time:
            if self._driver is None:
                self._start()
                self._recognise()

    def read(self) -> Frame:
        """The newest picture; raises CameraError when there is none for a second, or the driver failed."""
        with self._one_at_a_time:
            driver = self._opened()
            try:
                self._adjust(driver)
                slot = self._slots.free()
                answer = driver.ask(SILENT_S, "frame", slot=slot)
            except DriverError as error:
                raise self._explained(error) from error
            self._index += 1
            return self._frame(self._slots.picture(slot), answer, self._index - 1)

    def close(self) -> None:
        """End the driver, by force where it does not end by itself."""
        with self._one_at_a_time:
            driver, self._driver = self._driver, None
            if driver is not None:
                del self._slots
                driver.end()

    def light(self) -> Light | None:
        """How the last picture was taken; None before the first, and where the driver does not tell."""
        return self._light

    def fix_light(self, light: Light | None) -> None:
        """Take pictures like this from the next one on; None: automatic, locked after `settle_s`."""
        self._fixed, self._adjusted = light, False

    def _recognise(self) -> None:
        """Learn name and serial; a machine that has just started may not tell them at first."""
        if self._known:
            return
        known = next((camera for camera in self._attached() if camera.spec == self._spec), None)
        self.name, self.serial = (known.name, known.serial) if known else (self._spec, "")
        self._known = known is not None

    def _start(self) -> None:
        driver = None
        try:
            driver = Driver(self._module, {"camera": dict(self._arguments)}, SLOTS)
            about = driver.answer(OPEN_S)
        except DriverError as error:
            if driver is not None:
                driver.end()
            raise self._explained(error) from error
        self._driver = driver
        self._slots = _Slots(driver.memory, about)
        self._index = 0
        self._adjusted, self._light = False, None

    def _opened(self) -> Driver:
        if self._driver is None:
            raise CameraError(f"camera {self._spec}: is not open")
        return self._driver

    def _adjust(self, driver: Driver) -> None:
        """See to it that the light is as asked for."""
        now = time.monotonic()
        if not self._adjusted:
            self._adjusted, self._locked = True, False
            self._lock_at_s = now + self._settle_s
            light = self._fixed or Light()
            driver.ask(LIGHT_S, "light", light={**vars(light), "white": list(light.white)})
        elif not self._locked and now >= self._lock_at_s:
            self._locked = True
            driver.ask(SILENT_S, "lock")

    def _frame(self, pixels: U8, answer: Mapping[str, Any], index: int) -> Frame:
        self._light = None
        if any(answer[key] for key in ("exposure_ms", "gain", "white")):
            self._light = Light(answer["exposure_ms"], answer["gain"], tuple(answer["white"]))
        captured_at, monotonic_s = _moment(answer["taken_ns"])
        return Frame(pixels, index, self.name, captured_at, monotonic_s, answer["exposure_ms"])

    def _explained(self, error: DriverError) -> CameraError:
        advice = self._advice.get(error.reason, self._advice["failed"])
        detail = f" ({error.detail})" if error.detail else ""
        return CameraError(f"camera {self._spec}: {advice.replace('{}', detail)}")


class _Slots:
    """Shared memory of a few pictures, which are lent out without copying where possible.

    A picture's memory is written again only when nobody holds its array, or a view of it, any more. From one
    slot to the next there are `step` bytes.
    """

    def __init__(self, memory: int, about: Mapping[str, Any]) -> None:
        self.step = int(about["step"])
        self._about = about
        self._map = mmap.mmap(memory, SLOTS * self.step)
        self._free = list(range(SLOTS))

    def free(self) -> int:
        """The slot to write the next picture into: always the lowest, so that memory is touched late."""
        return min(self._free)

    def picture(self, slot: int) -> U8:
        """The picture in a slot, RGB; it stays as it is for as long as the array lives."""
        start = slot * self.step
        if self._about["pixels"] != "RGB" or len(self._free) == 1:
            return rgb(self._map, start, self._about)
        height, width = self._about["height"], self._about["width"]
        array: U8 = np.ndarray((height, width, 3), np.uint8, self._map, start)
        self._free.remove(slot)
        weakref.finalize(array, self._free.append, slot).atexit = False
        return array


def rgb(memory: mmap.mmap | bytes, start: int, about: Mapping[str, Any]) -> U8:
    """A copy of a picture as RGB, (H, W, 3) uint8; `about` tells its size, bytes a row, and pixels."""
    height, width, stride = about["height"], about["width"], about["stride"]
    depth = {"RGB": 3, "BGRx": 4}[about["pixels"]]
    view: U8 = np.ndarray((height, width, depth), np.uint8, memory, start, (stride, depth, 1))
    return np.asarray(cv2.cvtColor(view, cv2.COLOR_BGRA2RGB), np.uint8) if depth == 4 else view.copy()


def _moment(taken_ns: int | None) -> tuple[datetime, float]:
    """Wall clock and monotonic seconds of a picture with this time stamp, or of now without a credible one.

    Drivers count from the start of the machine, most with CLOCK_MONOTONIC, some with CLOCK_BOOTTIME,
    which goes on while the machine is suspended (libcamera, controls::SensorTimestamp).
    """
    ages_s = (
        (time.clock_gettime_ns(clock) - taken_ns) / 1e9
        for clock in (time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME)
        if taken_ns is not None
    )
    age_s = next((age_s for age_s in ages_s if 0 <= age_s < _CREDIBLE_S), 0.0)
    return datetime.now(UTC) - timedelta(seconds=age_s), time.monotonic() - age_s
