"""Our TensorRT code, checked by mypy against the real bindings of the oldest and the newest version."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.edge.runtimes import tensorrt_stubs

OURS = [ROOT / "edge" / "runtimes" / f"{name}.py" for name in ("trt", "engines", "cuda")]
OURS.append(ROOT / "export/graph/to_tensorrt.py")

OLD_HABITS = """
import tensorrt as trt

def build(builder: trt.Builder, network: trt.INetworkDefinition, config: trt.IBuilderConfig) -> None:
    config.set_flag(trt.BuilderFlag.FP16)
    config.int8_calibrator = None
    builder.build_engine(network, config)
    network.get_input(0).shape.missing
"""


@pytest.fixture(scope="module", params=tensorrt_stubs.VERSIONS)
def stubs(request: pytest.FixtureRequest) -> Path:
    try:
        return tensorrt_stubs.stubs(request.param)
    except tensorrt_stubs.NoStubsError as error:
        pytest.skip(str(error))


def _errors(files: list[Path], stubs: Path) -> list[str]:
    """What mypy says of these files; the stubs have errors of their own, which do not count."""
    options = ["--follow-imports", "silent", "--cache-dir", str(stubs / "mypy")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *map(str, files)],
        cwd=ROOT,
        env=os.environ | {"MYPYPATH": str(stubs)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert f"checked {len(files)} source file" in done.stdout, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if ": error: " in line and ".pyi:" not in line]


def test_only_calls_that_this_version_has(stubs: Path) -> None:
    assert _errors(OURS, stubs) == []


def test_a_call_that_it_has_not_is_found(stubs: Path, tmp_path: Path) -> None:
    file = tmp_path / "old_habits.py"
    file.write_text(OLD_HABITS)
    found = "\n".join(_errors([file], stubs))
    assert '"Builder" has no attribute "build_engine"' in found
    assert '"Dims" has no attribute "missing"' in found
    newest = "11.4" in stubs.name
    assert ('no attribute "FP16"' in found) == newest
    assert ('no attribute "int8_calibrator"' in found) == newest


@pytest.mark.parametrize(
    ("stub", "repaired"),
    [
        ("def f(self, x: int = <A.B: 1>) -> int:\n    ...", "def f(self, *args"),
        ("class A:\n    def f(self) -> int:\n        ...", "def f(self) -> int"),
    ],
)
def test_a_signature_that_does_not_parse_takes_anything(stub: str, repaired: str) -> None:
    assert repaired in tensorrt_stubs.repair(stub)
