"""Pictures of an RTSP stream, through the FFmpeg that OpenCV brings."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator
from urllib.parse import quote

import cv2
import numpy as np

from edge.cameras.network.address import Address
from edge.cameras.pace import Pace
from edge.cameras.quiet import quiet
from edge.types import U8

OPEN_MS = 3000
"""Longest wait of FFmpeg for the connection."""

READ_MS = 1000
"""Longest wait of FFmpeg for a picture, until a camera is known to be slower: nothing interrupts it."""

ASK_S = 1.0
"""Longest wait for the answer that says why FFmpeg failed, which does not tell."""


class RtspPictures:
    """Every picture of a stream, decoded: each one builds upon those before; `pace` is theirs so far."""

    def __init__(self, address: Address, pace: Pace) -> None:
        self._address, self._pace = address, pace
        self._stopped = False

    def __iter__(self) -> Iterator[tuple[float, U8]]:
        quiet()
        # over TCP a picture comes whole or not at all; over UDP lost parts show as grey blocks
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
        capture = cv2.VideoCapture(
            self._url(),
            cv2.CAP_FFMPEG,
            [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_MS,
                cv2.CAP_PROP_READ_TIMEOUT_MSEC, self._read_ms(),
                cv2.CAP_PROP_N_THREADS, 1,  # more threads hold as many pictures back
            ],
        )  # fmt: skip
        try:
            if not capture.isOpened():
                self._say_why()
            while not self._stopped:
                ok, pixels = capture.read()
                if not ok:
                    raise self._address.wrong("the stream broke off; check its power and the network")
                yield time.monotonic(), np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
        finally:
            capture.release()

    def stop(self) -> None:
        """End after the picture that is waited for."""
        self._stopped = True

    def _read_ms(self) -> int:
        first_s = READ_MS / 1e3
        return round(1e3 * self._pace.patience_s(first_s, first_s))

    def _url(self) -> str:
        """The address as FFmpeg wants it."""
        address = self._address
        if not address.user:
            return address.url
        account = f"{quote(address.user, safe='')}:{quote(address.password, safe='')}"
        return address.url.replace("://", f"://{account}@", 1)

    def _say_why(self) -> None:
        """Raise what is wrong with the stream: ask for it again, by hand (RFC 2326, section 10.2)."""
        address = self._address
        ask = f"DESCRIBE {address.url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
        try:
            with socket.create_connection((address.host, address.port), ASK_S) as connection:
                connection.sendall(ask.encode())
                answer = connection.recv(1024).decode(errors="replace")
        except OSError as error:
            raise address.unreachable(error) from error
        said = re.match(r"RTSP/\d\.\d (\d{3}) ?([^\r\n]*)", answer)
        if said is None:
            raise address.wrong("is not an RTSP camera; check the address")
        if said[1] != "200":
            raise address.refused(int(said[1]), said[2])
        raise address.wrong("gives no video that can be read; set the camera to H.264, and check the network")
