"""A line to the server: one exchange after the other over one connection, each with an end."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from edge import __version__
from edge.machine import clock
from edge.sync.pace import Pace
from edge.sync.server import Server
from edge.types import LeukoscopeError

_LARGEST_ANSWER = 4 << 20  # bytes, unpacked too
_PIECE = 16384
_PATIENCE_S = 120.0  # for an answer, beyond what the body takes


class LinkError(LeukoscopeError):
    """No answer came through: the network, the server, or what lies between. Another time it may.

    Attributes
    ----------
    for_good : trying at once again is of no use.
    """

    def __init__(self, text: str, *, for_good: bool = False) -> None:
        super().__init__(text)
        self.for_good = for_good


@dataclass(frozen=True)
class Reply:
    """What the server said: status of HTTP, headers by their names in small letters, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Line:
    """Talks to a server; a context manager.

    Parameters
    ----------
    server : its token and certificates are read here. pace : of what is sent.
    timeout_s : how long to wait for the next bytes.

    Attributes
    ----------
    sent : bytes of bodies that went, those that did not arrive included.

    Raises
    ------
    edge.sync.server.ServerError : a certificate or the token cannot be used.
    """

    def __init__(self, server: Server, pace: Pace, timeout_s: float = 60.0) -> None:
        self._server, self._pace, self._timeout_s = server, pace, timeout_s
        self._context, token = server.context(), server.token()
        self._headers = {"Accept": "application/fhir+json", "User-Agent": f"leukoscope/{__version__}"}
        self._headers |= {"Accept-Encoding": "gzip"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self.sent = 0
        self._socket: socket.socket | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._late = False

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
        self._connection = None

    def ask(self, path: str, *, within_s: float = float("inf")) -> Reply:
        """GET something below the server's base.

        Raises
        ------
        LinkError : no answer came.
        """
        return self._exchange(
            "GET", f"{self._server.path}/{path}", b"", {"Cache-Control": "no-cache"}, within_s
        )

    def post(self, body: bytes, *, packed: bool, within_s: float = float("inf")) -> Reply:
        """POST a transaction to the server's base, at the line's pace.

        Raises
        ------
        LinkError : no answer came.
        """
        headers = {"Content-Type": "application/fhir+json"}
        if packed:
            headers["Content-Encoding"] = "gzip"
        return self._exchange("POST", self._server.path or "/", body, headers, within_s)

    def _exchange(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], within_s: float
    ) -> Reply:
        limit_s = min(self._pace.takes_s(len(body)) + _PATIENCE_S + self._timeout_s, within_s)
        kept = self._connection is not None
        try:
            with self._limited(limit_s):
                try:
                    return self._once(method, path, body, headers)
                except (http.client.RemoteDisconnected, ConnectionError):
                    if not kept or self._late:  # a server may hang up between two exchanges
                        raise
                    self.close()
                    return self._once(method, path, body, headers)
        except (OSError, http.client.HTTPException, ValueError, zlib.error) as error:
            self.close()
            if self._late:
                raise LinkError(f"{self._server}: no whole answer within {limit_s:.0f} s") from error
            raise _told(self._server, error, self._timeout_s) from error

    def _once(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        connection = self._connected()
        content = self._pieces(body) if body else None
        length = {"Content-Length": str(len(body))} if body else {}
        try:
            connection.request(method, path, content, {**self._headers, **headers, **length})
        except (BrokenPipeError, ConnectionResetError):
            # a server that has seen enough answers and hangs up before it has all
            with suppress(OSError, http.client.HTTPException):
                return self._read(connection)
            raise
        return self._read(connection)

    def _pieces(self, body: bytes) -> Iterator[bytes]:
        for piece in self._pace.pieces(body):
            self.sent += len(piece)
            yield piece

    def _read(self, connection: http.client.HTTPConnection) -> Reply:
        response = connection.getresponse()
        body = bytearray()
        while piece := response.read1(_PIECE):
            body += piece
            if len(body) > _LARGEST_ANSWER:
                raise ValueError("an answer of more than 4 MB")
        if self._late:
            raise TimeoutError
        if response.length:  # of its Content-Length, not yet read
            raise http.client.IncompleteRead(bytes(body), response.length)
        response.close()  # or the line would not be free for the next
        headers = {name.lower(): value for name, value in response.getheaders()}
        if response.will_close:
            self.close()
        return Reply(response.status, headers, _unpacked(bytes(body), headers))

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            host, port = self._server.host, self._server.port
            if self._context is None:
                self._connection = http.client.HTTPConnection(host, port, timeout=self._timeout_s)
            else:
                self._connection = http.client.HTTPSConnection(
                    host, port, timeout=self._timeout_s, context=self._context
                )
            self._connection.connect()
            # the connection lets go of it before an answer of unknown length is read
            self._socket = self._connection.sock
        return self._connection

    @contextmanager
    def _limited(self, seconds: float) -> Iterator[None]:
        """Hang up after so many seconds, however the bytes drip."""
        self._late = False

        def hang_up() -> None:
            self._late = True
            if self._socket is not None:
                with suppress(OSError):
                    # not its own way to do so, which would take TLS from under who reads just now
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

        timer = threading.Timer(max(seconds, 0.1), hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _unpacked(body: bytes, headers: Mapping[str, str]) -> bytes:
    if headers.get("content-encoding", "").strip().lower() not in ("gzip", "x-gzip"):
        return body
    unpacking = zlib.decompressobj(31)
    content = unpacking.decompress(body, _LARGEST_ANSWER)
    if unpacking.unconsumed_tail:
        raise ValueError("an answer of more than 4 MB")
    return content


def _told(server: Server, error: Exception, timeout_s: float) -> LinkError:
    """In words what happened on the way."""
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return LinkError(f"{server}: the connection was cut ({type(error).__name__})")
    if isinstance(error, ssl.SSLError):
        return _told_of_tls(server, error)
    if isinstance(error, TimeoutError):
        return LinkError(f"{server}: no answer within {timeout_s:g} s")
    if isinstance(error, http.client.HTTPException | ConnectionResetError | BrokenPipeError):
        return LinkError(f"{server}: the connection was cut ({type(error).__name__})")
    if isinstance(error, ValueError | zlib.error):
        return LinkError(f"{server}: the answer cannot be read ({str(error)[:100]})")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return LinkError(f"{server}: cannot be reached ({reason})")


def _told_of_tls(server: Server, error: ssl.SSLError) -> LinkError:
    """A certificate is not there by itself tomorrow: these end a run."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or "not trusted"
        if error.verify_code in (9, 10):  # not yet valid, expired (X509_V_ERR_CERT_*)
            now = clock.now()
            vouched = (
                "" if now.is_set else ", and nobody vouches for it: set it, or connect it to time servers"
            )
            why += f"; this device's clock says {now.utc:%Y-%m-%d %H:%M} UTC{vouched}"
        else:
            why += "; see that the address is right, or give the authority's ca.pem with --certificates"
        return LinkError(f"{server}: its certificate is not accepted: {why}", for_good=True)
    reason = str(error.reason or error).replace("_", " ").lower()
    if "alert" in reason or "certificate required" in reason:
        return LinkError(
            f"{server}: does not let this device in ({reason}); {server.credential}", for_good=True
        )
    return LinkError(f"{server}: the line cannot be closed to others ({reason})")
