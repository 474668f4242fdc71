"""What a fresh process loads: the device needs no PyTorch, the headless command no Textual."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WORKSTATION = ("torch", "onnx", "onnxscript", "matplotlib", "train", "export")
ARCHIVE = ("ray", "pyarrow", "pandas", "fsspec")


def _loaded(code: str) -> set[str]:
    code += "\nimport sys; print('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stderr.split()} | set(done.stderr.split())


@pytest.mark.parametrize(
    "module",
    [
        "edge.line.pipeline",
        "edge.tui.app",
        "edge.cli",
        "edge.device",
        "edge.slides",
        "edge.selftest.selftest",
        "edge.cameras.uvc",
    ],
)
def test_the_device_needs_no_workstation(module: str) -> None:
    assert not _loaded(f"import {module}") & {*WORKSTATION, *ARCHIVE}


def test_headless_loads_no_textual_and_no_camera_but_the_chosen() -> None:
    loaded = _loaded(
        "from edge.cli import main\n"
        "assert main(['--camera', 'demo', '--headless', '--no-records', '--max-frames', '2']) == 0"
    )
    assert "edge.line.pipeline" in loaded
    assert not loaded & {"textual", "rich", "cryptography", "edge.tui", "edge.cameras.uvc", *WORKSTATION}


def test_help_and_wrong_usage_load_nothing_heavy() -> None:
    loaded = _loaded("import edge.cli\ntry:\n    edge.cli.main(['--help'])\nexcept SystemExit: pass")
    assert not loaded & {"onnxruntime", "textual", "edge.line.pipeline"}


def test_help_of_the_archive_waits_for_no_ray() -> None:
    loaded = _loaded(
        "import edge.archive.cli as c\ntry:\n    c.main(['run', '--help'])\nexcept SystemExit: pass"
    )
    assert not loaded & {*ARCHIVE, "onnxruntime", "cv2"}


@pytest.mark.parametrize("command", ["train.cli", "export.cli"])
def test_workstation_help_waits_for_no_torch(command: str) -> None:
    loaded = _loaded(f"import {command}\ntry:\n    {command}.main(['--help'])\nexcept SystemExit: pass")
    assert "torch" not in loaded


def test_onnx_runtime_leaves_no_telemetry_behind(tmp_path: Path) -> None:
    run = ["-m", "edge.cli", "--camera", "demo", "--headless", "--no-records", "--max-frames", "1"]
    ours = {"HOME": str(tmp_path), "LEUKOSCOPE_HOME": str(tmp_path / "data"), "ORT_DISABLE_TELEMETRY": "0"}
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | ours
    subprocess.run([sys.executable, *run], env=environment, check=True, capture_output=True)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
