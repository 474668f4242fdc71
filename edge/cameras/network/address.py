"""Addresses of network cameras, and what is wrong with them."""

from __future__ import annotations

import hashlib
import socket
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from edge.cameras import CameraError

PORTS = {"rtsp": 554, "http": 80, "https": 443}
"""Schemes, and the ports they mean where none is given (RFC 7826, 9110)."""


@dataclass(frozen=True)
class Address:
    """Where a camera is to be found.

    Attributes
    ----------
    scheme, host, port : where to connect to.
    name : the address fit to be seen: without user, password and query, which may hold a password too.
    serial : tells queries apart, empty without one.
    url : without user and password. user, password : empty where none was given.
    """

    scheme: str
    host: str
    port: int
    name: str
    serial: str
    url: str = field(repr=False)
    user: str = field(repr=False)
    password: str = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Address:
        """Take an address apart; raises CameraError for one that cannot be, without repeating it."""
        scheme = url.partition(":")[0].lower()
        wrong = CameraError(
            f"camera {scheme}://...: is not an address; write {scheme}://HOST/PATH or "
            f"{scheme}://USER:PASSWORD@HOST/PATH, in a password %40 for @, %2F for /, %3A for :"
        )
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise wrong from None
        place = parts.netloc.rpartition("@")[2]
        # an @ further on: a part of the password was taken for the path
        if scheme not in PORTS or not host or "@" in url.partition(place)[2] or not url.isprintable():
            raise wrong
        return cls(
            scheme=scheme,
            host=host,
            port=port or PORTS[scheme],
            name=f"{scheme}://{place}{parts.path}",
            serial=hashlib.sha256(parts.query.encode()).hexdigest()[:8] if parts.query else "",
            url=urlunsplit((scheme, place, parts.path, parts.query, "")),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )

    def unreachable(self, error: Exception) -> CameraError:
        """Why the host cannot be talked to."""
        if isinstance(error, socket.gaierror):
            return self.wrong(f"there is no host {self.host}; check the address and the network")
        if isinstance(error, ConnectionRefusedError):
            return self.wrong(
                f"nothing answers on port {self.port}; check the address, and that the camera is on"
            )
        if isinstance(error, TimeoutError):
            return self.wrong("does not answer; check its power and the network")
        what = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return self.wrong(f"cannot be reached ({_plain(what)}); check its power and the network")

    def refused(self, status: int, words: str) -> CameraError:
        """What an answer other than yes means (HTTP and RTSP use the same numbers)."""
        if status in (401, 403) and self.user:
            return self.wrong("refuses this user and password; correct them")
        if status in (401, 403):
            return self.wrong(
                f"wants a user and password; write {self.scheme}://USER:PASSWORD@{self.host}/..."
            )
        if status in (404, 454):
            return self.wrong("has nothing under this path; look the address up in the camera's manual")
        return self.wrong(f"answers {status} {_plain(words)}".rstrip() + "; check the address")

    def wrong(self, what: str) -> CameraError:
        """The error that says this of the camera."""
        return CameraError(f"camera {self.name}: {what}")


def _plain(text: str) -> str:
    """What another machine says, fit for the middle of a message."""
    return "".join(c if c.isprintable() and c != ";" else " " for c in text)[:80].strip()
