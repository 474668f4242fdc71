"""Type stubs of the real TensorRT bindings, made on a machine that has neither TensorRT nor a GPU.

NVIDIA's bindings install from PyPI, the libraries behind them do not, and the wheels carry no stubs. To be
read, the bindings need only libraries of the right names with the right symbols; nothing in them runs. The
stubs fall under NVIDIA's licence: they are made where they are needed and kept in the user's cache.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSIONS = ("10.16.1.11", "11.4.0.106")
"""The oldest TensorRT that is supported (JetPack 7.2) and the newest."""

_STUBGEN = "pybind11-stubgen==3.0.0"
_LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser")
_SYMBOLS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)


class NoStubsError(Exception):
    """What the stubs are made of cannot be had here; says what is missing."""


def stubs(version: str) -> Path:
    """Folder with `tensorrt/__init__.pyi` of this version; made on the first call, then kept.

    Raises
    ------
    NoStubsError
        There is no gcc, or pip cannot have the wheels.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    folder = cache / "leukoscope" / "tensorrt-stubs" / f"{version}-{tag}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            made = _make(version, Path(scratch))
            try:
                made.rename(folder)
            except OSError:  # another process was faster
                if not folder.is_dir():
                    raise
    return folder


def _make(version: str, scratch: Path) -> Path:
    if shutil.which("gcc") is None:
        raise NoStubsError("no gcc, which makes the libraries that stand in for NVIDIA's")
    wheels = scratch / "wheels"
    requirement = f"tensorrt-cu13-bindings=={version}"
    _pip("download", "--no-deps", "--only-binary", ":all:", "--dest", str(wheels), requirement)
    bindings, tools = scratch / "bindings", scratch / "tools"
    _pip("install", "--no-deps", "--target", str(tools), _STUBGEN)
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
        wheel.extractall(bindings)
    _stand_in(bindings, version.split(".")[0])
    environment = os.environ | {"LD_LIBRARY_PATH": str(bindings), "PYTHONPATH": f"{bindings}:{tools}"}
    written = scratch / "written"
    generate = [sys.executable, "-m", "pybind11_stubgen", "--ignore-all-errors", "--output-dir", str(written)]
    _run([*generate, "tensorrt_bindings"], environment)
    package = scratch / "stubs" / "tensorrt"
    package.parent.mkdir()
    (written / "tensorrt_bindings").rename(package)
    for stub in package.rglob("*.pyi"):
        stub.write_text(_complete(repair(stub.read_text().replace("tensorrt_bindings", "tensorrt"))))
    return package.parent


def _stand_in(folder: Path, major: str) -> None:
    """Empty libraries with NVIDIA's names."""
    source = folder / "stand_in.c"
    source.write_text("".join(f"void *{symbol}(void) {{ return 0; }}\n" for symbol in _SYMBOLS))
    for library in _LIBRARIES:
        target = folder / f"lib{library}.so.{major}"
        _run(["gcc", "-shared", "-fPIC", "-o", str(target), str(source)], dict(os.environ))


def repair(stub: str) -> str:
    """Make a stub parse: a signature that the generator could not print takes and gives anything."""
    lines = stub.split("\n")
    for _ in range(500):
        try:
            ast.parse("\n".join(lines))
        except SyntaxError as error:
            _loosen(lines, (error.lineno or 1) - 1)
        else:
            return "\n".join(lines)
    raise RuntimeError("the generated stub cannot be repaired")


def _complete(stub: str) -> str:
    """Add what the generator does not see.

    Host memory is a buffer, which Python 3.11 shows of no C type; and `bool` is Python's in a signature,
    although the module has a data type of that name.
    """
    head = "class IHostMemory:\n"
    stub = stub.replace(head, f"{head}    def __buffer__(self, flags: int, /) -> memoryview: ...\n")
    stub = re.sub(r"(?<=: )bool\b|(?<=-> )bool\b", "builtins.bool", stub)
    return re.sub(r"^import collections\.abc$", "import builtins\n\\g<0>", stub, count=1, flags=re.M)


def _loosen(lines: list[str], index: int) -> None:
    """Replace the signature that this line belongs to."""
    heads = (i for i in range(index, -1, -1) if re.match(r"\s*def \w+\(", lines[i]))
    start = next(heads, None)
    if start is None:
        raise RuntimeError(f"the generated stub has an error outside a function: {lines[index][:80]}")
    ends = ('"""', "def ", "@", "...", "class ")
    end = next((i for i in range(start + 1, len(lines)) if lines[i].lstrip().startswith(ends)), len(lines))
    head = re.match(r"(\s*def \w+)\(", lines[start])
    assert head
    lines[start:end] = [f"{head[1]}(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:"]


def _pip(*arguments: str) -> None:
    try:
        _run(
            [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"],
            dict(os.environ),
        )
    except RuntimeError as error:
        raise NoStubsError(str(error)) from None


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").split("\n")[-1]
        raise RuntimeError(f"{' '.join(command[1:])}: {last}")
