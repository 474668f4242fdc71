from __future__ import annotations

import os
import threading
import time
from base64 import b64encode
from contextlib import closing
from dataclasses import replace
from itertools import count, pairwise

import pytest

from edge.cameras.network.stream import StreamCamera
from tests.edge.cameras.fakes import SETTINGS, number_in
from tests.edge.cameras.servers import (
    Handler,
    Serve,
    begin,
    camera_serving,
    failure,
    jpeg,
    mjpeg,
    no_http,
    opened,
    part,
)

pytestmark = pytest.mark.usefixtures("patient")


@pytest.mark.parametrize("announced", [True, False], ids=["with length", "without length"])
@pytest.mark.parametrize("boundary", ["--shot", "--other", "----shot"])
def test_mjpeg(announced: bool, boundary: str) -> None:
    go = threading.Semaphore(1 if announced else 2)  # without its length a picture ends with the next

    def serve(handler: Handler) -> None:
        begin(handler)
        for number in range(12):
            assert go.acquire(timeout=20)
            part(handler, jpeg(number), announced=announced, boundary=boundary)

    frames = []
    with camera_serving(serve) as host, closing(opened(f"http://{host}/video?channel=1")) as camera:
        for _ in range(4):
            frames.append(camera.read())
            go.release()
        go.release(12)
    assert [number_in(frame.pixels) for frame in frames] == [0, 1, 2, 3]
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert frames[0].source == camera.name == f"http://{host}/video"
    assert all(a.monotonic_s < b.monotonic_s for a, b in pairwise(frames))


def test_one_picture_a_request() -> None:
    asked: list[int] = []
    go = threading.Semaphore(1)

    def serve(handler: Handler) -> None:
        assert go.acquire(timeout=20)
        asked.append(1)
        begin(handler, "image/jpeg")
        handler.wfile.write(jpeg(len(asked)))

    numbers = []
    slow = replace(SETTINGS, fps=5)
    began = time.monotonic()
    with camera_serving(serve) as host, closing(StreamCamera(f"http://{host}/a.jpg", slow)) as camera:
        camera.open()
        for _ in range(4):
            numbers.append(number_in(camera.read().pixels))
            go.release()
    assert numbers == [1, 2, 3, 4]
    assert len(asked) <= 1 + (time.monotonic() - began) * slow.fps


def test_user_and_password_are_sent_and_nowhere_shown() -> None:
    heard = []

    def serve(handler: Handler) -> None:
        heard.append(handler.headers.get("Authorization"))
        if heard[-1] != "Basic " + b64encode(b"nurse:p@ss/w").decode():
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Basic realm="camera"')
            handler.end_headers()
        else:
            mjpeg(handler)

    with camera_serving(serve) as host:
        with closing(opened(f"http://nurse:p%40ss%2Fw@{host}/v?token=hidden")) as camera:
            frame = camera.read()
        assert frame.source == camera.name == f"http://{host}/v"
        assert "wants a user and password" in failure(f"http://{host}/v")
        wrong = failure(f"http://nurse:secret@{host}/v?token=hidden")
    assert "refuses this user and password" in wrong
    for private in ("nurse", "p@ss", "secret", "hidden"):
        assert private not in wrong + camera.name + camera.serial + repr(camera._address)


def test_digest_authentication() -> None:
    def serve(handler: Handler) -> None:
        if "response=" not in handler.headers.get("Authorization", ""):
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Digest realm="camera", nonce="1", qop="auth"')
            handler.end_headers()
        else:
            mjpeg(handler)

    with camera_serving(serve) as host, closing(opened(f"http://nurse:secret@{host}/")) as camera:
        assert camera.read().width == 64


@pytest.mark.parametrize("announced", [True, False])
def test_damaged_pictures_are_left_out(announced: bool) -> None:
    def serve(handler: Handler) -> None:
        begin(handler)
        for number in count():
            part(handler, jpeg(4) if number % 2 else jpeg(9)[:-200], announced=announced)
            time.sleep(0.01)

    with camera_serving(serve) as host, closing(opened(f"http://{host}/")) as camera:
        assert [number_in(camera.read().pixels) for _ in range(5)] == [4] * 5


def answering(status: int, **headers: str) -> Serve:
    def serve(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(b"<html>")

    return serve


def endless_head(handler: Handler) -> None:
    begin(handler)
    handler.wfile.write(b"--shot\r\n")
    for number in count():
        handler.wfile.write(f"X-{number}: and so on\r\n".encode() * 100)


def endless_line(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        handler.wfile.write(b"x" * 1000)


def garbage(handler: Handler) -> None:
    begin(handler)
    for _ in range(2000):
        handler.wfile.write(os.urandom(1000).replace(b"-", b"+"))


def too_long(handler: Handler) -> None:
    begin(handler)
    handler.wfile.write(b"--shot\r\nContent-Length: 99999999999\r\n\r\n")
    time.sleep(0.2)


@pytest.mark.parametrize(
    ("serve", "said"),
    [
        (answering(404), "has nothing under this path"),
        (answering(403), "wants a user and password"),
        (answering(500), "answers 500 Internal Server Error"),
        (answering(200, Content_Type="text/html"), "sends text/html and no pictures"),
        (answering(302, Location="/again"), "leads elsewhere and from there nowhere"),
        (answering(302, Location="file:///etc/passwd"), "leads elsewhere and from there nowhere"),
        (answering(401, WWW_Authenticate="Strange thing"), "makes no sense|wants a user"),
        (endless_head, "sends something other than pictures"),
        (endless_line, "makes no sense"),
        (garbage, "sends something other than pictures"),
        (too_long, "announces a picture of 99999999999 bytes"),
        (no_http, "makes no sense"),
        (begin, "the connection was lost"),
    ],
)
def test_what_is_no_stream_is_said_in_one_line(serve: Serve, said: str) -> None:
    with camera_serving(serve) as host:
        message = failure(f"http://{host}/video")
    assert any(words in message for words in said.split("|")), message
