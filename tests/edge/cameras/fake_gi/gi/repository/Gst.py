# ruff: noqa: N999  (as the binding names it)
"""As much of GStreamer as the driver uses; the picture is orange, and its first pixel's red its number."""

from __future__ import annotations

import re
import time
from typing import Any

from gi import FAULTS
from gi.repository import GLib

SECOND = 1_000_000_000
CLOCK_TIME_NONE = 2**64 - 1
RANGES = {"exposuretimerange": None, "gainrange": None, "ispdigitalgainrange": None}


class State:
    PLAYING, NULL = "PLAYING", "NULL"


class MessageType:
    ERROR, EOS = 1, 2


class MapFlags:
    READ = 1


class ParseError:
    NO_SUCH_ELEMENT = 1


def parse_error_quark() -> int:
    return 7


def init(arguments: None) -> None:
    pass


def parse_launch(description: str) -> Pipeline:
    if "nosuch" in description:
        raise GLib.Error('no element "nosuch"', unknown_element=True)
    return Pipeline(description)


class Message:
    type = MessageType.ERROR

    def parse_error(self) -> tuple[GLib.Error, str]:
        return GLib.Error("TIMEOUT; argus died"), "gstnvarguscamerasrc.cpp(1)"


class View:
    def __init__(self, data: bytes) -> None:
        self.data, self.size = data, len(data)


class Buffer:
    mapped = 0

    def __init__(self, data: bytes, pts: int) -> None:
        self._data, self.pts = data, pts

    def get_size(self) -> int:
        return len(self._data)

    def map(self, flags: int) -> tuple[bool, View]:
        assert Buffer.mapped == 0, "the buffer before was not unmapped"
        Buffer.mapped += 1
        return True, View(self._data)

    def unmap(self, view: View) -> None:
        Buffer.mapped -= 1


class Structure(dict[str, Any]):
    def get_value(self, name: str) -> Any:
        return self[name]


class Caps:
    def __init__(self, structure: Structure) -> None:
        self._structure = structure

    def get_structure(self, number: int) -> Structure:
        return self._structure


class Sample:
    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def get_caps(self) -> Caps:
        width, height = self._pipeline.size
        return Caps(Structure(width=width, height=height, format="BGRx"))

    def get_buffer(self) -> Buffer:
        width, height = self._pipeline.size
        orange = bytes([10, 120, 240, 0])
        first = bytes([10, 120, self._pipeline.count, 0])
        # a locked or fixed exposure shows in the second pixel's blue
        second = bytes([self._pipeline.shown(), 120, 240, 0])
        pts = time.monotonic_ns() - self._pipeline.get_base_time() - 30_000_000
        return Buffer(first + second + orange * (width * height - 2), pts)


class Pipeline:
    """Source, sink, bus and pipeline in one."""

    def __init__(self, description: str) -> None:
        self.size = tuple(int(n) for n in re.findall(r"(?:width|height)=(\d+)", description))
        assert "appsink name=sink drop=true max-buffers=1 sync=false" in description
        self.count = 0
        self.properties = {"aelock": False, "awblock": False, **RANGES}

    def get_by_name(self, name: str) -> Pipeline:
        assert name in ("source", "sink")
        return self

    def get_bus(self) -> Pipeline:
        return self

    def get_base_time(self) -> int:
        return 1_000_000

    def set_state(self, state: str) -> None:
        if FAULTS["prints"]:
            print("GST_ARGUS: Creating output stream")
        if state == FAULTS["state_hangs"]:
            time.sleep(1000)

    def emit(self, signal: str, wait_ns: int) -> Sample | None:
        assert signal == "try-pull-sample"
        assert isinstance(wait_ns, int)
        time.sleep(0.005)
        self.count += 1
        if self.count == FAULTS["error_at"] or 0 <= FAULTS["silent_at"] < self.count:
            time.sleep(wait_ns / 1e9)
            return None
        return Sample(self)

    def pop_filtered(self, kinds: int) -> Message | None:
        return Message() if self.count == FAULTS["error_at"] else None

    def find_property(self, name: str) -> object:
        return self.properties.get(name, self) is not self or None

    def set_property(self, name: str, value: Any) -> None:
        self.properties[name] = value

    def shown(self) -> int:
        if self.properties["exposuretimerange"]:
            start, end = self.properties["exposuretimerange"].split()
            assert start == end
            return 100 + int(start) // 1_000_000
        return 99 if self.properties["aelock"] and self.properties["awblock"] else 0
