from __future__ import annotations

import socket
import threading
import time
from contextlib import closing

import psutil
import pytest

from edge.cameras import CameraError, pace
from edge.cameras.network import stream
from edge.cameras.network.stream import StreamCamera
from tests.edge.cameras.fakes import SETTINGS, number_in
from tests.edge.cameras.servers import (
    SNAPPY,
    Handler,
    begin,
    camera_serving,
    failure,
    jpeg,
    mjpeg,
    opened,
    part,
)

pytestmark = pytest.mark.usefixtures("patient")


def test_the_newest_picture_is_read_and_the_others_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[float] = []
    decoded = []
    decode = stream.decode
    monkeypatch.setattr(stream, "decode", lambda *given: decoded.append(1) or decode(*given))

    def serve(handler: Handler) -> None:
        begin(handler)
        for number in range(40):
            sent.append(time.monotonic())
            part(handler, jpeg(number % 12))
            time.sleep(0.005)
        over.wait(20)

    over = threading.Event()
    with camera_serving(serve) as host, closing(opened(f"http://{host}/")) as camera:
        camera.read()
        assert camera._reader is not None
        while len(sent) < 40 or (camera._reader.wait(0) or (0,))[0] < sent[39]:
            time.sleep(0.01)
        frame = camera.read()
        over.set()
    assert number_in(frame.pixels) == 39 % 12
    assert len(decoded) == 2


def test_a_stream_that_stalls_is_an_error_and_closing_does_not_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()

    def serve(handler: Handler) -> None:
        begin(handler)
        part(handler, jpeg(1))
        over.wait(20)

    with camera_serving(serve) as host:
        camera = opened(f"http://{host}/")
        camera.read()
        monkeypatch.setattr(stream, "SILENT_S", 1.0)
        monkeypatch.setattr(pace, "FIRST_S", 1.0)
        began = time.monotonic()
        with pytest.raises(CameraError, match="sends no pictures; check"):
            camera.read()
        assert 0.9 < time.monotonic() - began < 60
        camera.close()
        assert not camera._left.thread.is_alive()  # type: ignore[union-attr]
        over.set()


def test_a_connection_cut_within_a_picture_is_an_error_and_opening_again_helps() -> None:
    asked = []

    def serve(handler: Handler) -> None:
        asked.append(1)
        begin(handler)
        part(handler, jpeg(len(asked)))
        handler.wfile.write(b"\r\n--shot\r\nContent-Length: 5000\r\n\r\n" + jpeg(9)[:300])

    with camera_serving(serve) as host:
        camera = opened(f"http://{host}/")
        assert number_in(camera.read().pixels) == 1
        with pytest.raises(CameraError, match="the connection was lost; check"):
            camera.read()
        camera.close()
        camera.open()
        frame = camera.read()
        assert (number_in(frame.pixels), frame.index) == (2, 0)
        camera.close()


def test_nothing_but_damaged_pictures_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SILENT_S", 3.0)

    def serve(handler: Handler) -> None:
        begin(handler)
        while True:
            part(handler, jpeg(9)[:-200])
            time.sleep(0.01)

    with camera_serving(serve) as host:
        assert "that cannot be read (each is cut short or damaged); " in failure(f"http://{host}/", reads=1)


@pytest.mark.parametrize("path", ["snap", "stream"])
def test_a_slow_camera_is_waited_for_and_known_when_it_is_gone(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SILENT_S", 0.1)
    over = threading.Event()
    asked: list[int] = []

    def serve(handler: Handler) -> None:
        asked.append(1)
        if handler.path == "/snap":
            over.wait(20) if len(asked) > 3 else time.sleep(0.3)
            begin(handler, "image/jpeg")
            handler.wfile.write(jpeg(len(asked)))
            return
        begin(handler)
        for number in range(3):
            part(handler, jpeg(number))
            time.sleep(0.3)
        over.wait(20)

    with camera_serving(serve) as host, closing(opened(f"http://{host}/{path}")) as camera:
        for _ in range(3):
            camera.read()
        assert len(asked) <= 4, "one connection a picture at most"
        began = time.monotonic()
        with pytest.raises(CameraError, match="sends no pictures; check its power and the network"):
            camera.read()
        assert 0.3 < time.monotonic() - began < 20
        over.set()


def test_a_camera_that_is_silent_gets_more_time_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SILENT_S", 0.1)
    monkeypatch.setattr(pace, "FIRST_S", 0.1)

    def serve(handler: Handler) -> None:
        begin(handler)
        for number in range(6):
            part(handler, jpeg(number))
            time.sleep(0.4)

    with camera_serving(serve) as host, closing(opened(f"http://{host}/")) as camera:
        got = failures = 0
        while got < 4 and failures < 5:
            try:
                camera.read()
                got += 1
            except CameraError:
                failures, got = failures + 1, 0
                camera.close()
                camera.open()
    assert 0 < failures < 5


def test_nothing_is_left_behind() -> None:
    process = psutil.Process()
    with camera_serving(mjpeg) as host:
        camera = StreamCamera(f"http://{host}/", SNAPPY)
        for cycle in range(100):
            camera.open()
            camera.read()
            camera.close()
            if cycle == 10:
                files = process.num_fds()
    assert not [thread for thread in threading.enumerate() if thread.name == "stream"]
    assert process.num_fds() <= files


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "rtsp:///path",
        "http://host:port/",
        "http://nurse:12/34@host/",
        "rtsp://nurse:se?cret@host/",
        "rtsp://nurse:se#cret@host/",
        "http://host/line\nbreak",
        "http://[half/",
    ],
)
def test_an_address_that_is_none_is_not_repeated(url: str) -> None:
    with pytest.raises(CameraError, match=r"^camera \w+://\.\.\.: is not an address; ") as caught:
        StreamCamera(url, SETTINGS)
    assert "nurse" not in str(caught.value)
    assert "cret" not in str(caught.value)


def test_queries_tell_cameras_apart() -> None:
    first, second = (StreamCamera(f"rtsp://host/live?channel={n}", SETTINGS) for n in (1, 2))
    assert first.serial != second.serial
    assert StreamCamera("rtsp://host/live", SETTINGS).serial == ""


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    for scheme in ("http", "https", "rtsp"):
        assert f"nothing answers on port {port}" in failure(f"{scheme}://127.0.0.1:{port}/")

    def unknown(*arguments: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "there is no host microscope;" in failure("http://microscope/")
