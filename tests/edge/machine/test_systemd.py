from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.machine.systemd import ServiceNotifier
from edge.types import Waiting
from tests.edge.records.example import HEADER, reading


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def heard(manager: socket.socket) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(manager.recv(4096).decode())
        except BlockingIOError:
            return messages


def test_it_is_ready_when_the_line_stands_and_alive_with_every_reading(manager: socket.socket) -> None:
    notifier = ServiceNotifier()
    notifier.start("S-1", HEADER, 0.1)
    (first,) = heard(manager)
    assert first.splitlines()[:2] == ["WATCHDOG=1", "READY=1"]
    assert "STATUS=slide S-1" in first
    notifier.reading(reading(0))
    notifier.reading(reading(0))
    second, third = heard(manager)
    assert second.startswith("WATCHDOG=1\nSTATUS=")
    assert third == "WATCHDOG=1", "the same again needs no telling"
    notifier.close()


def test_waiting_is_life_and_says_why(manager: socket.socket) -> None:
    notifier = ServiceNotifier()
    notifier.start("S-1", HEADER, 0.1)
    heard(manager)
    notifier.waiting(Waiting("camera 0: is gone", "plug it in", 0.0))
    assert heard(manager) == ["WATCHDOG=1\nSTATUS=camera 0: is gone; plug it in"]
    notifier.waiting(None)
    assert heard(manager) == ["WATCHDOG=1"]
    notifier.failed("the disk is full")
    assert heard(manager) == ["STATUS=the disk is full"]
    notifier.close()


def test_an_abstract_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"leukoscope-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        notifier = ServiceNotifier()
        notifier.start("S-1", HEADER, 0.1)
        assert b"READY=1" in listening.recv(4096)
        notifier.close()


@pytest.mark.parametrize(("address", "tried"), [("", 0), ("/nowhere/at/all", 2)])
def test_without_anybody_listening_the_line_goes_on(
    address: str, tried: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent where nobody asked for it, and a manager that went away stops nobody."""
    real, sent = socket.socket, []

    class Watched(real):  # type: ignore[misc, valid-type]
        def sendto(self, message: bytes, address: str) -> int:
            sent.append(message)
            return int(super().sendto(message, address))

    monkeypatch.setattr(socket, "socket", Watched)
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notifier = ServiceNotifier()
    notifier.start("S-1", HEADER, 0.1)
    notifier.reading(reading(0))
    notifier.close()
    assert len(sent) == tried
