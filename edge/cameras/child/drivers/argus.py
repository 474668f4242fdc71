"""Jetson CSI cameras, and whatever else a GStreamer pipeline ends in: its application's sink hands over."""

from __future__ import annotations

import time
from typing import Any

try:
    import gi

    gi.require_version("Gst", "1.0")
    from gi.repository import GLib, Gst
except ValueError as error:  # GStreamer's description for Python is a package of its own
    raise ImportError(str(error)) from error

FIRST_S, NEXT_S = 5.0, 0.9
"""Longest waits for a picture; the other end waits a little longer and then ends this process."""

_LOOK_S = 0.1  # between two looks at what the pipeline has to say: an error does not end a wait for a picture


class Camera:
    """A running pipeline.

    Parameters
    ----------
    pipeline : with an element `source`, and an `appsink` named `sink` that gets pixels in system memory.
    """

    def __init__(self, pipeline: str) -> None:
        Gst.init(None)
        self._description = pipeline
        self._fixed: tuple[float | None, float | None] = None, None
        self._build()

    def start(self) -> dict[str, Any]:
        """Start, wait for the first picture, and tell what pictures look like."""
        self._pipeline.set_state(Gst.State.PLAYING)
        sample = self._pull(FIRST_S)
        form = sample.get_caps().get_structure(0)
        width, height = form.get_value("width"), form.get_value("height")
        return {
            "width": width,
            "height": height,
            "stride": sample.get_buffer().get_size() // height,
            "pixels": form.get_value("format"),
        }

    def frame(self, slot: memoryview) -> dict[str, Any]:
        """Write the newest picture, and tell when it was taken."""
        buffer = self._pull(NEXT_S).get_buffer()
        mapped, view = buffer.map(Gst.MapFlags.READ)
        if not mapped:
            raise RuntimeError("a picture cannot be read")
        try:
            slot[: view.size] = view.data
        finally:
            buffer.unmap(view)
        exposure_ms, gain = self._fixed
        told = buffer.pts != Gst.CLOCK_TIME_NONE
        return {
            "taken_ns": self._pipeline.get_base_time() + buffer.pts if told else None,
            "exposure_ms": exposure_ms,
            "gain": gain,
            "white": [],
        }

    def light(self, exposure_ms: float | None, gain: float | None, white: list[float]) -> None:
        """Fix these, and let the camera find the others; gains of colours cannot be set."""
        freed = any(had and not has for had, has in zip(self._fixed, (exposure_ms, gain), strict=True))
        self._fixed = exposure_ms, gain
        if freed:  # a range once set cannot be unset
            self.close()
            self._build()
            self.start()
        self._set("aelock", False)
        self._set("awblock", False)
        # ranges that begin where they end
        if exposure_ms:
            exposure_ns = round(1e6 * exposure_ms)
            self._set("exposuretimerange", f"{exposure_ns} {exposure_ns}")
        if gain:
            self._set("gainrange", f"{gain:g} {gain:g}")
            self._set("ispdigitalgainrange", "1 1")

    def lock(self) -> None:
        """Keep exposure, gain and white balance as they are now."""
        self._set("aelock", True)
        self._set("awblock", True)

    def close(self) -> None:
        """Stop the pipeline."""
        self._pipeline.set_state(Gst.State.NULL)

    def _build(self) -> None:
        try:
            self._pipeline = Gst.parse_launch(self._description)
        except GLib.Error as error:
            if error.matches(Gst.parse_error_quark(), Gst.ParseError.NO_SUCH_ELEMENT):
                raise ImportError(error.message) from error
            raise
        self._source = self._pipeline.get_by_name("source")
        self._sink = self._pipeline.get_by_name("sink")
        self._bus = self._pipeline.get_bus()

    def _set(self, name: str, value: Any) -> None:
        if self._source is not None and self._source.find_property(name):
            self._source.set_property(name, value)

    def _pull(self, seconds: float) -> Any:
        """The newest sample, or what the pipeline has to say when there is none."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            sample = self._sink.emit("try-pull-sample", round(_LOOK_S * Gst.SECOND))
            if sample is not None:
                return sample
            message = self._bus.pop_filtered(Gst.MessageType.ERROR | Gst.MessageType.EOS)
            if message is not None and message.type == Gst.MessageType.ERROR:
                raise RuntimeError(message.parse_error()[0].message)
            if message is not None:
                raise RuntimeError("the pictures ended")
        raise TimeoutError(f"nothing for {seconds:g} s")
