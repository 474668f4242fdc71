"""Numbers and structures of the kernel's interface, as in `linux/videodev2.h` (Linux 6.1) on 64-bit machines.

The layouts are the same on x86-64 and aarch64. The names are the header's, without `v4l2_` and `V4L2_`;
what is not used here is left out, but for its place in a structure.
"""

from __future__ import annotations

import ctypes
import struct
from ctypes import Structure, Union, c_int32, c_int64, c_uint8, c_uint32, c_uint64

BUF_TYPE_VIDEO_CAPTURE = 1
MEMORY_MMAP = 1

CAP_VIDEO_CAPTURE = 0x00000001
CAP_STREAMING = 0x04000000
CAP_IO_MC = 0x20000000
CAP_DEVICE_CAPS = 0x80000000

BUF_FLAG_ERROR = 0x00000040
BUF_FLAG_TIMESTAMP_MASK = 0x0000E000
BUF_FLAG_TIMESTAMP_MONOTONIC = 0x00002000

FRMSIZE_TYPE_DISCRETE = 1
FRMIVAL_TYPE_DISCRETE = 1

CTRL_FLAG_DISABLED = 0x0001

CID_AUTO_WHITE_BALANCE = 0x0098090C
CID_GAIN = 0x00980913
CID_AUTOGAIN = 0x00980912
CID_WHITE_BALANCE_TEMPERATURE = 0x0098091A
CID_EXPOSURE_AUTO = 0x009A0901
CID_EXPOSURE_ABSOLUTE = 0x009A0902
CID_FOCUS_AUTO = 0x009A090C

EXPOSURE_AUTO, EXPOSURE_MANUAL, EXPOSURE_SHUTTER_PRIORITY, EXPOSURE_APERTURE_PRIORITY = range(4)
EXPOSURE_FIXED = (EXPOSURE_MANUAL, EXPOSURE_SHUTTER_PRIORITY)


def fourcc(name: str) -> int:
    """The number of a pixel format's four letters, the first in the lowest byte."""
    return int(struct.unpack("<I", name.encode("ascii"))[0])


def letters(number: int) -> str:
    """The four letters of a pixel format's number, without spaces at the end."""
    return struct.pack("<I", number & 0x7FFFFFFF).decode("latin-1").rstrip()


def _u32(*names: str) -> list[tuple[str, type[c_uint32]]]:
    """Fields of 32 bits each, without a sign."""
    return [(name, c_uint32) for name in names]


class Capability(Structure):
    _fields_ = (
        ("driver", c_uint8 * 16), ("card", c_uint8 * 32), ("bus_info", c_uint8 * 32),
        *_u32("version", "capabilities", "device_caps"), ("reserved", c_uint32 * 3),
    )  # fmt: skip


class FmtDesc(Structure):
    _fields_ = (
        *_u32("index", "type", "flags"), ("description", c_uint8 * 32),
        *_u32("pixelformat", "mbus_code"), ("reserved", c_uint32 * 3),
    )  # fmt: skip


class _Stepwise(Structure):
    _fields_ = _u32("min_width", "max_width", "step_width", "min_height", "max_height", "step_height")


class FrmSizeEnum(Structure):
    """A discrete size stands in `min_width` (width) and `max_width` (height), as in the union there."""

    _fields_ = (*_u32("index", "pixel_format", "type"), ("size", _Stepwise), ("reserved", c_uint32 * 2))


class Fract(Structure):
    _fields_ = _u32("numerator", "denominator")


class FrmIvalEnum(Structure):
    """A discrete interval stands in `min`."""

    _fields_ = (
        *_u32("index", "pixel_format", "width", "height", "type"),
        ("min", Fract), ("max", Fract), ("step", Fract), ("reserved", c_uint32 * 2),
    )  # fmt: skip


class _PixFormat(Structure):
    _fields_ = _u32(
        "width", "height", "pixelformat", "field", "bytesperline", "sizeimage",
        "colorspace", "priv", "flags", "ycbcr_enc", "quantization", "xfer_func",
    )  # fmt: skip


class _FormatUnion(Union):
    # the header's union holds pointers elsewhere, so that it starts at a multiple of 8
    _fields_ = (("pix", _PixFormat), ("raw_data", c_uint8 * 200), ("_align", c_uint64))


class Format(Structure):
    _fields_ = (("type", c_uint32), ("fmt", _FormatUnion))


class StreamParm(Structure):
    _fields_ = (
        *_u32("type", "capability", "capturemode"), ("timeperframe", Fract),
        *_u32("extendedmode", "readbuffers"), ("reserved", c_uint32 * 44),
    )  # fmt: skip


class RequestBuffers(Structure):
    _fields_ = _u32("count", "type", "memory", "capabilities", "flags_and_reserved")


class Buffer(Structure):
    _fields_ = (
        *_u32("index", "type", "bytesused", "flags", "field"), ("tv_sec", c_int64), ("tv_usec", c_int64),
        ("timecode", c_uint8 * 16), *_u32("sequence", "memory"), ("offset", c_uint64),
        *_u32("length", "reserved2"), ("request_fd", c_int32),
    )  # fmt: skip


class QueryCtrl(Structure):
    _fields_ = (
        *_u32("id", "type"), ("name", c_uint8 * 32),
        ("minimum", c_int32), ("maximum", c_int32), ("step", c_int32), ("default_value", c_int32),
        ("flags", c_uint32), ("reserved", c_uint32 * 2),
    )  # fmt: skip


class QueryMenu(Structure):
    _pack_ = 1
    _fields_ = (*_u32("id", "index"), ("name", c_uint8 * 32), ("reserved", c_uint32))


class Control(Structure):
    _fields_ = (("id", c_uint32), ("value", c_int32))


_READ, _WRITE = 2, 1  # directions of linux/ioctl.h, seen from the program


def _code(direction: int, number: int, kind: type[ctypes._SimpleCData[int]] | type[Structure]) -> int:
    return direction << 30 | ctypes.sizeof(kind) << 16 | ord("V") << 8 | number


QUERYCAP = _code(_READ, 0, Capability)
ENUM_FMT = _code(_READ | _WRITE, 2, FmtDesc)
S_FMT = _code(_READ | _WRITE, 5, Format)
REQBUFS = _code(_READ | _WRITE, 8, RequestBuffers)
QUERYBUF = _code(_READ | _WRITE, 9, Buffer)
QBUF = _code(_READ | _WRITE, 15, Buffer)
DQBUF = _code(_READ | _WRITE, 17, Buffer)
STREAMON = _code(_WRITE, 18, c_int32)
STREAMOFF = _code(_WRITE, 19, c_int32)
S_PARM = _code(_READ | _WRITE, 22, StreamParm)
G_CTRL = _code(_READ | _WRITE, 27, Control)
S_CTRL = _code(_READ | _WRITE, 28, Control)
QUERYCTRL = _code(_READ | _WRITE, 36, QueryCtrl)
QUERYMENU = _code(_READ | _WRITE, 37, QueryMenu)
ENUM_FRAMESIZES = _code(_READ | _WRITE, 74, FrmSizeEnum)
ENUM_FRAMEINTERVALS = _code(_READ | _WRITE, 75, FrmIvalEnum)
