"""The kernel's own test camera in the guest, and what can be done to it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from edge.cameras.v4l2 import abi
from edge.cameras.v4l2.device import KernelDevice
from edge.cameras.v4l2.nodes import list_nodes

# controls of drivers/media/test-drivers/vivid/vivid-ctrls.c
DROPPED_PERCENT, DISCONNECT, FLAG_ERROR, REQBUFS_ERROR, QBUF_ERROR, STREAMON_ERROR, FATAL_ERROR = range(
    0x00F0F040, 0x00F0F047
)
TEST_PATTERN, NOISE = 0x00F0F000, 21
DRIVER = Path("/sys/bus/platform/drivers/vivid")
AWAY_S = 3.5
FEEDING_S = 10.0
"""Within this a program that feeds v4l2loopback has started, however slow the machine."""


@dataclass(frozen=True)
class Fault:
    """Something that happens to a camera.

    Attributes
    ----------
    strike : does it, and returns once the camera is as good as before.
    outage : there are no pictures while it lasts, so that the user must be told.
    """

    strike: Callable[[], None]
    outage: bool


def node() -> str:
    """Where the camera is now."""
    return list_nodes()[0].path


def press(control: int, value: int = 1, path: str | None = None) -> None:
    """Set a control."""
    with closing(KernelDevice(path or node())) as device:
        device.ioctl(abi.S_CTRL, abi.Control(id=control, value=value))


def show_noise() -> None:
    """Make every picture another: the usual ones are the same after each start."""
    press(TEST_PATTERN, NOISE)


def disconnect() -> None:
    """Unplugged, at first with another program still holding it, so that it cannot come back."""
    with closing(KernelDevice(node())) as other:
        other.ioctl(abi.S_CTRL, abi.Control(id=DISCONNECT, value=1))
        sleep(AWAY_S)


def unbind() -> None:
    (DRIVER / "unbind").write_text("vivid.0")
    sleep(AWAY_S)
    (DRIVER / "bind").write_text("vivid.0")


def freeze() -> None:
    press(DROPPED_PERCENT, 100)
    sleep(AWAY_S)
    press(DROPPED_PERCENT, 0)


def fatal() -> None:
    press(FATAL_ERROR)


def no_start() -> None:
    """The stream breaks, and then does not start at the first attempt."""
    press(STREAMON_ERROR)
    press(FATAL_ERROR)


def no_buffers() -> None:
    press(REQBUFS_ERROR)
    press(FATAL_ERROR)


FAULTS = {
    "disconnect": Fault(disconnect, outage=True),
    "unbind": Fault(unbind, outage=True),
    "freeze": Fault(freeze, outage=True),
    "fatal": Fault(fatal, outage=False),
    "no-start": Fault(no_start, outage=False),
    "no-buffers": Fault(no_buffers, outage=False),
    "flag-error": Fault(lambda: press(FLAG_ERROR), outage=False),
    "qbuf-error": Fault(lambda: press(QBUF_ERROR), outage=False),
}


@contextmanager
def loaded(module: str) -> Iterator[None]:
    """A kernel module with its options, such as 'vivid n_devs=2', for as long as this lasts."""
    subprocess.run(["modprobe", *module.split()], check=True)
    try:
        yield
    finally:
        subprocess.run(["modprobe", "-r", module.split()[0]], check=True)


@contextmanager
def held(path: str) -> Iterator[None]:
    """Another program takes pictures from this camera."""
    command = ["v4l2-ctl", "-d", path, "--stream-mmap", "--stream-count=1000000"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as other:
        sleep(2)
        try:
            yield
        finally:
            other.kill()


@contextmanager
def feeder(coding: str = "-pix_fmt yuyv422") -> Iterator[Callable[[], None]]:
    """A program that feeds v4l2loopback; gives what kills it and starts it again."""
    source = "-re -f lavfi -i testsrc=size=640x480:rate=25"
    command = f"ffmpeg -nostdin -v error {source} {coding} -f v4l2 /dev/video0"
    program = subprocess.Popen(command.split())
    sleep(FEEDING_S)

    def kill() -> None:
        nonlocal program
        program.kill()
        program.wait()
        program = subprocess.Popen(command.split())
        sleep(FEEDING_S)

    try:
        yield kill
    finally:
        program.kill()
        program.wait()
