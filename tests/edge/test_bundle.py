"""Every way a bundle can be bad gets its own clear line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge import bundle
from edge.bundle import BundleError


def _refusal(path: Path) -> str:
    with pytest.raises(BundleError) as refused:
        bundle.load(path, allow_unsigned=True)
    message = str(refused.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_a_good_bundle_is_read(make_bundle: Callable[..., Path]) -> None:
    read = bundle.load(make_bundle(), allow_unsigned=True)
    assert read.manifest.classes[0] == "blast"
    assert read.manifest.positive_indices == (0,)
    assert not read.trusted
    assert len(read.sha256) == 64


def test_a_foreign_bundle_needs_a_flag(make_bundle: Callable[..., Path]) -> None:
    path = make_bundle()
    with pytest.raises(BundleError, match="--allow-unsigned"):
        bundle.load(path)


def test_the_shipped_bundle_is_trusted() -> None:
    shipped = bundle.load()
    assert shipped.trusted
    assert shipped.manifest.name == "leukocytes"
    assert shipped.path.stat().st_size < 5e6


def test_missing_file(tmp_path: Path) -> None:
    assert "no such file" in _refusal(tmp_path / "none.bundle")


def test_not_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "text.bundle"
    path.write_text("not a zip at all")
    assert "damaged" in _refusal(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_truncated(make_bundle: Callable[..., Path], share: float) -> None:
    path = make_bundle()
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "damaged" in _refusal(path)


def test_wrong_hash(make_bundle: Callable[..., Path]) -> None:
    path = make_bundle(files={"classifier.onnx": "0" * 64})
    assert "classifier.onnx does not match its sha256" in _refusal(path)


def test_missing_graph(make_bundle: Callable[..., Path]) -> None:
    assert "classifier.onnx is missing" in _refusal(make_bundle(members={}))


def test_stowaway(make_bundle: Callable[..., Path]) -> None:
    path = make_bundle(members={"classifier.onnx": b"x", "extra": b"y"}, files={})
    assert "does not match" in _refusal(path)


def test_member_that_points_outside(make_bundle: Callable[..., Path]) -> None:
    assert "points outside" in _refusal(make_bundle(members={"../classifier.onnx": b"x"}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "newer"),
        ({"format": "1"}, "not valid"),
        ({"task": "field"}, "task 'field'"),
        ({"classes": []}, "classes"),
        ({"classes": ["blast", "blast"]}, "twice"),
        ({"positive": ["cat"]}, "cat"),
        ({"input": {"pitch_um": 0.25}}, "size_px"),
        ({"input": {"pitch_um": -1, "size_px": 96, "steps": []}}, "-1"),
        ({"input": {"pitch_um": 0.25, "size_px": 96, "steps": ["magic"]}}, "magic"),
        ({"graphs": {"classifier": {}}}, "fp32"),
        ({"thresholds": {"positive": 2, "confidence": 0.5, "certain": 0.5}}, "positive is 2"),
        ({"thresholds": {"positive": "a", "confidence": 0.5, "certain": 0.5}}, "not valid"),
        ({"thresholds": [1]}, "not valid"),
        ({"finding": {}}, "not valid"),
    ],
)
def test_bad_manifest(make_bundle: Callable[..., Path], changes: dict[str, object], words: str) -> None:
    assert words in _refusal(make_bundle(**changes))
