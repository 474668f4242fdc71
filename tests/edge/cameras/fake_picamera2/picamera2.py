"""Stands in for picamera2, in the process that `edge.cameras.child.drivers` runs in.

What it does wrong is told by JSON in $FAKE_PICAMERA2: see `FAULTS`. Pictures are red, with the number of the
frame in their first pixel's green and blue; buffers have padded rows and are used again at once.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

FAULTS: dict[str, Any] = {
    "cameras": 1,
    "busy": False,  # another program has the camera
    "start": "",  # message of an error at the start
    "hang_at": -1,  # frame that never comes
    "hold_at": -1,  # frame at which C code never gives the interpreter back
    "crash_at": -1,
    "stop_hangs": False,
    "format": "BGR888",
    "size": None,  # what the camera makes of the size asked for
    "chatter": "",  # written on standard output and on standard error with every frame
    "import": "",  # message of an ImportError
} | json.loads(os.environ.get("FAKE_PICAMERA2", "{}"))

if FAULTS["import"]:
    raise ImportError(FAULTS["import"])

PADDING = 40
FULL = (320, 240)
USB = {"Model": "Webcam", "Id": "/base/axi/pcie@1000120000/rp1/usb@200000-2:1.0-046d:0825", "Num": 0}


class Request:
    def __init__(self, buffer: np.ndarray, width: int, metadata: dict[str, Any]) -> None:
        self.buffer, self.width, self.metadata = buffer, width, metadata

    def get_metadata(self) -> dict[str, Any]:
        return dict(self.metadata)

    def make_array(self, name: str) -> np.ndarray:
        assert name == "main"
        return self.buffer[:, : 3 * self.width].reshape(-1, self.width, 3).copy()

    def release(self) -> None:
        self.buffer[:] = 99


class MappedArray:
    def __init__(self, request: Request, name: str) -> None:
        assert name == "main"
        self.request = request

    def __enter__(self) -> MappedArray:
        rows, width = self.request.buffer, self.request.width
        self.array = np.ndarray((len(rows), width, 3), np.uint8, rows, 0, (rows.strides[0], 3, 1))
        return self

    def __exit__(self, *error: object) -> None:
        del self.array


class Picamera2:
    sensor_resolution = FULL
    camera_controls = dict.fromkeys(
        ("AeEnable", "AwbEnable", "ExposureTime", "AnalogueGain", "ColourGains", "FrameDurationLimits")
    )
    sensor_modes: tuple[dict[str, Any], ...] = (
        {"format": "MONO"},
        {"size": (160, 120), "bit_depth": 10, "fps": 120.0, "crop_limits": (80, 60, 160, 120)},
        {"size": (160, 120), "bit_depth": 10, "fps": 60.0, "crop_limits": (0, 0, 320, 240)},
        {"size": (320, 240), "bit_depth": 12, "fps": 15.0, "crop_limits": (0, 0, 320, 240)},
    )

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        found = [
            {
                "Model": f"imx{296 + n}",
                "Id": f"/base/axi/pcie@1000120000/rp1/i2c@8{n}000/imx@1a",
                "Num": n + 1,
            }
            for n in range(FAULTS["cameras"])
        ]
        return [*found, USB]

    def __init__(self, number: int) -> None:
        if FAULTS["busy"]:
            raise RuntimeError("Camera __init__ sequence did not complete.") from RuntimeError(
                "Failed to acquire camera: Device or resource busy"
            )
        self.controls: dict[str, Any] = {}
        self.count = 0

    def create_video_configuration(self, **asked: Any) -> dict[str, Any]:
        assert asked["buffer_count"] == 4
        assert asked["raw"] is None
        return asked

    def create_still_configuration(self, **asked: Any) -> dict[str, Any]:
        return asked

    def configure(self, configuration: dict[str, Any]) -> None:
        size = FAULTS["size"] or configuration["main"]["size"]
        main = {"size": tuple(size), "format": FAULTS["format"]}
        self.configuration = configuration | {"main": main}
        self.controls |= configuration["controls"]

    def camera_configuration(self) -> dict[str, Any]:
        return self.configuration

    def set_controls(self, controls: dict[str, Any]) -> None:
        assert set(controls) <= set(self.camera_controls)
        self.controls |= controls

    def start(self) -> None:
        print(
            "[0:01:02] ERROR V4L2 v4l2_device.cpp:1: the sensor does not answer; \x1b[1mwhy", file=sys.stderr
        )
        if FAULTS["start"]:
            raise RuntimeError(FAULTS["start"])

    @contextmanager
    def captured_request(self, wait: float) -> Iterator[Request]:
        request = self._capture(wait)
        yield request
        request.release()

    def switch_mode_and_capture_request(self, configuration: dict[str, Any], wait: float) -> Request:
        live, before = self.configuration, dict(self.controls)
        self.configure(configuration)
        request = self._capture(wait)
        # the mode comes back with what it was configured with, fixed controls stay fixed
        self.configuration, self.controls = live, before | configuration["controls"]
        return request

    def stop(self) -> None:
        if FAULTS["stop_hangs"]:
            time.sleep(1000)

    def close(self) -> None:
        pass

    def _capture(self, wait: float) -> Request:
        self.count += 1
        if FAULTS["chatter"]:
            print(FAULTS["chatter"])
            print(FAULTS["chatter"], file=sys.stderr)
        if self.count == FAULTS["hang_at"]:
            time.sleep(1000)
        if self.count == FAULTS["hold_at"]:
            ctypes.PyDLL(None).sleep(1000)
        if self.count == FAULTS["crash_at"]:
            os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(0.005)
        width, height = self.configuration["main"]["size"]
        buffer = np.full((height, 3 * width + PADDING), 77, np.uint8)
        picture = buffer[:, : 3 * width]
        picture[:] = np.tile([200, 100, 50], width)
        picture[0, 1:3] = divmod(self.count, 256)
        return Request(buffer, width, self._metadata())

    def _metadata(self) -> dict[str, Any]:
        automatic = 1000 + 10 * self.count
        return {
            "SensorTimestamp": time.monotonic_ns() - 20_000_000,
            "ExposureTime": self.controls.get("ExposureTime") or automatic,
            "AnalogueGain": self.controls.get("AnalogueGain") or automatic / 500,
            "ColourGains": (automatic / 1000, 2.0)
            if self.controls.get("AwbEnable", True)
            else self.controls["ColourGains"],
            "FrameDurationLimits": self.controls["FrameDurationLimits"],
        }
