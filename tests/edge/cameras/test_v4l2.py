from __future__ import annotations

import ctypes
import errno
import re
from pathlib import Path

import numpy as np
import pytest

from edge.cameras.attached import Format
from edge.cameras.v4l2 import abi
from edge.cameras.v4l2.capture import Capture, Stamps
from edge.cameras.v4l2.decoder import Decoder
from edge.cameras.v4l2.device import KernelDevice
from edge.cameras.v4l2.formats import offered, ranked
from edge.cameras.v4l2.layout import BITS, Layout, row_bytes, size_bytes
from edge.cameras.v4l2.light import Range
from edge.cameras.v4l2.pixels import rgb
from edge.machine.profile import CameraSettings
from edge.types import Reduced
from tests.edge.cameras.fake_v4l2 import SMALL, FakeCamera, FakeDevice, encoded
from tests.edge.cameras.fakes import number_in, picture

HEADER = Path("/usr/include/linux/videodev2.h")


def wanted(width: int = 1920, height: int = 1080, fps: int = 15) -> CameraSettings:
    return CameraSettings(width, height, fps, nominal_um_per_px=0.1, settle_s=1)


@pytest.mark.parametrize(
    ("structure", "size", "offsets"),
    [
        (abi.Capability, 104, {"card": 16, "capabilities": 84, "device_caps": 88}),
        (abi.FmtDesc, 64, {"pixelformat": 44}),
        (abi.FrmSizeEnum, 44, {"type": 8, "size": 12}),
        (abi.FrmIvalEnum, 52, {"type": 16, "min": 20}),
        (abi.Format, 208, {"fmt": 8}),
        (abi.StreamParm, 204, {"timeperframe": 12}),
        (abi.RequestBuffers, 20, {"memory": 8}),
        (abi.Buffer, 88, {"tv_sec": 24, "sequence": 56, "offset": 64, "length": 72}),
        (abi.QueryCtrl, 68, {"minimum": 40, "flags": 56}),
        (abi.QueryMenu, 44, {"name": 8}),
        (abi.Control, 8, {"value": 4}),
    ],
)
def test_layouts_are_the_kernels(
    structure: type[ctypes.Structure], size: int, offsets: dict[str, int]
) -> None:
    """As a C compiler lays out the structures of linux/videodev2.h on x86-64 and aarch64."""
    assert ctypes.sizeof(structure) == size
    assert {name: getattr(structure, name).offset for name in offsets} == offsets


def test_numbers_of_calls() -> None:
    assert (abi.QUERYCAP, abi.S_FMT, abi.DQBUF) == (0x80685600, 0xC0D05605, 0xC0585611)
    assert (abi.STREAMON, abi.ENUM_FRAMEINTERVALS, abi.QUERYMENU) == (0x40045612, 0xC034564B, 0xC02C5625)


@pytest.mark.skipif(not HEADER.exists(), reason="the kernel's headers are not installed")
def test_pixel_formats_are_the_headers() -> None:
    known = {
        "".join(each)
        for each in re.findall(r"v4l2_fourcc\('(.)', *'(.)', *'(.)', *'(.)'\)", HEADER.read_text())
    }
    assert known >= set(BITS)
    assert abi.letters(abi.fourcc("YUYV")) == "YUYV"
    assert abi.letters(abi.fourcc("Y16 ")) == "Y16"


# pixels


@pytest.mark.parametrize("pixels", BITS)
@pytest.mark.parametrize("padding", [0, 32])
def test_every_format_becomes_rgb(pixels: str, padding: int) -> None:
    original = picture(7)
    original[:24, :, 2] = 200  # above and below differ, and so do left and right
    data = encoded(pixels, original)
    rows = row_bytes(pixels, 64)
    if padding and pixels in ("MJPG", "JPEG", "YU12"):
        pytest.skip("has no rows of one length")
    if padding:
        lines = np.frombuffer(data, np.uint8).reshape(-1, rows)
        data = np.pad(lines, ((0, 0), (0, padding))).tobytes()
    layout = Layout(pixels, 64, 48, rows + padding)
    assert len(data) >= size_bytes(layout)
    found = rgb(data, layout)
    assert found.shape == (48, 64, 3)
    assert found.dtype == np.uint8
    assert found.flags.writeable
    if pixels == "GREY":
        np.testing.assert_array_equal(found[..., 0], found[..., 2])
    else:
        inner = np.s_[2:-2, 2:-2]  # half the colours: a pixel's neighbour counts too
        error = np.abs(found[inner].astype(int) - original[inner])
        assert error.mean() < 4
        assert np.percentile(error, 95) <= 12


def test_padded_planes_of_yu12() -> None:
    data = np.frombuffer(encoded("YU12", picture(5)), np.uint8)
    luma = np.pad(data[: 48 * 64].reshape(48, 64), ((0, 0), (0, 32)))
    chroma = np.pad(data[48 * 64 :].reshape(48, 32), ((0, 0), (0, 16)))
    found = rgb(luma.tobytes() + chroma.tobytes(), Layout("YU12", 64, 48, 96))
    np.testing.assert_array_equal(found, rgb(data.tobytes(), Layout("YU12", 64, 48, 64)))


@pytest.mark.parametrize("pixels", BITS)
def test_half_a_picture_is_none(pixels: str) -> None:
    data = encoded(pixels, picture(3))
    layout = Layout(pixels, 64, 48, row_bytes(pixels, 64))
    for part in (b"", data[: len(data) // 2]):
        with pytest.raises(ValueError, match=r"are no 64×48|is torn"):
            rgb(part, layout)


def test_a_jpeg_without_huffman_tables() -> None:
    """Cameras leave the tables of ITU T.81, annex K out of their motion JPEG."""
    data = encoded("MJPG", picture(4))
    bare = re.sub(rb"(?s)\xff\xc4.*?(?=\xff[\xc0\xda])", b"", data)
    assert len(bare) < len(data)
    assert number_in(rgb(bare, Layout("MJPG", 64, 48, 0))) == 4


def test_a_jpeg_with_rubbish_within_is_none(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(encoded("MJPG", picture(4, 480, 640)))
    middle = len(data) * 2 // 3
    data[middle : middle + 4] = b"\xff\xe7\x01\x02"
    with pytest.raises(ValueError, match="is torn"):
        rgb(bytes(data), Layout("MJPG", 640, 480, 0))
    assert capfd.readouterr().err == ""


def test_a_jpeg_may_be_padded() -> None:
    data = encoded("MJPG", picture(4)) + bytes(4000)
    assert number_in(rgb(data, Layout("MJPG", 64, 48, 0))) == 4


def test_one_odd_picture_does_not_change_the_size() -> None:
    sizes = [Format("YUYV", 64, 48, 25), Format("YUYV", 32, 24, 25)]
    decoder = Decoder(Layout("YUYV", 64, 48, 128), sizes)
    small, right = encoded("YUYV", picture(1, 24, 32)), encoded("YUYV", picture(1))
    for _ in range(3):
        with pytest.raises(ValueError, match="are no 64×48"):
            decoder.decode(small)
        assert decoder.decode(right).shape == (48, 64, 3)
    assert decoder.note is None
    for _ in range(2):
        with pytest.raises(ValueError, match="are no 64×48"):
            decoder.decode(small)
    assert decoder.decode(small).shape == (24, 32, 3)
    assert decoder.note == "sends 32×24 pixels though 64×48 YUYV was agreed"


# formats


def f(pixels: str, width: int, height: int, *rates: float) -> list[Format]:
    return [Format(pixels, width, height, fps) for fps in rates]


@pytest.mark.parametrize(
    ("formats", "best"),
    [
        # the cable is too slow for uncompressed full HD
        (f("YUYV", 1920, 1080, 5) + f("MJPG", 1920, 1080, 30), ("MJPG", 1920, 1080, 30)),
        # nothing is lost by compression where there is no need for it
        (f("MJPG", 1920, 1080, 30) + f("YUYV", 1920, 1080, 15), ("YUYV", 1920, 1080, 15)),
        (f("MJPG", 1920, 1080, 15) + f("YUYV", 1920, 1080, 14.985), ("YUYV", 1920, 1080, 14.985)),
        # resolution goes before rate
        (f("YUYV", 640, 480, 30) + f("YUYV", 1920, 1080, 5), ("YUYV", 1920, 1080, 5)),
        # the nearest that is not smaller, else the largest
        (f("MJPG", 2592, 1944, 15) + f("MJPG", 2048, 1536, 15), ("MJPG", 2048, 1536, 15)),
        (f("MJPG", 2048, 1536, 15) + f("MJPG", 1280, 720, 60), ("MJPG", 2048, 1536, 15)),
        (f("MJPG", 640, 480, 60) + f("MJPG", 1600, 1200, 15), ("MJPG", 1600, 1200, 15)),
        (f("MJPG", 640, 480, 60) + f("MJPG", 1280, 720, 15), ("MJPG", 1280, 720, 15)),
        # no more pictures than wanted
        (f("MJPG", 1920, 1080, 60, 30, 15, 5), ("MJPG", 1920, 1080, 15)),
        (f("MJPG", 1920, 1080, 60, 25, 10), ("MJPG", 1920, 1080, 25)),
        # colours before everything
        (f("GREY", 1920, 1080, 60) + f("YUYV", 640, 480, 10), ("YUYV", 640, 480, 10)),
        # one that does not tell its rate
        (f("YUYV", 1920, 1080, 5) + f("MJPG", 1920, 1080, 0), ("MJPG", 1920, 1080, 0)),
    ],
)  # fmt: skip
def test_which_format_is_taken(formats: list[Format], best: tuple[str, int, int, float]) -> None:
    for order in (formats, formats[::-1]):
        assert ranked(order, wanted())[0] == Format(*best)


def test_sizes_and_rates_are_listed_one_by_one() -> None:
    fake = FakeCamera(
        offers={"MJPG": {(64, 48): (30.0, 15.0), (32, 24): (60.0,)}, "H264": {(64, 48): (30.0,)}}
    )
    assert offered(fake.open("")) == [*f("MJPG", 64, 48, 30, 15), *f("MJPG", 32, 24, 60)]


@pytest.mark.parametrize(("step", "size"), [(16, (1920, 1088)), (1, (1920, 1080)), (0, (1920, 1080))])
def test_sizes_and_rates_that_come_in_steps(step: int, size: tuple[int, int]) -> None:
    class Stepwise(FakeDevice):
        def ioctl(self, code: int, argument: object) -> None:
            if isinstance(argument, abi.FrmSizeEnum):
                argument.type = 3
                (
                    argument.size.min_width, argument.size.max_width, argument.size.step_width,
                    argument.size.min_height, argument.size.max_height, argument.size.step_height,
                ) = 64, 4096, step, 64, 2160, step  # fmt: skip
            elif isinstance(argument, abi.FrmIvalEnum):
                argument.type = 2
                argument.min.numerator, argument.min.denominator = 1, 60
            else:
                super().ioctl(code, argument)  # type: ignore[arg-type]

    device = Stepwise(FakeCamera(offers={"YUYV": {}}))
    assert offered(device, wanted()) == [*f("YUYV", *size, 15, 60), *f("YUYV", 4096, 2160, 15, 60)]
    assert offered(device) == f("YUYV", 4096, 2160, 60)


def test_a_camera_that_tells_neither_sizes_nor_rates() -> None:
    fake = FakeCamera()
    fake.fails[abi.ENUM_FRAMESIZES] = fake.fails[abi.ENUM_FRAMEINTERVALS] = errno.ENOTTY
    assert offered(fake.open(""), wanted()) == [*f("YUYV", 1920, 1080, 0), *f("MJPG", 1920, 1080, 0)]


def test_a_camera_that_never_stops_listing() -> None:
    class Endless(FakeDevice):
        def ioctl(self, code: int, argument: object) -> None:
            if isinstance(argument, abi.FmtDesc):
                argument.index = 0
            super().ioctl(code, argument)  # type: ignore[arg-type]

    assert len(offered(Endless(FakeCamera()))) < 1000


# the stream


def test_a_stream_asks_for_what_was_chosen_and_lets_go_of_all() -> None:
    fake = FakeCamera(offers={**SMALL, "RGB3": {(128, 96): (5.0, 10.0)}})
    device = fake.open("")
    capture = Capture(device, Format("RGB3", 128, 96, 10.0), fake.clock)
    assert (capture.layout, device.fps) == (Layout("RGB3", 128, 96, 384), 10.0)
    assert len(device.memory) == 4
    capture.stop()
    device.close()
    assert fake.held == 0


def test_a_driver_that_takes_something_else_altogether() -> None:
    class Other(FakeDevice):
        def ioctl(self, code: int, argument: object) -> None:
            super().ioctl(code, argument)  # type: ignore[arg-type]
            if isinstance(argument, abi.Format):
                argument.fmt.pix.pixelformat = abi.fourcc("H264")

    with pytest.raises(OSError, match="takes H264 for YUYV"):
        Capture(Other(FakeCamera()), Format("YUYV", 64, 48, 25))


def test_stamps_of_another_clock_are_not_trusted() -> None:
    def stamped(stamp_s: float, flags: int = abi.BUF_FLAG_TIMESTAMP_MONOTONIC) -> abi.Buffer:
        return abi.Buffer(tv_sec=int(stamp_s), tv_usec=round(stamp_s % 1 * 1e6), flags=flags)

    stamps = Stamps()
    assert stamps.read(stamped(99.75), 100.0) == (99.75, False)
    assert stamps.read(stamped(99.75), 100.5) == (100.5, True)  # it stands still
    assert stamps.read(stamped(100.75), 101.0) == (101.0, False)  # and is never trusted again
    assert Stamps().read(stamped(99.75, flags=0x4000), 100.0)[0] == 100.0
    backwards = Stamps()
    backwards.read(stamped(99.75), 100.0)
    assert backwards.read(stamped(99.5), 99.75)[0] > 99.75


def test_controls_are_set_within_their_range() -> None:
    temperature = Range(2800, 6500, 10)
    assert [temperature.nearest(value) for value in (0, 2800, 4012, 4016, 9999)] == [
        2800,
        2800,
        4010,
        4020,
        6500,
    ]
    assert Range(0, 5, 0).nearest(3.4) == 3


def test_an_open_device_is_a_file_that_is_closed_again(tmp_path: Path) -> None:
    path = tmp_path / "node"
    path.write_bytes(b"picture")
    device = KernelDevice(str(path))
    assert device.wait(0)
    assert device.map(7, 0)[:7] == b"picture"
    with pytest.raises(OSError, match="ioctl"):
        device.ioctl(abi.QUERYCAP, abi.Capability())
    device.close()
    device.close()


def test_a_jpeg_comes_at_half_its_size_where_that_is_asked_for() -> None:
    decoder = Decoder(Layout("MJPG", 64, 48, 0), ())
    half = decoder.decode(encoded("MJPG", picture(4)), 2)
    assert isinstance(half, Reduced)
    assert (half.pixels.shape, half.size) == ((24, 32, 3), (64, 48))
    assert decoder.note is None
    assert number_in(half.pixels) == number_in(half.decode()) == 4
    raw = Decoder(Layout("YUYV", 64, 48, 128), ()).decode(encoded("YUYV", picture(4)), 2)
    assert isinstance(raw, np.ndarray)


@pytest.mark.parametrize("reduction", [1, 2])
def test_what_cameras_leave_before_the_end_of_a_jpeg_is_no_damage(reduction: int) -> None:
    data = encoded("MJPG", picture(4))
    found = rgb(data[:-2] + b"\x12\x34\x56" + data[-2:], Layout("MJPG", 64, 48, 0), reduction)
    assert number_in(found.pixels if isinstance(found, Reduced) else found) == 4
