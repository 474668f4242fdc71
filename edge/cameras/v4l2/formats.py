"""Which sizes, rates and pixel formats a camera offers, and which of them is taken."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import TypeVar

from edge.cameras.attached import Format
from edge.cameras.v4l2 import abi
from edge.cameras.v4l2.device import Device
from edge.cameras.v4l2.layout import BITS
from edge.machine.profile import CameraSettings

T = TypeVar("T", bound=ctypes.Structure)

_MOST = 256  # of anything enumerated: a driver that never says "no more" must not hold us up


def offered(device: Device, wanted: CameraSettings | None = None) -> list[Format]:
    """Every format that can be decoded, one entry for each rate.

    Of sizes and rates that come in steps the largest stands for all, beside the one nearest to `wanted`.
    A camera that does not tell its rates gets an fps of 0.
    """
    formats = []
    for pixels in pixel_formats(device):
        if pixels in BITS:
            sizes = list(dict.fromkeys(_sizes(device, pixels, wanted)))
            if not sizes and wanted is not None:  # it does not tell, and will choose its nearest
                sizes = [(wanted.width, wanted.height)]
            for width, height in sizes:
                rates = dict.fromkeys(_rates(device, pixels, width, height, wanted)) or [0.0]
                formats += [Format(pixels, width, height, fps) for fps in rates]
    return formats


def pixel_formats(device: Device) -> list[str]:
    """Four letters of each pixel format, those included that cannot be decoded."""
    descriptions = _enumerate(
        device, abi.ENUM_FMT, lambda index: abi.FmtDesc(index=index, type=abi.BUF_TYPE_VIDEO_CAPTURE)
    )
    return [abi.letters(description.pixelformat) for description in descriptions]


def ranked(formats: Sequence[Format], wanted: CameraSettings) -> list[Format]:
    """These formats, the one to take first.

    Colour goes first, then the wanted size or else the nearest that is not smaller or else the largest,
    then the rate up to the wanted one, a difference below a tenth not counted. Only at equal rate does
    `pixels.BITS` decide, in which uncompressed pictures precede JPEG: they have lost nothing, and cost
    less to decode; where the cable is too slow for them their rate is lower.
    """

    def rank(offer: Format) -> tuple[float, ...]:
        fits = offer.width >= wanted.width and offer.height >= wanted.height
        area = offer.width * offer.height
        share = round(min(offer.fps / wanted.fps, 1.0), 1) if offer.fps else 1.0
        surplus = abs(offer.fps - wanted.fps)
        return (
            offer.pixels == "GREY", not fits, area if fits else -area,
            -share, list(BITS).index(offer.pixels), surplus,
        )  # fmt: skip

    return sorted(formats, key=rank)


def _sizes(device: Device, pixels: str, wanted: CameraSettings | None) -> Iterator[tuple[int, int]]:
    code = abi.fourcc(pixels.ljust(4))
    for answer in _enumerate(
        device, abi.ENUM_FRAMESIZES, lambda index: abi.FrmSizeEnum(index=index, pixel_format=code)
    ):
        size = answer.size
        if answer.type == abi.FRMSIZE_TYPE_DISCRETE:
            yield size.min_width, size.max_width
            continue
        if wanted is not None:
            yield (
                _step_up(wanted.width, size.min_width, size.max_width, size.step_width),
                _step_up(wanted.height, size.min_height, size.max_height, size.step_height),
            )
        yield size.max_width, size.max_height
        return  # the kernel's manual: then there is only this one answer


def _step_up(value: int, low: int, high: int, step: int) -> int:
    """The smallest of low, low + step, ... high that is not below `value`, else the highest."""
    step = max(step, 1)
    steps = -(-(max(value, low) - low) // step)
    return min(low + steps * step, high)


def _rates(
    device: Device, pixels: str, width: int, height: int, wanted: CameraSettings | None
) -> Iterator[float]:
    """Frames per second, as the reciprocals of the intervals that the camera tells."""
    code = abi.fourcc(pixels.ljust(4))
    for answer in _enumerate(
        device,
        abi.ENUM_FRAMEINTERVALS,
        lambda index: abi.FrmIvalEnum(index=index, pixel_format=code, width=width, height=height),
    ):
        shortest = answer.min
        if not shortest.numerator or not shortest.denominator:
            continue
        fps = shortest.denominator / shortest.numerator
        if answer.type != abi.FRMIVAL_TYPE_DISCRETE:
            if wanted is not None and wanted.fps < fps:
                yield float(wanted.fps)
            yield fps
            return
        yield fps


def _enumerate(device: Device, code: int, ask: Callable[[int], T]) -> Iterator[T]:
    for index in count():
        question = ask(index)
        try:
            device.ioctl(code, question)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY, errno.ENODATA):
                return
            raise
        yield question
        if index == _MOST:
            return
