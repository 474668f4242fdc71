"""A link that breaks: a TCP proxy in front of a server, which cuts connections after so many bytes."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Self

_PIECE = 4096


@dataclass(frozen=True)
class Cut:
    """How a connection ends.

    Attributes
    ----------
    after : bytes that come through before, both directions together; 0 refuses the connection.
    how : with a reset, as if the other end had hung up in good order, or not at all: nothing comes any more.
    """

    after: int
    how: Literal["reset", "end", "silence"] = "reset"


class Proxy:
    """The link to a port of this machine; a context manager.

    Parameters
    ----------
    cut : how a connection is to end, from its number (counted from 0); None where it is not cut.

    Attributes
    ----------
    connections, cuts : how many there were. sent, answered : bytes that came through, to the server and back.
    """

    def __init__(self, port: int, cut: Callable[[int], Cut | None] = lambda _: None) -> None:
        self._to, self._cut = port, cut
        self.connections = self.cuts = self.sent = self.answered = 0
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._listening.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/fhir"

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, sock=self._listening)

    async def _finish(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cut = self._cut(self.connections)
        self.connections += 1
        ends = [writer]
        try:
            if cut is None or cut.after > 0:
                there, back = await asyncio.open_connection("127.0.0.1", self._to)
                ends.append(back)
                await _Pair(self, cut).carry(reader, back, there, writer)
            elif cut.how == "silence":
                await reader.read()
        except OSError:
            pass
        finally:
            if cut is not None and (cut.after == 0 or cut.how != "end"):
                self.cuts += cut.after == 0
                _reset(ends)
            for end in ends:
                with suppress(OSError, RuntimeError):
                    end.close()


class _Pair:
    """Both directions of one connection."""

    def __init__(self, proxy: Proxy, cut: Cut | None) -> None:
        self._proxy, self._cut = proxy, cut
        self._left = cut.after if cut else -1

    async def carry(
        self,
        here: asyncio.StreamReader,
        to_there: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        to_here: asyncio.StreamWriter,
    ) -> None:
        ways = [
            asyncio.create_task(self._one(here, to_there, "sent")),
            asyncio.create_task(self._one(there, to_here, "answered")),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        while data := await reader.read(_PIECE):
            if self._cut is None:
                through = data
            elif self._left:
                through = data[: self._left]
                self._left -= len(through)
                self._proxy.cuts += not self._left
            else:
                continue  # nothing comes through any more, until somebody has had enough
            writer.write(through)
            await writer.drain()
            setattr(self._proxy, way, getattr(self._proxy, way) + len(through))
            if self._cut is not None and not self._left and self._cut.how != "silence":
                return


def _reset(ends: list[asyncio.StreamWriter]) -> None:
    """What is on the way is lost, and the other end hears so at once."""
    for end in ends:
        connection = end.get_extra_info("socket")
        if connection is not None:
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.transport.abort()
