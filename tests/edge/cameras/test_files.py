from __future__ import annotations

import os
import struct
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cameras import CameraError
from edge.cameras.files.camera import FileCamera
from edge.files.pictures import decode
from edge.types import Frame
from tests.edge.cameras.fakes import number_in, picture, write_image, write_video

ROOT = Path(__file__).parents[3]
SUFFIXES = [".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".JPG"]


def frames_of(path: Path | str) -> list[Frame]:
    frames = []
    with closing(FileCamera(str(path))) as camera:
        camera.open()
        while (frame := camera.read()) is not None:
            frames.append(frame)
    return frames


def encoded(suffix: str, pixels: np.ndarray | None = None) -> bytes:
    """A picture with detail, so that cutting a file anywhere cuts the picture."""
    if pixels is None:
        pixels = np.random.default_rng(1).integers(0, 255, (90, 120, 3), np.uint8)
        pixels = cv2.GaussianBlur(pixels, (0, 0), 2)
    return cv2.imencode(suffix, pixels)[1].tobytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_is_read_as_rgb(tmp_path: Path, suffix: str) -> None:
    (frame,) = frames_of(write_image(tmp_path / f"field{suffix}", 5))
    assert frame.fault is None
    assert frame.source == f"field{suffix}"
    assert np.abs(frame.pixels.astype(int) - picture(5)).mean() < 2


def test_a_folder_is_read_in_natural_order_and_other_files_are_left_out(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        write_image(tmp_path / f"Im{number}.png", number)
    for other in ("notes.txt", "Thumbs.db", "._Im1.png", "labels.csv"):
        (tmp_path / other).write_text("x")
    frames = frames_of(tmp_path)
    assert [frame.source for frame in frames] == ["Im1.png", "Im2.png", "Im10.png"]
    assert [number_in(frame.pixels) for frame in frames] == [1, 2, 10]
    assert [frame.index for frame in frames] == [0, 1, 2]


def test_subfolders_are_read_and_named(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/10.png", "a/7.png", "c10/1.png", "c9/1.png"):
        write_image(tmp_path / name)
    sources = [frame.source for frame in frames_of(tmp_path)]
    assert sources == ["a/7.png", "b/2.png", "b/10.png", "c9/1.png", "c10/1.png"]


def test_a_link_is_named_by_itself_and_loops_end(tmp_path: Path) -> None:
    write_image(tmp_path / "elsewhere" / "original.png", 4)
    folder = tmp_path / "fields"
    folder.mkdir()
    (folder / "Im1.png").symlink_to(tmp_path / "elsewhere" / "original.png")
    (folder / "Im2.png").symlink_to(tmp_path / "gone.png")
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    (folder / "round").symlink_to(folder)
    frames = frames_of(folder)
    assert [frame.source for frame in frames] == ["Im1.png", "Im2.png", "more/original.png"]
    assert [frame.fault for frame in frames] == [
        None,
        "the file cannot be read: No such file or directory",
        None,
    ]


@pytest.mark.parametrize(
    ("pattern", "sources"),
    [
        ("Im*.png", ["Im2.png", "Im10.png"]),
        ("*", ["Im2.png", "Im10.png", "other.jpg"]),
        ("*/Im1.png", ["a/Im1.png", "b/Im1.png"]),
        ("**/*1*.png", ["a/Im1.png", "b/Im1.png", "Im10.png"]),
        ("Im[2-3].png", ["Im2.png"]),
    ],
)
def test_a_glob(tmp_path: Path, pattern: str, sources: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Im10.png", "Im2.png", "other.jpg", "a/Im1.png", "b/Im1.png"):
        write_image(tmp_path / name)
    (tmp_path / "Im3.txt").write_text("no image")
    assert [frame.source for frame in frames_of(tmp_path / pattern)] == sources
    monkeypatch.chdir(tmp_path)
    assert [frame.source for frame in frames_of(pattern)] == sources


def test_a_name_with_brackets_is_a_name(tmp_path: Path) -> None:
    write_image(tmp_path / "slide [1]" / "Im1 [x].png", 6)
    assert number_in(frames_of(tmp_path / "slide [1]")[0].pixels) == 6
    assert number_in(frames_of(tmp_path / "slide [1]" / "Im1 [x].png")[0].pixels) == 6


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.97])
def test_a_truncated_image_among_good_ones(tmp_path: Path, suffix: str, part: float) -> None:
    for number in (1, 3):
        write_image(tmp_path / f"Im{number}{suffix}", number)
    whole = encoded(suffix)
    (tmp_path / f"Im2{suffix}").write_bytes(whole[: int(len(whole) * part)])
    good, cut, other = frames_of(tmp_path)
    assert good.fault is None
    assert other.fault is None
    assert number_in(other.pixels) == 3
    assert cut.fault
    assert cut.pixels.shape == (0, 0, 3)
    assert (cut.index, cut.source) == (1, f"Im2{suffix}")


@pytest.mark.parametrize(
    "data",
    [b"", b"not an image", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF", encoded(".jpg")[:-2]],
    ids=["empty", "text", "jpeg", "png", "bmp", "riff", "jpeg-without-end"],
)
def test_rubbish_is_a_fault(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "Im1.jpg").write_bytes(data)
    (frame,) = frames_of(tmp_path)
    assert frame.fault
    assert frame.fault == ("the file is empty" if not data else frame.fault)


def test_a_png_with_a_flipped_byte_is_a_fault() -> None:
    data = bytearray(encoded(".png"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(ValueError, match="damaged"):
        decode(bytes(data))


def test_a_whole_thumbnail_does_not_make_a_truncated_jpeg_whole() -> None:
    jpeg, thumbnail = encoded(".jpg"), encoded(".jpg", picture(1))
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 8) + b"Exif\0\0" + thumbnail
    with_thumbnail = jpeg[:2] + segment + jpeg[2:]
    assert decode(with_thumbnail).shape == (90, 120, 3)
    with pytest.raises(ValueError, match="cut short"):
        decode(with_thumbnail[: int(len(with_thumbnail) * 0.8)])


def test_bytes_after_the_end_do_no_harm() -> None:
    for suffix in (".jpg", ".png", ".bmp", ".webp"):
        assert decode(encoded(suffix) + bytes(100)).shape == (90, 120, 3)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_other_depths_and_channels_become_rgb(suffix: str) -> None:
    rgb = picture(7)
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    deep = bgr.astype(np.uint16) * 257
    alpha = np.dstack([bgr, np.full(bgr.shape[:2], 90, np.uint8)])
    for stored in (deep, alpha):
        np.testing.assert_array_equal(decode(encoded(suffix, stored)), rgb)
    for grey in (bgr[..., 1], deep[..., 1]):
        np.testing.assert_array_equal(decode(encoded(suffix, grey)), np.dstack([rgb[..., 1]] * 3))


def test_a_palette_image_becomes_rgb(tmp_path: Path) -> None:
    # a BMP of 8 bits a pixel written by hand: 4 × 2 pixels, two colours, rows from below
    palette = bytes([10, 20, 200, 0, 30, 220, 40, 0])
    header = struct.pack("<IiiHHIIiiII", 40, 4, 2, 1, 8, 0, 8, 2835, 2835, 2, 2)
    offset = 14 + 40 + len(palette)
    data = b"BM" + struct.pack("<IHHI", offset + 8, 0, 0, offset) + header + palette
    pixels = decode(data + bytes([0, 1, 0, 1]) + bytes([1, 1, 1, 1]))
    assert pixels[1, 0].tolist() == [200, 20, 10]
    assert pixels[0, 0].tolist() == [40, 220, 30]


def test_an_orientation_tag_is_applied() -> None:
    jpeg = encoded(".jpg")
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)  # turned by 90°
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    tagged = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    turned = cv2.imdecode(np.frombuffer(tagged, np.uint8), cv2.IMREAD_COLOR)
    assert turned is not None
    assert turned.shape == (120, 90, 3), "the tag is one that decoders heed"
    np.testing.assert_array_equal(decode(tagged), turned[..., ::-1])


def test_a_video_gives_every_frame_in_order(tmp_path: Path) -> None:
    frames = frames_of(write_video(tmp_path / "slide.avi", 12))
    assert [number_in(frame.pixels) for frame in frames] == list(range(12))
    assert {frame.source for frame in frames} == {"slide.avi"}
    assert {frame.fault for frame in frames} == {None}


def test_a_video_that_ends_early_says_so(tmp_path: Path) -> None:
    path = write_video(tmp_path / "slide.avi", 60)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    *frames, last = frames_of(path)
    assert 10 < len(frames) < 50
    assert [number_in(frame.pixels) for frame in frames] == [i % 12 for i in range(len(frames))]
    assert {frame.fault for frame in frames} == {None}
    assert last.fault == f"the video ends after {len(frames)} of 60 frames; the rest cannot be read"
    assert last.index == len(frames)


def test_a_frame_that_a_video_is_cut_in_is_not_given(tmp_path: Path) -> None:
    path = tmp_path / "slide.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    rng = np.random.default_rng(4)
    for _ in range(12):
        writer.write(cv2.GaussianBlur(rng.integers(0, 255, (240, 320, 3), np.uint8), (0, 0), 1))
    writer.release()
    intact = [frame.pixels for frame in frames_of(path)]
    whole = path.read_bytes()
    for share in (0.4, 0.45, 0.5, 0.55, 0.6):
        path.write_bytes(whole[: int(share * len(whole))])
        *frames, last = frames_of(path)
        assert last.fault == f"the video ends after {len(frames)} of 12 frames; the rest cannot be read"
        for frame, pixels in zip(frames, intact, strict=False):
            np.testing.assert_array_equal(frame.pixels, pixels)


def test_a_name_that_is_no_text_is_given_as_text(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff1.png"
    with open(path, "wb") as file:
        file.write(encoded(".png"))
    (frame,) = frames_of(tmp_path)
    assert frame.fault is None
    assert frame.source == "\\xff1.png"
    assert FileCamera(os.fsdecode(path)).name == "\\xff1.png"


def test_it_knows_which_files_it_reads(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.png", "sub/b.png"):
        write_image(tmp_path / name, 1)
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    with closing(FileCamera(str(tmp_path / "*.png"))) as camera:
        camera.open()
        assert camera.holds(tmp_path / "a.png")
        assert camera.holds(tmp_path / "link" / "a.png")
        assert not camera.holds(tmp_path / "sub" / "b.png")
        assert not camera.holds(tmp_path / "a_nuclei.png")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("empty", "has no images; images end in ."),
        ("nothing.png", "no such file or folder"),
        ("none*.png", "no image has such a name"),
        ("notes.txt", "is not an image or a video"),
        ("broken.mp4", "cannot be opened as a video"),
    ],
)
def test_nothing_to_read_is_one_clear_line(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "broken.mp4").write_bytes(b"\0" * 5000)
    camera = FileCamera(str(tmp_path / name))
    with pytest.raises(CameraError) as raised:
        camera.open()
    assert f"camera {tmp_path / name}: {problem}" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_damaged_files_print_nothing_that_would_spoil_the_screen(tmp_path: Path) -> None:
    for suffix in (".jpg", ".png", ".bmp", ".tif", ".webp"):
        whole = encoded(suffix)
        (tmp_path / f"cut{suffix}").write_bytes(whole[: len(whole) // 2])
    video = write_video(tmp_path / "cut.avi", 60)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    (tmp_path / "broken.mp4").write_bytes(bytes(5000))
    # in a process of its own, since FFmpeg takes its verbosity from its first use
    code = f"""
from edge.cameras.files.camera import CameraError, FileCamera
for name in ("", "cut.avi", "broken.mp4"):
    camera = FileCamera({str(tmp_path)!r} + "/" + name)
    try:
        camera.open()
    except CameraError:
        print("refused")
    else:
        while frame := camera.read():
            print(frame.fault)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert "None" not in lines[:5]
    assert "of 60 frames" in lines[-2]
    assert lines[-1] == "refused"
    assert done.stderr == ""
