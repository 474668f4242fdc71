"""Raspberry Pi cameras through picamera2 (documented in "The Picamera2 Library", Raspberry Pi Ltd)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from picamera2 import MappedArray, Picamera2

PIXELS = "BGR888"
"""picamera2's name for arrays in the order red, green, blue."""

BUFFERS = 4
"""One loses frames, and many more do not fit into the memory that the system sets aside for cameras."""

FIRST_S, NEXT_S, STILL_S = 5.0, 0.9, 4.0
"""Longest waits for a picture; the other end waits a little longer and then ends this process."""

SLOWEST_US = 200_000
"""Longest time for a frame, in µs: how far automatic exposure may go in dim light."""


def cameras() -> list[dict[str, str]]:
    """Name and connector of every camera that is no USB camera, in picamera2's order."""
    return [
        {"name": str(info.get("Model", "camera")), "port": _port(info["Id"])}
        for info in Picamera2.global_camera_info()
        if "/usb" not in info["Id"]
    ]


class Camera:
    """A Raspberry Pi camera that delivers RGB.

    Parameters
    ----------
    number : as picamera2 counts.
    width, height, fps : of the pictures; libcamera gives its nearest.
    """

    def __init__(self, number: int, width: int, height: int, fps: int) -> None:
        present = cameras()
        if number >= len(present):
            raise FileNotFoundError(f"{len(present)} attached")
        try:
            self._camera = Picamera2(number)
        except RuntimeError as error:
            told = f"{error} {error.__cause__ or ''}".strip()
            if "busy" in told.lower() or "acquire" in told.lower():
                raise BlockingIOError(told) from error
            raise
        self._fixed = self._known(_controls(None, None, []))
        self._seen: dict[str, Any] = {}
        limits = (round(1e6 / fps), max(round(1e6 / fps), SLOWEST_US))
        self._camera.configure(
            self._camera.create_video_configuration(
                main={"size": (width, height), "format": PIXELS},
                raw=None,
                buffer_count=BUFFERS,
                controls=self._known({"FrameDurationLimits": limits}),
                sensor=self._sensor(width, height, fps),
                display=None,
                encode=None,
            )
        )
        main = self._camera.camera_configuration()["main"]
        if main["format"] != PIXELS:
            raise RuntimeError(f"the camera gives {main['format']}, not {PIXELS}")
        self._width, self._height = main["size"]

    def start(self) -> dict[str, Any]:
        """Start, wait for the first picture, and tell what pictures look like."""
        self._camera.start()
        with self._camera.captured_request(wait=FIRST_S) as request:
            self._seen = request.get_metadata()
        return _shape(self._width, self._height)

    def frame(self, slot: memoryview) -> dict[str, Any]:
        """Write the newest picture, and tell how it was taken."""
        shape = (self._height, self._width, 3)
        with self._camera.captured_request(wait=NEXT_S) as request:
            self._seen = request.get_metadata()
            with MappedArray(request, "main") as mapped:
                # rows of the camera's buffer may be padded
                np.copyto(np.ndarray(shape, np.uint8, slot), mapped.array)
        return _about(self._seen)

    def still(self) -> tuple[memoryview, dict[str, Any]]:
        """One picture of the whole sensor at full resolution, taken like the last ones."""
        configuration = self._camera.create_still_configuration(
            main={"size": self._camera.sensor_resolution, "format": PIXELS},
            raw=None,
            buffer_count=1,
            controls=self._known(_controls(*_values(self._seen))),
            display=None,
        )
        request = self._camera.switch_mode_and_capture_request(configuration, wait=STILL_S)
        try:
            picture = np.ascontiguousarray(request.make_array("main"))
            about = _about(request.get_metadata())
        finally:
            request.release()
        # changing modes forgets what was set since the start, but not that the light was fixed for the still
        self._camera.set_controls(self._fixed)
        height, width = picture.shape[:2]
        return picture.reshape(-1).data, about | _shape(width, height)

    def light(self, exposure_ms: float | None, gain: float | None, white: list[float]) -> None:
        """Fix these, and let the camera find the others."""
        self._fixed = self._known(_controls(exposure_ms, gain, white))
        self._camera.set_controls(self._fixed)

    def lock(self) -> None:
        """Keep exposure, gain and white balance as they are now."""
        self.light(*_values(self._seen))

    def close(self) -> None:
        """Let go of the camera."""
        self._camera.stop()
        self._camera.close()

    def _known(self, controls: dict[str, Any]) -> dict[str, Any]:
        """Those that this camera has: a monochrome one knows nothing of white balance."""
        return {name: value for name, value in controls.items() if name in self._camera.camera_controls}

    def _sensor(self, width: int, height: int, fps: int) -> dict[str, Any] | None:
        """The sensor's smallest mode that sees the whole field, is large and fast enough; None where none is.

        Left to itself libcamera takes the mode nearest in size, which on some sensors is cut out of the
        middle: a part of the field is lost.
        """
        # of some modes picamera2 knows no more than their pixel format
        modes = [mode for mode in self._camera.sensor_modes if "crop_limits" in mode]
        widest = max((_seen_area(mode) for mode in modes), default=0)
        fitting = [
            mode
            for mode in modes
            if _seen_area(mode) >= 0.95 * widest
            and mode["size"][0] >= width
            and mode["size"][1] >= height
            and mode["fps"] >= 0.95 * fps
        ]
        if not fitting:
            return None
        best = min(fitting, key=lambda mode: (mode["size"][0] * mode["size"][1], -mode["bit_depth"]))
        return {"output_size": best["size"], "bit_depth": best["bit_depth"]}


def _seen_area(mode: dict[str, Any]) -> int:
    """How much of the sensor a mode reads, in pixels of the sensor."""
    _, _, width, height = mode["crop_limits"]
    return int(width * height)


def _port(identity: str) -> str:
    """The bus that the camera is controlled over, which tells two connectors of a board apart."""
    found = re.search(r"i2c@[0-9a-f]+", identity)
    return found[0] if found else ""


def _shape(width: int, height: int) -> dict[str, Any]:
    return {"width": width, "height": height, "stride": 3 * width, "pixels": "RGB"}


def _controls(exposure_ms: float | None, gain: float | None, white: list[float]) -> dict[str, Any]:
    """libcamera's controls for this light; nought is picamera2's word for automatic."""
    controls: dict[str, Any] = {
        "AeEnable": exposure_ms is None or gain is None,
        "ExposureTime": round(1000 * exposure_ms) if exposure_ms else 0,
        "AnalogueGain": gain or 0.0,
        "AwbEnable": not white,
    }
    if white:
        controls["ColourGains"] = tuple(white)
    return controls


def _values(metadata: dict[str, Any]) -> tuple[float | None, float | None, list[float]]:
    """Exposure in ms, gain, and the gains of red and blue with which a picture was taken."""
    exposure_us = metadata.get("ExposureTime")
    return (
        exposure_us / 1000 if exposure_us else None,
        metadata.get("AnalogueGain"),
        list(metadata.get("ColourGains", ())),
    )


def _about(metadata: dict[str, Any]) -> dict[str, Any]:
    exposure_ms, gain, white = _values(metadata)
    return {
        "taken_ns": metadata.get("SensorTimestamp"),
        "exposure_ms": exposure_ms,
        "gain": gain,
        "white": white,
    }
