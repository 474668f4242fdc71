"""Which cameras are attached, of whatever kind, in the order that `--camera N` counts them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

ON_THE_BOARD = ("edge.cameras.picamera", "edge.cameras.csi")
"""Where the kinds of camera lie that sit on the board's own connector. They come first: somebody put them
there for this program. Each module has an `attached(root)` of its own."""

VIDEO4LINUX = "edge.cameras.v4l2.attached"
"""The same for the kind that comes after them."""


@dataclass(frozen=True)
class Format:
    """One of the ways in which a camera sends pictures.

    Attributes
    ----------
    pixels : the kernel's four letters, such as 'MJPG'.
    width, height : in pixels. fps : frames per second, 0 where the camera does not tell.
    """

    pixels: str
    width: int
    height: int
    fps: float

    def __str__(self) -> str:
        rate = f" at {self.fps:.3g}" if self.fps else ""
        return f"{self.width}×{self.height}{rate} {self.pixels}"


@dataclass(frozen=True)
class Attached:
    """A camera that is attached to this machine.

    Attributes
    ----------
    kind : 'uvc', 'picamera' or 'csi', a key of `selection.KINDS`.
    name : its model.
    spec : what `--camera` takes for exactly this one, wherever it stands in the list.
    serial : what tells two of one model apart, empty where nothing does.
    formats : what it offers at its best rates; empty where it does not tell, or not now.
    problem : why it cannot be used now, and what to do; None for a free one.
    """

    kind: str
    name: str
    spec: str
    serial: str = ""
    formats: tuple[Format, ...] = ()
    problem: str | None = None


def attached(root: Path = Path("/")) -> list[Attached]:
    """The cameras of this machine, in the order of `--camera N`.

    First those on the board's own connector, then USB cameras that can be unplugged, other devices that
    capture pictures, and at the end a laptop's built-in one, which looks at the user and not at a slide.
    `root` holds `sys`, `proc` and `dev`.
    """
    return [*on_the_board(root), *_of(VIDEO4LINUX, root)]


def on_the_board(root: Path = Path("/")) -> list[Attached]:
    """Those that come before the Video4Linux cameras."""
    return [camera for module in ON_THE_BOARD for camera in _of(module, root)]


def _of(module: str, root: Path) -> list[Attached]:
    return cast(list[Attached], import_module(module).attached(root))
