"""The Video4Linux cameras for the list of everything attached."""

from __future__ import annotations

import errno
from pathlib import Path

from edge.cameras.attached import Attached, Format
from edge.cameras.v4l2 import formats, nodes
from edge.cameras.v4l2.device import KernelDevice, OpenDevice
from edge.cameras.v4l2.trouble import problem


def attached(root: Path = Path("/"), open_device: OpenDevice = KernelDevice) -> list[Attached]:
    """Those that can be unplugged first, and built-in ones last."""
    found = []
    for node in nodes.list_nodes(root, open_device):
        offered, trouble = _state(node, open_device)
        spec = nodes.lasting_path(node, root)
        found.append(Attached("uvc", node.model, spec, node.serial, offered, trouble))
    return found


def _state(node: nodes.Node, open_device: OpenDevice) -> tuple[tuple[Format, ...], str | None]:
    """What the camera offers at its best rates, and why it cannot be used."""
    try:
        device = open_device(node.path)
    except OSError as error:
        return (), problem(error.errno or errno.EIO)
    try:
        best: dict[tuple[str, int, int], Format] = {}
        for offer in formats.offered(device):
            key = (offer.pixels, offer.width, offer.height)
            best[key] = max(offer, best.get(key, offer), key=lambda each: each.fps)
        return tuple(best.values()), problem(errno.EBUSY) if nodes.busy(device) else None
    except OSError as error:
        return (), problem(error.errno or errno.EIO)
    finally:
        device.close()
