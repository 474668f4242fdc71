"""The builder of Debian packages is a script, not an installed package: it is found by its folder."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "packaging"))


@pytest.fixture
def make_wheel(tmp_path: Path) -> Callable[..., Path]:
    """Makes a small wheel: `make_wheel("tiny", "1.0", "py3-none-any", {name: content})`."""

    def make(name: str, version: str, tags: str, members: dict[str, str], metadata: str = "") -> Path:
        path = tmp_path / "wheels" / f"{name}-{version}-{tags}.whl"
        path.parent.mkdir(exist_ok=True)
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}"
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in {
                f"{name}-{version}.dist-info/METADATA": about,
                f"{name}-{version}.dist-info/RECORD": "",
                **members,
            }.items():
                archive.writestr(member, content)
        return path

    return make


@pytest.fixture
def wheels(make_wheel: Callable[..., Path]) -> list[Path]:
    """Two wheels for Python 3.13 on arm64: one compiled, one not."""
    compiled = {
        "tiny/__init__.py": "from tiny import core\n",
        "tiny/core.cpython-313-aarch64-linux-gnu.so": "machine code",
        "tiny/__init__.pyi": "",
        "tiny/tests/test_core.py": "",
        "tiny.libs/libtiny.so.1": "machine code",
        "tiny-1.0.dist-info/licenses/LICENSE": "do as you like",
    }
    tags = "cp313-cp313-manylinux2014_aarch64.manylinux_2_17_aarch64.manylinux_2_28_aarch64"
    plain = {"other/__init__.py": "", "other-2.0.data/purelib/third.py": ""}
    return [
        make_wheel(
            "other", "2.0", "py3-none-any", plain, "Classifier: License :: OSI Approved :: MIT License\n"
        ),
        make_wheel("tiny", "1.0", tags, compiled, "License-Expression: BSD-3-Clause\n"),
    ]
