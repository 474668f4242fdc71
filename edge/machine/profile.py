"""Device profiles: what the hardware is and how much of it the line may use, read from TOML.

The shipped profiles lie in `firmware_config/profiles`, one file a machine, and are recognised by
themselves. A profile says everything: nothing has a default in code, so that each value stands in one
place, with its reason beside it.
"""

from __future__ import annotations

import os
import platform
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

from edge.files import stricttoml, textfile
from edge.files.kernel import text
from edge.files.stricttoml import within
from edge.types import LeukoscopeError

RuntimeKind = Literal["auto", "ort", "trt"]
Precision = Literal["auto", "int8", "fp16", "fp32"]

AUTO = "auto"
"""Name that stands for the shipped profile of this machine."""

FALLBACK = "generic-x86-64"
"""The shipped profile of a machine that none fits: it asks for nothing special."""


class ConfigError(LeukoscopeError):
    """A profile that does not exist, cannot be read, or says something that cannot be."""


@dataclass(frozen=True)
class Machine:
    """Which machine a profile is for.

    Attributes
    ----------
    architecture : regular expression that the whole of `platform.machine()` must match.
    model : regular expression to be found in the device tree's model; empty fits every machine.
    """

    architecture: str
    model: str

    def __post_init__(self) -> None:
        for name in ("architecture", "model"):
            try:
                re.compile(getattr(self, name))
            except re.error as error:
                raise ValueError(f"{name} is not a regular expression: {error}") from error

    def fits(self, architecture: str, model: str) -> bool:
        """Whether this is the machine with that `platform.machine()` and device-tree model."""
        return bool(re.fullmatch(self.architecture, architecture) and re.search(self.model, model))


@dataclass(frozen=True)
class CameraSettings:
    """What to ask of a camera; one that cannot do it gives the nearest it can.

    Attributes
    ----------
    width, height : pixels of a frame.
    fps : frames per second.
    nominal_um_per_px : size of a pixel on the slide, in µm, where nothing better is known.
    settle_s : seconds that automatic exposure and white balance get before they are locked.
    """

    width: int
    height: int
    fps: int
    nominal_um_per_px: float
    settle_s: float

    def __post_init__(self) -> None:
        within("width", self.width, 64, 16384)
        within("height", self.height, 64, 16384)
        within("fps", self.fps, 1, 1000)
        within("nominal_um_per_px", self.nominal_um_per_px, 0.01, 10)
        within("settle_s", self.settle_s, 0, 60)


@dataclass(frozen=True)
class RuntimeSettings:
    """How the networks run.

    Attributes
    ----------
    kind : 'ort' (ONNX Runtime), 'trt' (TensorRT), or 'auto': TensorRT where it works, else ONNX Runtime.
    precision : 'int8', 'fp16' or 'fp32', or 'auto': the fastest that passes the self-test here.
    threads : processor threads for one inference.
    """

    kind: RuntimeKind
    precision: Precision
    threads: int

    def __post_init__(self) -> None:
        within("threads", self.threads, 1, 256)


@dataclass(frozen=True)
class ImageSettings:
    """How pictures are worked on: `threads` of the processor that OpenCV may use."""

    threads: int

    def __post_init__(self) -> None:
        within("threads", self.threads, 1, 256)


@dataclass(frozen=True)
class MemorySettings:
    """What the program may take: from `max_mb` megabytes on the service is ended and started again.

    That is twice what it needs, so that only a leak gets there.
    """

    max_mb: int

    def __post_init__(self) -> None:
        within("max_mb", self.max_mb, 256, 65536)


@dataclass(frozen=True)
class DisplaySettings:
    """The terminal screen draws `fps` pictures a second at most; others are counted and not drawn."""

    fps: int

    def __post_init__(self) -> None:
        within("fps", self.fps, 1, 60)


@dataclass(frozen=True)
class ThermalSettings:
    """When a hot processor makes the line slower.

    Attributes
    ----------
    slow_at_c : °C from which the line slows down by a step.
    recover_below_c : °C below which it takes a step back.
    steps_fps : frames per second at each step, falling.
    """

    slow_at_c: float
    recover_below_c: float
    steps_fps: tuple[float, ...]

    def __post_init__(self) -> None:
        within("slow_at_c", self.slow_at_c, 40, 110)
        within("recover_below_c", self.recover_below_c, 30, 110)
        if self.recover_below_c >= self.slow_at_c:
            raise ValueError(f"recover_below_c is {self.recover_below_c}; it must lie below slow_at_c")
        if not self.steps_fps or list(self.steps_fps) != sorted(set(self.steps_fps), reverse=True):
            raise ValueError(f"steps_fps is {list(self.steps_fps)}; it must fall from step to step")
        for fps in self.steps_fps:
            within("steps_fps", fps, 0.1, 60)


@dataclass(frozen=True)
class ServiceSettings:
    """The line as a service: after `watchdog_s` seconds without a sign of life it is started again."""

    watchdog_s: int

    def __post_init__(self) -> None:
        within("watchdog_s", self.watchdog_s, 5, 3600)


@dataclass(frozen=True)
class BoxSettings:
    """What `edge-device setup` installs: `parts`, names of folders in `firmware_config/parts`."""

    parts: tuple[str, ...]


@dataclass(frozen=True)
class Profile:
    """A device profile.

    Attributes
    ----------
    name : what the records call it.
    machine, camera, runtime, images, memory, display, thermal, service, box : the sections of the file,
        see each.
    """

    name: str
    machine: Machine
    camera: CameraSettings
    runtime: RuntimeSettings
    images: ImageSettings
    memory: MemorySettings
    display: DisplaySettings
    thermal: ThermalSettings
    service: ServiceSettings
    box: BoxSettings


def load_profile(name_or_path: str | None = None) -> Profile:
    """The device profile of this name or file; without one, or 'auto', the shipped one of this machine.

    Anything that ends in `.toml` or contains a folder separator is a file, the rest a shipped name.

    Raises
    ------
    ConfigError : it does not exist, or has an unknown, missing or impossible key; names file and key.
    """
    if name_or_path in (None, AUTO):
        return _fitting(platform.machine(), device_model())
    if name_or_path.endswith(".toml") or "/" in name_or_path or os.sep in name_or_path:
        return _read(Path(name_or_path))
    shipped = _shipped()
    if name_or_path not in shipped:
        raise ConfigError(
            f"profile {name_or_path!r}: there is none of this name; choose {', '.join(sorted(shipped))}, "
            "or give a .toml file"
        )
    return _read(shipped[name_or_path])


def device_model() -> str:
    """What the device tree calls this board ('Raspberry Pi 5 Model B Rev 1.0'); empty on a PC."""
    return text(Path("/proc/device-tree/model")).strip("\0\n ")


def data_folder() -> Path:
    """Where records and calibrations are kept: $LEUKOSCOPE_HOME, else leukoscope in the user's data folder.

    The user's data folder is $XDG_DATA_HOME or ~/.local/share (XDG Base Directory Specification 0.8).
    The folder is not made here.
    """
    if home := os.environ.get("LEUKOSCOPE_HOME"):
        return Path(home).expanduser()
    shared = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(shared).expanduser() / "leukoscope"


def _shipped() -> dict[str, Traversable]:
    folder = resources.files("firmware_config") / "profiles"
    return {file.name[:-5]: file for file in folder.iterdir() if file.name.endswith(".toml")}


def _fitting(architecture: str, model: str) -> Profile:
    """The shipped profile for this machine; one that names the board goes before one that does not."""
    profiles = {name: _read(file) for name, file in sorted(_shipped().items())}
    fitting = [p for p in profiles.values() if p.machine.fits(architecture, model)]
    by_board = [p for p in fitting if p.machine.model]
    return (by_board or fitting or [profiles[FALLBACK]])[0]


def _read(file: Path | Traversable) -> Profile:
    try:
        content = textfile.decoded(file.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(
            f"profile {file}: cannot be read: {reason}; or give another with --profile"
        ) from error
    try:
        return stricttoml.build(Profile, tomllib.loads(content))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"profile {file}: not valid TOML: {error}") from error
    except ValueError as error:
        raise ConfigError(f"profile {file}: {error}") from error
