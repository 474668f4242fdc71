from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from edge import device, listing
from edge.cameras import attached as everything
from edge.cameras.attached import Attached, Format, attached
from edge.cameras.v4l2 import abi
from edge.cameras.v4l2 import attached as v4l2
from edge.cameras.v4l2.nodes import BUILT_IN, MOVABLE, OTHER, Node, find_again, list_nodes
from tests.edge.cameras.fake_sysfs import plug_in
from tests.edge.cameras.fake_v4l2 import FakeCamera

MICROSCOPE = Attached(
    "uvc",
    "Microscope",
    "/dev/v4l/by-id/usb-Maker_Microscope_A7-video-index0",
    "A7",
    (
        Format("YUYV", 640, 480, 30.0),
        Format("MJPG", 640, 480, 60.0),
        Format("MJPG", 1920, 1080, 30.0),
        Format("YUYV", 1920, 1080, 5.0),
        Format("MJPG", 1280, 720, 0.0),
        Format("MJPG", 320, 240, 30.0),
    ),
)
BUSY = Attached("uvc", "Webcam", "/dev/video2", problem="is used by another program; close it")


def a_machine(root: Path) -> dict[str, FakeCamera]:
    """A laptop's webcam, two microscopes of one model, a capture card, and nodes that are no cameras."""
    fakes = {
        plug_in(root, 0, model="Webcam: Webc", port="usb1/1-1", ids="1:1", removable="fixed"): FakeCamera(),
        plug_in(root, 2, port="usb1/1-2", serial="A"): FakeCamera(),
        plug_in(root, 10, port="usb1/1-3", serial="B"): FakeCamera(),
        plug_in(root, 5, model="Grabber: HDMI", port="pci0/1"): FakeCamera(),
        plug_in(root, 6, model="decoder", port="platform/6"): FakeCamera(caps=0x04008000),
        plug_in(root, 7, model="vi-output", port="platform/7"): FakeCamera(
            offers={"RG10": {(64, 48): (25.0,)}}
        ),
        plug_in(root, 8, model="unicam", port="platform/8"): FakeCamera(caps=0x24000001),
    }
    plug_in(root, 3, port="usb1/1-2", serial="A", index=1)
    return fakes


def test_order_and_what_is_left_out(tmp_path: Path) -> None:
    fakes = a_machine(tmp_path)
    nodes = list_nodes(tmp_path, lambda path: fakes[path].open(path))
    assert [(Path(node.path).name, node.model, node.serial, node.place) for node in nodes] == [
        ("video2", "Microscope", "A", MOVABLE),
        ("video10", "Microscope", "B", MOVABLE),
        ("video5", "Grabber: HDMI", "", OTHER),
        ("video0", "Webcam", "", BUILT_IN),
    ]
    assert [node.ids for node in nodes] == ["1234:5678", "1234:5678", "", "1:1"]
    assert list_nodes(tmp_path / "nowhere") == []
    assert sum(fake.held for fake in fakes.values()) == 0


def test_what_is_told_of_each(tmp_path: Path) -> None:
    fakes = a_machine(tmp_path)
    free, busy, forbidden, webcam = (str(tmp_path / f"dev/video{n}") for n in (2, 10, 5, 0))
    fakes[free].offers = {"YUYV": {(64, 48): (5.0, 25.0)}, "H264": {(64, 48): (60.0,)}}
    fakes[busy].in_use = True
    fakes[forbidden].refused = errno.EACCES
    fakes[webcam].fails[abi.ENUM_FRAMESIZES] = errno.EIO
    link = tmp_path / "dev/v4l/by-id/usb-Microscope_A-video-index0"
    link.parent.mkdir(parents=True)
    link.symlink_to(free)
    cameras = v4l2.attached(tmp_path, lambda path: fakes[path].open(path))
    assert cameras[0] == Attached("uvc", "Microscope", str(link), "A", (Format("YUYV", 64, 48, 25.0),), None)
    assert cameras[1].spec == busy
    assert cameras[1].formats
    assert str(cameras[1].problem).startswith("is used by another program; close it")
    assert str(cameras[2].problem).startswith("may not be used without permission; add yourself")
    assert str(cameras[3].problem).startswith("has failed (Input/output error); unplug it")
    assert sum(fake.held for fake in fakes.values()) == 0


def test_two_of_one_model_without_serial_numbers_are_told_apart_by_port(tmp_path: Path) -> None:
    paths = [plug_in(tmp_path, n, port=f"usb1/1-{n}") for n in range(2)]
    fake = FakeCamera()
    for folder, name in (("by-id", "usb-Microscope-video-index0"), ("by-path", "pci-usb-0:1-video-index0")):
        link = tmp_path / "dev/v4l" / folder / name
        link.parent.mkdir(parents=True)
        link.symlink_to(paths[0])
    specs = [camera.spec for camera in v4l2.attached(tmp_path, fake.open)]
    assert specs == [str(tmp_path / "dev/v4l/by-path/pci-usb-0:1-video-index0"), paths[1]]


def m(path: str, serial: str, port: str, model: str = "M") -> Node:
    return Node(path, model, "1:2", serial, port, MOVABLE)


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        (m("0", "A", "p"), [m("4", "A", "q")], 0),
        (m("0", "A", "p"), [m("0", "B", "p")], None),
        (m("0", "A", "p"), [m("0", "A", "p", "Other")], None),
        (m("0", "A", "p"), [], None),
        (m("0", "A", "p"), [m("1", "A", "q"), m("0", "A", "p")], 1),
        (m("0", "", "p"), [m("1", "", "q")], 0),
        (m("0", "", "p"), [m("1", "", "q"), m("2", "", "r")], None),
        (m("0", "", "p"), [m("1", "", "q"), m("2", "", "p")], 1),
        (Node("0", "M", port="p"), [Node("1", "M", port="p")], 0),
    ],
)
def test_a_camera_is_known_again(before: Node, now: list[Node], found: int | None) -> None:
    assert find_again(before, now) == (None if found is None else now[found])


def test_cameras_of_the_board_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Path]] = []

    def of(module: str, root: Path) -> list[Attached]:
        asked.append((module, root))
        return [Attached("uvc", module, "x")]

    monkeypatch.setattr(everything, "_of", of)
    assert [camera.name for camera in attached(tmp_path)] == [
        "edge.cameras.picamera",
        "edge.cameras.csi",
        "edge.cameras.v4l2.attached",
    ]
    assert {root for _, root in asked} == {tmp_path}


def test_a_machine_without_any(tmp_path: Path) -> None:
    assert attached(tmp_path) == []


# the command


def test_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(everything, "attached", lambda: [MICROSCOPE, BUSY])
    assert device.main(["cameras"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["--camera", "kind", "name", "serial", "best", "formats", "state"]
    assert lines[1].split()[:4] == ["0", "uvc", "Microscope", "A7"]
    assert "1920×1080 at 30 MJPG, 1280×720 MJPG, 640×480 at 60 MJPG, ..." in lines[1]
    assert lines[1].endswith("free")
    assert lines[2].strip() == f"this one, always: --camera {MICROSCOPE.spec}"
    assert lines[3].endswith("not free")
    assert lines[4].strip() == "is used by another program; close it"
    assert lines[5].strip() == "this one, until it is unplugged: --camera /dev/video2"


def test_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setattr(everything, "attached", lambda: [MICROSCOPE, BUSY])
    assert device.main(["cameras", "--json", "-"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["index"], first["kind"], first["name"], first["problem"]) == (0, "uvc", "Microscope", None)
    assert first["formats"][0] == {"pixels": "YUYV", "width": 640, "height": 480, "fps": 30.0}
    assert (second["index"], second["spec"], second["serial"]) == (1, "/dev/video2", "")
    assert device.main(["cameras", "--json", str(tmp_path / "list.json")]) == 0
    assert json.loads((tmp_path / "list.json").read_text())[0] == first
    assert "Microscope" in capsys.readouterr().out


def test_none_attached(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(everything, "attached", lambda: [])
    assert device.main(["cameras"]) == 1
    assert capsys.readouterr().out.strip() == listing.NONE_ATTACHED
    assert device.main(["cameras", "--json", "-"]) == 1
    assert json.loads(capsys.readouterr().out) == []
