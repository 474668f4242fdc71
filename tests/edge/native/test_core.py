"""Which compiled core is loaded, and which is not."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge import native

ROOT = Path(__file__).parents[3]
HERE = ROOT / "edge" / "native"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """What one test loads is forgotten by the next."""
    native.core.cache_clear()
    yield
    native.core.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the core is then looked for: nothing is there."""
    monkeypatch.delenv(native.PURE, raising=False)
    monkeypatch.setattr(native, "__file__", str(tmp_path / "__init__.py"))
    return tmp_path


@pytest.fixture
def library(folder: Path) -> Path:
    """A library of this machine's in the folder; the test is skipped where none was built."""
    built = sorted(HERE.glob("core*.so"))
    if not built:
        pytest.skip("the compiled core was not built here")
    return Path(shutil.copy(built[0], folder))


def test_one_that_was_not_built(folder: Path) -> None:
    assert native.core() is None
    assert native.why_not() == "was not built; install a C compiler, then the program again"


def test_one_that_is_not_wanted(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.PURE, "1")
    assert native.core() is None
    assert native.why_not() == "LEUKOSCOPE_PURE is set; unset it"


def test_one_that_is_there(library: Path) -> None:
    assert native.core() is not None
    assert native.why_not() is None


@pytest.mark.parametrize("content", [b"", b"no library", b"\x7fELF" + bytes(60)])
def test_one_that_is_damaged(folder: Path, content: bytes) -> None:
    (folder / "core.abi3.so").write_bytes(content)
    assert native.core() is None
    assert native.why_not() == (
        "is older than its sources, or not for this processor; install the program again"
    )


def test_one_of_another_version(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "VERSION", native.VERSION + 1)
    assert native.core() is None


@pytest.mark.parametrize(("later_s", "taken"), [(1, False), (0, True), (-1, True)])
def test_one_that_is_older_than_its_sources(library: Path, later_s: int, taken: bool) -> None:
    source = library.parent / "c" / "core.h"
    source.parent.mkdir(exist_ok=True)
    source.touch()
    moment = library.stat().st_mtime + later_s
    os.utime(source, (moment, moment))
    assert (native.core() is not None) == taken


def test_every_source_is_compiled_and_every_header_watched() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (extension,) = project["tool"]["setuptools"]["ext-modules"]
    assert sorted(extension["sources"]) == sorted(
        f"edge/native/c/{path.name}" for path in (HERE / "c").glob("*.c")
    )
    assert sorted(extension["depends"]) == sorted(
        f"edge/native/c/{path.name}" for path in (HERE / "c").glob("*.h")
    )


@pytest.mark.parametrize(("array", "fits"), [
    (np.zeros((4, 3), np.float32), True),
    (np.zeros((4, 2), np.float32), False),
    (np.zeros((4, 3), np.float64), False),
    (np.zeros((1, 4, 3), np.float32), False),
    (np.zeros((4, 6), np.float32)[:, ::2], False),
    (np.zeros((0, 3), np.float32), True),
])  # fmt: skip
def test_an_address_is_given_of_what_the_core_takes_only(array: np.ndarray, fits: bool) -> None:
    if fits:
        assert native.at(array, np.float32, (None, 3)) == array.ctypes.data
    else:
        with pytest.raises(ValueError, match=r"the core wants float32 \(None, 3\), not"):
            native.at(array, np.float32, (None, 3))
