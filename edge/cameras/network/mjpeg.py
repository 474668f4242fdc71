"""Pictures over HTTP: a never-ending answer of many parts (MJPEG), or one picture a request."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import urljoin

from edge.cameras.network.address import Address
from edge.cameras.pace import LONGEST_S

CONNECT_S = 3.0
"""Longest wait for a connection; what then comes over it may take `edge.cameras.pace.LONGEST_S`."""

HEAD_BYTES = 1 << 14
"""Most that may precede a picture: more is not a stream."""

PICTURE_BYTES = 1 << 25
"""Most that a picture may be long: 32 MB are more than a JPEG of 100 megapixels."""


class HttpPictures:
    """Every picture that comes, undecoded.

    Parameters
    ----------
    address : of the stream or of the picture.
    fps : how often to ask a camera that sends one picture a request, at most.
    """

    def __init__(self, address: Address, fps: float) -> None:
        self._address = address
        self._interval_s = 1 / fps
        self._stopped = False
        self._socket: socket.socket | None = None
        self._opener = self._connecting()

    def __iter__(self) -> Iterator[tuple[float, bytes]]:
        wrong = self._address.wrong
        while not self._stopped:
            asked_s = time.monotonic()
            with self._ask() as answer:
                kind = answer.headers.get_content_type()
                try:
                    if kind.startswith("multipart/"):
                        yield from Multipart(partial(answer.read1, 1 << 16))
                    if not kind.startswith("image/"):
                        raise wrong(f"sends {kind} and no pictures; give the address of its MJPEG stream")
                    yield time.monotonic(), _whole(answer)
                except (OSError, EOFError, http.client.HTTPException) as error:
                    raise wrong("the connection was lost; check its power and the network") from error
                except ValueError as error:
                    raise wrong(f"{error}; give the address of its MJPEG stream") from error
            time.sleep(max(asked_s + self._interval_s - time.monotonic(), 0))

    def stop(self) -> None:
        """Hang up, whatever is under way."""
        self._stopped = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _ask(self) -> http.client.HTTPResponse:
        """The answer to a request; raises CameraError."""
        address = self._address
        try:
            answer: http.client.HTTPResponse = self._opener.open(address.url, timeout=CONNECT_S)
            return answer
        except urllib.error.HTTPError as error:
            error.close()
            if 300 <= error.code < 400:
                raise address.wrong("leads elsewhere and from there nowhere; check the address") from None
            raise address.refused(error.code, str(error.reason)) from None
        except urllib.error.URLError as error:
            reason = error.reason
            if isinstance(reason, ssl.SSLError):
                raise address.wrong("its certificate is not trusted; use http:// instead") from None
            raise address.unreachable(reason if isinstance(reason, OSError) else error) from None
        except OSError as error:
            raise address.unreachable(error) from None
        except (http.client.HTTPException, ValueError) as error:
            raise address.wrong(
                f"its answer makes no sense ({type(error).__name__}); check the address"
            ) from None

    def _connecting(self) -> urllib.request.OpenerDirector:
        """Follows redirections, answers for user and password, and tells `stop` of the socket."""
        address = self._address
        accounts = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        if address.user:
            # for this host only: nobody it leads us to gets to know them
            accounts.add_password(None, urljoin(address.url, "/"), address.user, address.password)

        def keep(connected: socket.socket) -> None:
            self._socket = connected
            connected.settimeout(LONGEST_S)
            if self._stopped:
                self.stop()

        return urllib.request.build_opener(
            urllib.request.ProxyHandler({}),  # cameras are near
            urllib.request.HTTPBasicAuthHandler(accounts),
            urllib.request.HTTPDigestAuthHandler(accounts),
            _Telling(keep),
        )


class _Telling(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Opens connections that tell of their socket as soon as they have one."""

    def __init__(self, keep: Callable[[socket.socket], None]) -> None:
        super().__init__()
        self._keep = keep

    def do_open(self, http_class: Any, req: urllib.request.Request, **options: Any) -> Any:
        def connected(host: str, **how: Any) -> http.client.HTTPConnection:
            connection: http.client.HTTPConnection = http_class(host, **how)
            connect = connection.connect

            def connect_and_tell() -> None:
                connect()
                self._keep(connection.sock)

            connection.connect = connect_and_tell  # type: ignore[method-assign]
            return connection

        return super().do_open(connected, req, **options)


def _whole(answer: http.client.HTTPResponse) -> bytes:
    content = answer.read(PICTURE_BYTES + 1)
    if len(content) > PICTURE_BYTES:
        raise ValueError(f"sends more than {PICTURE_BYTES >> 20} MB for a picture")
    return content


class Multipart:
    """The parts of a multipart answer, as they come (RFC 2046, section 5.1).

    The line before the first part is taken for the boundary, whatever was announced: cameras disagree on
    whether its dashes are part of the name. `read` gives some more bytes, none at the end.
    """

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._buffer = bytearray()

    def __iter__(self) -> Iterator[tuple[float, bytes]]:
        """Monotonic seconds at which a part began to come, and its content.

        Raises EOFError at the end, ValueError where there are no parts or too large ones.
        """
        self._until(b"--", HEAD_BYTES)
        boundary = b"--" + self._until(b"\n", HEAD_BYTES).strip()
        self._buffer[:0] = b"\n"
        while not self._until(b"\n", HEAD_BYTES).startswith(b"--"):
            began_s = time.monotonic()
            length = self._length()
            if length is None:
                yield began_s, self._until(boundary, PICTURE_BYTES).removesuffix(b"\n").removesuffix(b"\r")
            else:
                # at once: many a camera sends the boundary together with the next picture only
                yield began_s, self._exactly(length)
                self._until(boundary, PICTURE_BYTES)
        raise EOFError

    def _length(self) -> int | None:
        """The length that a part's head announces, if it does; the head is taken."""
        length = None
        left = HEAD_BYTES
        while line := self._until(b"\n", left).strip():
            left -= len(line)
            if left < 0:
                raise ValueError("sends something other than pictures")
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length" and value.strip().isdigit():
                length = int(value)
        return length

    def _until(self, mark: bytes, most: int) -> bytes:
        """What comes before a mark; both are taken."""
        searched = 0
        while (at := self._buffer.find(mark, searched)) < 0:
            searched = max(len(self._buffer) - len(mark) + 1, 0)
            if searched > most:
                raise ValueError("sends something other than pictures")
            self._more()
        return self._take(at + len(mark))[:at]

    def _exactly(self, length: int) -> bytes:
        if length > PICTURE_BYTES:
            raise ValueError(f"announces a picture of {length} bytes")
        while len(self._buffer) < length:
            self._more()
        return self._take(length)

    def _more(self) -> None:
        came = self._read()
        if not came:
            raise EOFError
        self._buffer += came

    def _take(self, length: int) -> bytes:
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        return taken
