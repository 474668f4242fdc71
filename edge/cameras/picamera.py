"""Raspberry Pi cameras on the board's own connector, through picamera2 in a process of its own."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

from edge.cameras.attached import Attached
from edge.cameras.child.driver import DriverError, interpreter, listed
from edge.cameras.child.isolated import SLOTS, IsolatedCamera, rgb
from edge.files.kernel import text
from edge.machine.profile import CameraSettings
from edge.types import Frame

STILL_S = 5.0
"""Longest wait for a still: the camera changes modes twice."""

ADVICE = {
    "missing": "picamera2 cannot be used{}; install it with `sudo apt install python3-picamera2`",
    "absent": "there is no such camera{}; switch off, check its ribbon cable at both ends, and switch on",
    "busy": "is used by another program; close it or choose another with --camera",
    "silent": "gives no pictures{}; check its ribbon cable, and restart the device if this goes on",
    "ended": "its driver broke down{}; restart the device if this goes on",
    "failed": "does not work{}; check its ribbon cable, and restart the device if this goes on",
}


class PiCamera(IsolatedCamera):
    """A camera of a Raspberry Pi.

    Its `Light`: the gain is the sensor's analogue one, `white` the gains of red and blue.

    Parameters
    ----------
    number : as picamera2 counts, from 0.
    settings : resolution and rate; the camera gives its nearest.
    root : folder that holds `proc`.
    """

    def __init__(self, number: int, settings: CameraSettings, root: Path = Path("/")) -> None:
        super().__init__(
            spec=f"picamera:{number}",
            attached=partial(attached, root),
            driver="raspberry",
            arguments={
                "number": number, "width": settings.width, "height": settings.height, "fps": settings.fps,
            },
            advice=ADVICE,
            settings=settings,
        )  # fmt: skip

    def still(self) -> Frame:
        """One picture of the whole sensor at full resolution, numbered 0; raises CameraError.

        The live pictures pause for about a second. Not for use in a loop: each still asks the system for
        a large piece of memory in one, which gets scarce.
        """
        with self._one_at_a_time:
            driver = self._opened()
            try:
                about = driver.ask(STILL_S, "still")
            except DriverError as error:
                raise self._explained(error) from error
            start = SLOTS * self._slots.step
            picture = os.pread(driver.memory, about["stride"] * about["height"], start)
            os.ftruncate(driver.memory, start)
            return self._frame(rgb(picture, 0, about), about, 0)


def attached(root: Path = Path("/")) -> list[Attached]:
    """The cameras of a Raspberry Pi, found once per process; none on other machines or without picamera2.

    None, too, while picamera2 does not answer, as it may when the machine has just started: then it is asked
    again the next time.
    """
    if "Raspberry Pi" not in text(root / "proc/device-tree/model"):
        return []
    with suppress(OSError, DriverError):
        return list(_listed(tuple(interpreter())))
    return []


@cache
def _listed(python: tuple[str, ...]) -> tuple[Attached, ...]:
    """What picamera2 finds with this interpreter: it takes seconds, and cameras come with a restart only.

    Raises DriverError, which is not kept.
    """
    cameras = listed("raspberry")
    return tuple(
        Attached("picamera", camera["name"], f"picamera:{number}", camera["port"])
        for number, camera in enumerate(cameras)
    )
