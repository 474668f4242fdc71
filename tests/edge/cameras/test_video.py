"""Videos that are damaged, cut short or turned: no picture is lost without a word, none is garbage."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cameras import CameraError
from edge.cameras.files import video
from edge.cameras.files.camera import FileCamera
from edge.cameras.files.packets import packets
from edge.types import U8, Frame
from tests.conftest import ROOT

COUNT = 30
HOLE = ROOT.parent / "shared" / "cases" / "15-hole.avi"


def frames_of(path: Path) -> list[Frame]:
    with closing(FileCamera(str(path))) as camera:
        camera.open()
        return list(iter(camera.read, None))


def faults(frames: list[Frame]) -> dict[str | None, int]:
    return dict(Counter(frame.fault for frame in frames))


def field(number: int) -> U8:
    rng = np.random.default_rng(3)
    return np.roll(cv2.GaussianBlur(rng.integers(0, 255, (240, 320, 3), np.uint8), (0, 0), 2), 3 * number, 1)


Write = Callable[[str, str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Writes a video of `COUNT` pictures: `written("a.avi", "MJPG")`."""

    def write(name: str, codec: str) -> Path:
        path = tmp_path / name
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 10, (320, 240))
        if not writer.isOpened():
            pytest.skip(f"this OpenCV writes no {codec} into {path.suffix}")
        for number in range(COUNT):
            writer.write(field(number))
        writer.release()
        return path

    return write


def damaged(path: Path, start: float, end: float) -> Path:
    """With zeros from one share of the file's length to another."""
    data = bytearray(path.read_bytes())
    first, last = int(start * len(data)), int(end * len(data))
    data[first:last] = bytes(last - first)
    path.write_bytes(data)
    return path


KINDS = [
    ("a.avi", "MJPG"), ("a.mov", "MJPG"), ("a.mkv", "MJPG"),
    ("a.avi", "XVID"), ("a.mp4", "mp4v"), ("a.webm", "VP80"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "codec"), KINDS)
def test_a_whole_video_has_no_faults(written: Write, name: str, codec: str) -> None:
    assert faults(frames_of(written(name, codec))) == {None: COUNT}


@pytest.mark.parametrize(("name", "codec"), KINDS)
@pytest.mark.parametrize(("start", "end"), [(0.4, 0.45), (0.3, 0.5), (0.7, 0.72)])
def test_pictures_and_faults_are_as_many_as_announced(
    written: Write, name: str, codec: str, start: float, end: float
) -> None:
    frames = frames_of(damaged(written(name, codec), start, end))
    assert len(frames) == COUNT
    assert faults(frames)[None] > 0
    if codec != "MJPG":  # whose packets are judged by the reader for pictures
        assert faults(frames)[None] < COUNT


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "XVID"), ("a.mp4", "mp4v")])
def test_what_is_built_on_a_damaged_picture_is_not_handed_out(written: Write, name: str, codec: str) -> None:
    path = written(name, codec)
    whole = [frame.pixels for frame in frames_of(path)]
    data = bytearray(path.read_bytes())
    packet = list(packets(path))[15].data  # a key picture is every twelfth
    at = data.index(packet) + len(packet) // 2
    data[at : at + 60] = bytes(60)
    path.write_bytes(data)
    frames = frames_of(path)
    assert [frame.fault is None for frame in frames] == [*15 * [True], *9 * [False], *6 * [True]]
    for frame, pixels in zip(frames, whole, strict=True):
        if frame.fault is None:
            np.testing.assert_array_equal(frame.pixels, pixels)


def test_a_picture_whose_place_in_the_file_is_lost_is_told(written: Write) -> None:
    path = written("a.avi", "MJPG")
    data = bytearray(path.read_bytes())
    at = [i for i in range(len(data)) if data.startswith(b"00dc", i)][12]
    data[at - 20 : at + 20] = bytes(40)
    path.write_bytes(data)
    frames = frames_of(path)
    assert len(frames) == COUNT
    assert faults(frames)[video.LOST] == 1


def test_what_a_recorder_left_out_is_no_damage(written: Write) -> None:
    path = written("a.avi", "MJPG")
    data = path.read_bytes()
    index = data.rindex(b"idx1")
    places = [struct.unpack_from("<4sIII", data, index + 8 + 16 * i) for i in range(COUNT)]
    movi = data.index(b"movi")
    start = movi + places[12][2]
    size = places[12][3] + places[12][3] % 2
    # the picture's chunk is there, and empty
    body = data[: start + 4] + bytes(4) + data[start + 8 + size : index]
    moved = [
        struct.pack("<4sIII", name, flags, at - (size if i > 12 else 0), 0 if i == 12 else length)
        for i, (name, flags, at, length) in enumerate(places)
    ]
    changed = bytearray(body + data[index : index + 8] + b"".join(moved))
    struct.pack_into("<I", changed, 4, len(changed) - 8)
    struct.pack_into("<I", changed, movi - 4, index - movi - size)
    path.write_bytes(changed)
    assert faults(frames_of(path)) == {None: COUNT - 1}


@pytest.mark.parametrize(
    ("name", "codec"), [("a.avi", "MJPG"), ("a.mkv", "MJPG"), ("a.avi", "XVID"), ("a.webm", "VP80")]
)
def test_a_video_that_is_cut_short_says_how_much_is_missing(written: Write, name: str, codec: str) -> None:
    path = written(name, codec)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    *frames, last = frames_of(path)
    assert faults(frames) == {None: len(frames)}
    assert last.fault == f"the video ends after {len(frames)} of {COUNT} frames; the rest cannot be read"


def test_a_number_of_pictures_that_cannot_be_is_one_fault(written: Write) -> None:
    path = written("a.avi", "MJPG")
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"strh") + 40, 2**31 - 1)
    path.write_bytes(data)
    assert Counter(frame.fault is None for frame in frames_of(path)) == {True: COUNT, False: 1}


@pytest.mark.parametrize(("name", "codec"), [("a.mov", "MJPG"), ("a.mp4", "mp4v")])
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_video_is_shown_as_players_do(written: Write, name: str, codec: str, quarters: int) -> None:
    path = written(name, codec)
    as_stored = frames_of(path)[0].pixels
    data = bytearray(path.read_bytes())
    cos, sin = ((0, 1), (-1, 0), (0, -1))[quarters - 1]
    # the matrix of a track header of version 0 (ISO/IEC 14496-12, 8.3.2)
    struct.pack_into(
        ">9i",
        data,
        data.index(b"tkhd") + 44,
        cos << 16,
        sin << 16,
        0,
        -sin << 16,
        cos << 16,
        0,
        0,
        0,
        1 << 30,
    )
    path.write_bytes(data)
    np.testing.assert_array_equal(frames_of(path)[0].pixels, np.rot90(as_stored, -quarters))


def test_pictures_of_several_sizes(tmp_path: Path) -> None:
    path = tmp_path / "a.mjpeg"
    small, large = (
        cv2.imencode(".jpg", cv2.resize(field(0), size))[1].tobytes() for size in ((160, 120), (320, 240))
    )
    path.write_bytes(2 * large + 2 * small + large)
    frames = frames_of(path)
    assert [frame.pixels.shape[:2] for frame in frames] == [(240, 320)] * 2 + [(120, 160)] * 2 + [(240, 320)]


def test_interlaced_motion_jpeg_is_not_taken_for_one_picture_a_packet(written: Write) -> None:
    path = written("a.avi", "MJPG")
    assert video._one_a_packet(path)
    data = path.read_bytes()
    first = data.index(b"\xff\xd8\xff")
    path.write_bytes(data[: first + 400] + b"\xff\xd8\xff" + data[first + 403 :])
    assert not video._one_a_packet(path)


def test_sound_alone_and_no_pictures(tmp_path: Path) -> None:
    samples = bytes(8000)
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + 8000, b"WAVE", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8, b"data", 8000
    )
    for name in ("sound.mp4", "sound.avi"):
        (tmp_path / name).write_bytes(header + samples)
        with pytest.raises(CameraError, match=f"{name}: cannot be opened as a video"):
            FileCamera(str(tmp_path / name)).open()


@pytest.mark.skipif(not HOLE.exists(), reason=f"no {HOLE}")
def test_a_hole_in_a_film_of_six_pictures() -> None:
    frames = frames_of(HOLE)
    assert len(frames) == 6
    assert faults(frames) == {None: 5, video.DAMAGED: 1}
    assert frames[2].fault == video.DAMAGED
