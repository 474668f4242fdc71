"""Which Video4Linux cameras are attached, and how to know one again that was unplugged."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.cameras.v4l2 import abi
from edge.cameras.v4l2.device import Device, KernelDevice, OpenDevice
from edge.cameras.v4l2.formats import pixel_formats
from edge.cameras.v4l2.layout import BITS
from edge.files.kernel import text

MOVABLE, OTHER, BUILT_IN = range(3)
"""On USB and can be unplugged; no USB camera; on USB and part of the machine."""


@dataclass(frozen=True)
class Node:
    """A camera's node in /dev, and what tells it from others.

    Attributes
    ----------
    path : such as '/dev/video0'; it changes when the camera is plugged in again.
    model : its name. ids : vendor and product on USB, empty elsewhere.
    serial : as USB tells it, often empty, and often the same in all cameras of a model.
    port : where it is plugged in, as the kernel's path of the device.
    place : MOVABLE, OTHER or BUILT_IN.
    """

    path: str
    model: str
    ids: str = ""
    serial: str = ""
    port: str = ""
    place: int = OTHER

    def known_as(self, other: Node) -> int:
        """How surely this is the camera `other` was: 0 it is not, 1 the model, 2 its serial number too,
        3 the port too."""
        if (self.ids, self.model) != (other.ids, other.model) or self.serial != other.serial:
            return 0
        if self.port == other.port:
            return 3
        return 2 if self.serial else 1


def list_nodes(root: Path = Path("/"), open_device: OpenDevice = KernelDevice) -> list[Node]:
    """The cameras attached: those that can be unplugged, then others, then built-in ones, each by number.

    A camera has several nodes in /dev; the first (index 0) gives the pictures. Decoders, image processors
    and bare sensors (a CSI camera has its own kind) are left out. A node that may not be opened is listed
    all the same, so that opening it can say why not.
    """
    nodes = []
    entries = (root / "sys/class/video4linux").glob("video*")
    for entry in sorted(entries, key=lambda e: int(re.sub(r"\D", "", e.name) or 0)):
        path = str(root / "dev" / entry.name)
        if text(entry / "index") == "0" and _is_camera(path, open_device):
            nodes.append(_node(path, entry))
    return sorted(nodes, key=lambda node: node.place)


def find_again(before: Node, nodes: Sequence[Node]) -> Node | None:
    """The camera that was at `before`, whatever its number is now; None if it is not there.

    By its serial number, and by its port where two have the same. One without a serial number may have
    moved to another port if there is only one of its model.
    """
    sure = {node: node.known_as(before) for node in nodes}
    best = max(sure.values(), default=0)
    alike = [node for node in nodes if sure[node] == best]
    return alike[0] if best and (best > 1 or len(alike) == 1) else None


def _is_camera(path: str, open_device: OpenDevice) -> bool:
    """Whether the node is a camera's, as far as it can be asked: one that may not be opened may be one."""
    try:
        device = open_device(path)
    except OSError as error:
        return error.errno not in (errno.ENOTTY, errno.ENOENT)
    try:
        return captures(device) and _readable(device)
    except OSError as error:
        return error.errno == errno.ENODEV
    finally:
        device.close()


def _readable(device: Device) -> bool:
    """Whether it offers anything that can be decoded, or does not say: a bare sensor gives raw data only."""
    try:
        offered = pixel_formats(device)
    except OSError:
        return True
    return not offered or not BITS.keys().isdisjoint(offered)


def captures(device: Device) -> bool:
    """Whether it delivers pictures by itself. Raises OSError if it is no Video4Linux device at all."""
    about = abi.Capability()
    device.ioctl(abi.QUERYCAP, about)
    own = about.device_caps if about.capabilities & abi.CAP_DEVICE_CAPS else about.capabilities
    needed = abi.CAP_VIDEO_CAPTURE | abi.CAP_STREAMING
    return own & needed == needed and not own & abi.CAP_IO_MC


def busy(device: Device) -> bool:
    """Whether another program is taking pictures: only who asks for buffers is told."""
    request = abi.RequestBuffers(count=1, type=abi.BUF_TYPE_VIDEO_CAPTURE, memory=abi.MEMORY_MMAP)
    try:
        device.ioctl(abi.REQBUFS, request)
        request.count = 0
        device.ioctl(abi.REQBUFS, request)
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def lasting_path(node: Node, root: Path = Path("/")) -> str:
    """A path that names this camera also after it was plugged in again: udev's link to it, if there is one.

    By its serial number; without one by its port, for cameras of one model share the link to the model.
    """
    for kind in ("by-id", "by-path") if node.serial else ("by-path",):
        for link in sorted((root / "dev/v4l" / kind).glob("*")):
            if os.path.realpath(link) == os.path.realpath(node.path):
                return str(link)
    return node.path


def _node(path: str, entry: Path) -> Node:
    place = entry / "device"
    port = Path(os.path.realpath(place if place.exists() else entry))
    usb = next((folder for folder in (port, *port.parents) if (folder / "idVendor").is_file()), None)
    model = _model(text(entry / "name")) or entry.name
    if usb is None:
        return Node(path, model, port=str(port))
    return Node(
        path,
        model,
        ids=f"{text(usb / 'idVendor')}:{text(usb / 'idProduct')}",
        serial=text(usb / "serial"),
        port=str(port),
        place=BUILT_IN if text(usb / "removable") == "fixed" else MOVABLE,
    )


def _model(name: str) -> str:
    """The name without a repetition: the driver says 'Integrated Camera: Integrated C'."""
    product, _, function = name.partition(": ")
    return product if product.startswith(function) else name
