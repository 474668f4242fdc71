"""Signs of life for the service manager, from the line itself.

The protocol of sd_notify(3): a datagram of assignments to the socket that $NOTIFY_SOCKET names. A sign of
life is sent with every reading and with every second of waiting, never by a timer beside the line, so that a
line that hangs falls silent and WatchdogSec ends it.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from edge.types import Reading, Sink, SlideHeader, Waiting


class ServiceNotifier(Sink):
    """Follows a screening and tells systemd what it is doing; without $NOTIFY_SOCKET it tells nobody."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        # a leading @ stands for the abstract name space
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._ready = False
        self._status = ""

    def start(self, slide: str, header: SlideHeader, um_per_px: float) -> None:
        """The line stands: the service has started."""
        self._alive(f"slide {slide}, {header.camera}: waiting for the first field")

    def reading(self, reading: Reading) -> None:
        """The line has read a frame."""
        self._alive(f"{reading.tally.summary}: {reading.finding.kind}")

    def waiting(self, trouble: Waiting | None) -> None:
        """The line waits, for the camera or because it was asked to."""
        self._alive(f"{trouble.reason}; {trouble.advice}" if trouble else self._status)

    def finding(self, last: Reading) -> None:
        """The slide has ended."""
        self._alive(f"finished: {last.finding.kind}")

    def failed(self, reason: str) -> None:
        """The program ends because of this."""
        self._send(f"STATUS={reason}")

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def _alive(self, status: str) -> None:
        message = ["WATCHDOG=1"]
        if not self._ready:
            message.append("READY=1")
            self._ready = True
        if status != self._status:
            message.append(f"STATUS={status}")
            self._status = status
        self._send("\n".join(message))

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with suppress(OSError):  # a service manager that went away is no reason to stop screening
            self._socket.sendto(message.encode("utf-8", "replace"), self._address)
