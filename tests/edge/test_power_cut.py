"""The power goes while a model is installed: whatever the moment, the next start finds a whole one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import bundle, installed
from edge.bundle.bundle import Bundle
from edge.update import install, rollback

Signed = Callable[..., Path]

SHIPPED = bundle.load(bundle.shipped_path()).manifest.version


def _install(path: Path) -> Bundle:
    return install(path, lambda _: None, lambda _: None, lambda _: None, even_so=True)


def _version() -> str:
    """Of the bundle that a screening would use."""
    return bundle.load().manifest.version


class PowerCut(BaseException):
    """Nothing that runs after it reaches the disk any more."""


class Power:
    """Counts what is done to the disk, and cuts the power before the n-th time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lasts: int) -> None:
        self.done, self._lasts = 0, lasts
        for owner, name in (
            (os, "fsync"), (Path, "replace"), (Path, "unlink"), (Path, "mkdir"), (os, "fdopen"),
        ):  # fmt: skip
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name), torn=name == "fdopen"))

    def _counted(self, call: Callable[..., Any], *, torn: bool) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            if self.done >= self._lasts:
                if torn and self.done == self._lasts:
                    os.write(arguments[0], b"half of i")
                self.done += 1
                raise PowerCut
            self.done += 1
            return call(*arguments, **named)

        return counted


def _power_cuts(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> Iterator[bool]:
    """Does the work again and again, the power lasting one step longer each time; whether it got done."""
    for lasts in range(60):
        with monkeypatch.context() as patch:
            power = Power(patch, lasts)
            try:
                work()
            except PowerCut:
                finished = False
            else:
                finished = power.done <= lasts
        yield finished
        if finished:
            return
    pytest.fail("never done")


def test_power_cuts_while_installing(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = signed("1"), signed("2")
    _install(first)
    before = {path.name: path.read_bytes() for path in installed.folder().iterdir()}
    seen = []
    for finished in _power_cuts(monkeypatch, lambda: _install(second)):
        seen.append(_version())
        assert seen[-1] == "2" if finished else seen[-1] in ("1", "2")
        assert rollback(pytest.fail).manifest.version in ("1", SHIPPED)
        assert _version()
        shutil.rmtree(installed.folder())
        installed.folder().mkdir()
        for name, content in before.items():
            (installed.folder() / name).write_bytes(content)
    assert len(seen) > 8
    assert seen == sorted(seen)  # from some step on it is the new one, and stays so


def test_power_cuts_while_installing_the_first(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    path = signed("1")
    for finished in _power_cuts(monkeypatch, lambda: _install(path)):
        assert _version() == "1" if finished else _version() in (SHIPPED, "1")
        shutil.rmtree(installed.folder(), ignore_errors=True)


def test_power_cuts_while_going_back(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(signed("1"))
    _install(signed("2"))
    state = (installed.folder() / "current.json").read_bytes()
    for finished in _power_cuts(monkeypatch, lambda: rollback(pytest.fail)):
        assert _version() == "1" if finished else _version() in ("1", "2")
        (installed.folder() / "current.json").write_bytes(state)


def test_what_a_power_cut_left_is_cleared_away(signed: Signed) -> None:
    _install(signed("1"))
    (installed.folder() / ".x.bundle.abc.part").write_bytes(b"half")
    (installed.folder() / f"{'0' * 64}.bundle").write_bytes(b"never used")
    _install(signed("2"))
    names = {path.suffix for path in installed.folder().iterdir()}
    assert names == {".bundle", ".json"}
    assert len(list(installed.folder().iterdir())) == 3
