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
CAP_TIMEPERFRAME = 0x1000

BUF_FLAG_ERROR = 0x00000040
BUF_FLAG_TIMESTAMP_MASK = 0x0000E000
BUF_FLAG_TIMESTAMP_MONOTONIC = 0x00002000

FRMSIZE_TYPE_DISCRETE = 1
FRMIVAL_TYPE_DISCRETE = 1

CTRL_FLAG_DISABLED = 0x0001
CTRL_FLAG_READ_ONLY = 0x0004

CID_AUTO_WHITE_BALANCE = 0x0098090C
CID_GAIN = 0x00980913
CID_AUTOGAIN = 0x00980912
CID_WHITE_BALANCE_TEMPERATURE = 0x0098091A
CID_EXPOSURE_AUTO = 0x009A0901
CID_EXPOSURE_ABSOLUTE = 0x009A0902
CID_EXPOSURE_AUTO_PRIORITY = 0x009A0903
CID_FOCUS_AUTO = 0x009A090C

EXPOSURE_AUTO, EXPOSURE_MANUAL, EXPOSURE_SHUTTER_PRIORITY, EXPOSURE_APERTURE_PRIORITY = range(4)
EXPOSURE_FIXED = (EXPOSURE_MANUAL, EXPOSURE_SHUTTER_PRIORITY)


def fourcc(name: str) -> int:
    """The number of a pixel format's four letters, the first in the lowest byte."""
    return int(struct.unpack("<I", name.encode("ascii"))[0])


def letters(number: int) -> str:
    """The four letters of a pixel format's number, without spaces at the end."""
    return struct.pack("<I", number & 0x7FFFFFFF).decode("latin-1").rstrip()


class Capability(Structure):
    _fields_ = (
        ("driver", c_uint8 * 16),
        ("card", c_uint8 * 32),
        ("bus_info", c_uint8 * 32),
        ("version", c_uint32),
        ("capabilities", c_uint32),
        ("device_caps", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class FmtDesc(Structure):
    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("flags", c_uint32),
        ("description", c_uint8 * 32),
        ("pixelformat", c_uint32),
        ("mbus_code", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class _Stepwise(Structure):
    _fields_ = (
        ("min_width", c_uint32),
        ("max_width", c_uint32),
        ("step_width", c_uint32),
        ("min_height", c_uint32),
        ("max_height", c_uint32),
        ("step_height", c_uint32),
    )


class FrmSizeEnum(Structure):
    """A discrete size stands in `min_width` (width) and `max_width` (height), as in the union there."""

    _fields_ = (
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("type", c_uint32),
        ("size", _Stepwise),
        ("reserved", c_uint32 * 2),
    )


class Fract(Structure):
    _fields_ = (("numerator", c_uint32), ("denominator", c_uint32))


class FrmIvalEnum(Structure):
    """A discrete interval stands in `min`."""

    _fields_ = (
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("type", c_uint32),
        ("min", Fract),
        ("max", Fract),
        ("step", Fract),
        ("reserved", c_uint32 * 2),
    )


class _PixFormat(Structure):
    _fields_ = (
        ("width", c_uint32),
        ("height", c_uint32),
        ("pixelformat", c_uint32),
        ("field", c_uint32),
        ("bytesperline", c_uint32),
        ("sizeimage", c_uint32),
        ("colorspace", c_uint32),
        ("priv", c_uint32),
        ("flags", c_uint32),
        ("ycbcr_enc", c_uint32),
        ("quantization", c_uint32),
        ("xfer_func", c_uint32),
    )


class _FormatUnion(Union):
    # the header's union holds pointers elsewhere, so that it starts at a multiple of 8
    _fields_ = (("pix", _PixFormat), ("raw_data", c_uint8 * 200), ("_align", c_uint64))


class Format(Structure):
    _fields_ = (("type", c_uint32), ("fmt", _FormatUnion))


class StreamParm(Structure):
    _fields_ = (
        ("type", c_uint32),
        ("capability", c_uint32),
        ("capturemode", c_uint32),
        ("timeperframe", Fract),
        ("extendedmode", c_uint32),
        ("readbuffers", c_uint32),
        ("reserved", c_uint32 * 44),
    )


class RequestBuffers(Structure):
    _fields_ = (
        ("count", c_uint32),
        ("type", c_uint32),
        ("memory", c_uint32),
        ("capabilities", c_uint32),
        ("flags_and_reserved", c_uint32),
    )


class Buffer(Structure):
    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("bytesused", c_uint32),
        ("flags", c_uint32),
        ("field", c_uint32),
        ("tv_sec", c_int64),
        ("tv_usec", c_int64),
        ("timecode", c_uint8 * 16),
        ("sequence", c_uint32),
        ("memory", c_uint32),
        ("offset", c_uint64),
        ("length", c_uint32),
        ("reserved2", c_uint32),
        ("request_fd", c_int32),
    )


class QueryCtrl(Structure):
    _fields_ = (
        ("id", c_uint32),
        ("type", c_uint32),
        ("name", c_uint8 * 32),
        ("minimum", c_int32),
        ("maximum", c_int32),
        ("step", c_int32),
        ("default_value", c_int32),
        ("flags", c_uint32),
        ("reserved", c_uint32 * 2),
    )


class QueryMenu(Structure):
    _pack_ = 1
    _fields_ = (
        ("id", c_uint32),
        ("index", c_uint32),
        ("name", c_uint8 * 32),
        ("reserved", c_uint32),
    )


class Control(Structure):
    _fields_ = (("id", c_uint32), ("value", c_int32))


_READ, _WRITE = 2, 1  # directions of linux/ioctl.h, seen from the program


def _code(direction: int, number: int, kind: type[ctypes._SimpleCData[int]] | type[Structure]) -> int:
    return direction << 30 | ctypes.sizeof(kind) << 16 | ord("V") << 8 | number


QUERYCAP = _code(_READ, 0, Capability)
ENUM_FMT = _code(_READ | _WRITE, 2, FmtDesc)
G_FMT = _code(_READ | _WRITE, 4, Format)
S_FMT = _code(_READ | _WRITE, 5, Format)
REQBUFS = _code(_READ | _WRITE, 8, RequestBuffers)
QUERYBUF = _code(_READ | _WRITE, 9, Buffer)
QBUF = _code(_READ | _WRITE, 15, Buffer)
DQBUF = _code(_READ | _WRITE, 17, Buffer)
STREAMON = _code(_WRITE, 18, c_int32)
STREAMOFF = _code(_WRITE, 19, c_int32)
G_PARM = _code(_READ | _WRITE, 21, StreamParm)
S_PARM = _code(_READ | _WRITE, 22, StreamParm)
G_CTRL = _code(_READ | _WRITE, 27, Control)
S_CTRL = _code(_READ | _WRITE, 28, Control)
QUERYCTRL = _code(_READ | _WRITE, 36, QueryCtrl)
QUERYMENU = _code(_READ | _WRITE, 37, QueryMenu)
ENUM_FRAMESIZES = _code(_READ | _WRITE, 74, FrmSizeEnum)
ENUM_FRAMEINTERVALS = _code(_READ | _WRITE, 75, FrmIvalEnum)
