"""Network cameras that tests make up: real servers on this machine's own network."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import count

import cv2
import pytest

from edge.cameras import CameraError
from edge.cameras.network.stream import StreamCamera
from tests.edge.cameras.fakes import SETTINGS, picture

SNAPPY = replace(SETTINGS, fps=100)


class Handler(http.server.BaseHTTPRequestHandler):
    """A network camera, whose answer a test writes."""

    def do_GET(self) -> None:
        with suppress(OSError):
            self.server.serve(self)  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: object) -> None:
        pass


Serve = Callable[[Handler], None]


@contextmanager
def camera_serving(serve: Serve) -> Iterator[str]:
    """Where a camera that answers like this is to be found, as 'HOST:PORT'."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.serve = serve  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def jpeg(number: int, height: int = 48, width: int = 64) -> bytes:
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(picture(number, height, width), cv2.COLOR_RGB2BGR))
    assert ok
    return data.tobytes()


def begin(handler: Handler, kind: str = "multipart/x-mixed-replace; boundary=shot") -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    handler.end_headers()


def part(handler: Handler, content: bytes, *, announced: bool = True, boundary: str = "--shot") -> None:
    length = f"Content-Length: {len(content)}\r\n" if announced else ""
    head = f"\r\n{boundary}\r\nContent-Type: image/jpeg\r\n{length}\r\n"
    handler.wfile.write(head.encode() + content)


def mjpeg(handler: Handler) -> None:
    begin(handler)
    for number in count():
        part(handler, jpeg(number % 12))
        time.sleep(0.005)


def no_http(handler: Handler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH\r\n")


def opened(url: str) -> StreamCamera:
    camera = StreamCamera(url, SNAPPY)
    try:
        camera.open()
    except BaseException:
        camera.close()
        raise
    return camera


def failure(url: str, reads: int = 0) -> str:
    """What the camera says when it cannot be opened, or at one of these reads."""

    def use() -> None:
        camera.open()
        for _ in range(reads):
            camera.read()

    with closing(StreamCamera(url, SNAPPY)) as camera, pytest.raises(CameraError) as caught:
        use()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"camera {camera.name}: ")
    assert "; " in message
    return message
