"""The calibration file: whose calibration is whose, old and damaged files, the way back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from edge.optics.calibrations import FILE, Calibration, CalibrationError, CalibrationStore, stamp, too_old
from edge.types import Light

DATE = "2026-11-20T10:00:00+00:00"
FLAT = np.asarray(np.linspace(0.4, 1.0, 64 * 36 * 3).reshape(36, 64, 3), np.float32)


def scope(um_per_px: float = 0.1, width: int = 64, serial: str = "", **more: object) -> Calibration:
    return Calibration("scope", width, 48, um_per_px, 0.02, DATE, "red-cells", serial, **more)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> CalibrationStore:
    return CalibrationStore(tmp_path / "deeper" / FILE)


def test_cameras_serials_and_resolutions_are_kept_apart(store: CalibrationStore) -> None:
    assert store.find("scope", "", 64, 48) is None
    for one in (
        scope(0.1, serial="A"),
        scope(0.2, serial="B"),
        scope(0.05, 128, "A"),
        scope(0.12, serial="A"),
    ):
        store.save(one)
    assert store.find("scope", "A", 64, 48) == scope(0.12, serial="A")
    assert store.find("scope", "B", 64, 48) == scope(0.2, serial="B")
    assert store.find("scope", "A", 128, 48) == scope(0.05, 128, "A")
    assert store.find("scope", "C", 64, 48) is None
    assert store.find("other", "A", 64, 48) is None
    assert [p.name for p in store.path.parent.iterdir()] == [FILE]


def test_everything_comes_back_as_it_was(store: CalibrationStore) -> None:
    whole = scope(
        clock_set=False,
        light=Light(12.5, 2.0, (1.8, 1.4)),
        glass=(220.0, 215.5, 201.0),
        flat=FLAT,
        lit_at=DATE,
    )
    store.save(whole)
    back = store.find("scope", "", 64, 48)
    assert back == whole
    assert back.flat is not None
    np.testing.assert_allclose(back.flat, FLAT, atol=1e-4)
    assert back.flat.dtype == np.float32
    assert len(store.path.read_bytes()) < 40_000


def test_light_is_the_last_saved_of_any_resolution(store: CalibrationStore) -> None:
    assert store.light("scope", "A") is None
    store.save(scope(serial="A", light=Light(10.0, None, (4000.0,))))
    store.save(scope(width=128, serial="A", light=Light(20.0, None, (4000.0,))))
    store.save(scope(width=256, serial="A"))
    assert store.light("scope", "A") == Light(20.0, None, (4000.0,))
    assert store.light("scope", "B") is None
    store.save(scope(serial="A", light=Light(30.0)))
    assert store.light("scope", "A") == Light(30.0)


def test_undo_goes_back_one_by_one(store: CalibrationStore) -> None:
    for um in (0.1, 0.2, 0.3):
        store.save(scope(um))
    store.save(scope(0.5, 128))
    assert [one.um_per_px for one in store.all()] == [0.3, 0.5]
    assert store.undo("scope", "", 64, 48) == scope(0.2)
    assert store.undo("scope", "", 64, 48) is None  # only one before is kept
    assert store.all() == [scope(0.5, 128)]
    with pytest.raises(CalibrationError, match="64×48"):
        store.undo("scope", "", 64, 48)


def test_the_first_format_is_read_and_carried_over(store: CalibrationStore) -> None:
    old = {"camera": "scope", "width": 64, "height": 48, "um_per_px": 0.1, "uncertainty": 0.02,
           "measured_at": DATE, "method": "red-cells"}  # fmt: skip
    store.path.parent.mkdir()
    store.path.write_text(json.dumps({"format": 1, "calibrations": [old]}), encoding="utf-8")
    assert store.find("scope", "", 64, 48) == scope()
    assert store.find("scope", "A", 64, 48) == scope()  # made before serial numbers were kept
    store.save(scope(0.3, 128))
    assert json.loads(store.path.read_text(encoding="utf-8"))["format"] == 3
    assert store.find("scope", "", 64, 48) == scope()


def test_a_newer_format_is_refused_and_left_alone(store: CalibrationStore) -> None:
    store.path.parent.mkdir()
    text = '{"format": 4, "calibrations": "whatever"}'
    store.path.write_text(text, encoding="utf-8")
    attempts: tuple[Callable[[], object], ...] = (store.all, lambda: store.save(scope()))
    for attempt in attempts:
        with pytest.raises(CalibrationError, match="newer version") as told:
            attempt()
        assert "\n" not in str(told.value)
    assert store.path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": "x", "calibrations": []}',
        '{"format": 0, "calibrations": []}',
        '{"format": 1, "calibrations": [{"camera": "scope"}]}',
        '{"format": 2, "calibrations": [{"camera": "scope"}]}',
        '{"format": 2, "calibrations": [7]}',
        '{"format": 2}',
    ],
)
def test_damaged_file_is_named_with_a_way_out(store: CalibrationStore, text: str) -> None:
    store.path.parent.mkdir()
    store.path.write_text(text, encoding="utf-8")
    attempts: tuple[Callable[[], object], ...] = (store.all, lambda: store.save(scope()))
    for attempt in attempts:
        with pytest.raises(CalibrationError, match="edge-device calibrate") as told:
            attempt()
        assert str(store.path) in str(told.value)
        assert "\n" not in str(told.value)
    assert store.path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("um_per_px", 0.0), ("um_per_px", -0.1), ("um_per_px", "0.1"), ("um_per_px", None),
        ("measured_at", "yesterday"), ("measured_at", "2026-11-20T10:00:00"), ("measured_at", None),
        ("flat", ""), ("flat", "AAAA"), ("flat", "?"), ("flat", 7), ("light", {"gain": 1}), ("light", 3),
        ("glass", ["a", "b", "c"]), ("surprise", 1),
    ],
)  # fmt: skip
def test_impossible_entries_are_refused(store: CalibrationStore, key: str, value: object) -> None:
    store.save(scope())
    content = json.loads(store.path.read_text(encoding="utf-8"))
    content["calibrations"][0][key] = value
    store.path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(CalibrationError):
        store.find("scope", "", 64, 48)


@pytest.mark.parametrize("flat", [np.zeros((4, 4, 3)), np.full((4, 4), 0.5), np.full((4, 4, 3), np.nan)])
def test_impossible_flat_fields_are_not_made(flat: np.ndarray) -> None:
    with pytest.raises(ValueError, match="flat field"):
        scope(flat=flat.astype(np.float32))


def test_age_is_told_only_by_a_clock_that_was_set() -> None:
    now = datetime.fromisoformat(DATE) + timedelta(days=400)
    told = too_old(scope(), now)
    assert told is not None
    assert "400 days" in told
    assert "edge-device calibrate" in told
    assert too_old(scope(), now - timedelta(days=100)) is None
    assert too_old(scope(clock_set=False), now) is None
    assert too_old(scope(), now - timedelta(days=900)) is None  # the clock is behind, now or then
    fresh = (now - timedelta(days=1)).isoformat()
    assert too_old(replace(scope(), method="nominal", lit_at=fresh), now) is None
    assert too_old(replace(scope(), lit_at=fresh), now) is not None


def test_the_stamp_is_a_moment_in_utc() -> None:
    date, clock_set = stamp()
    assert abs(datetime.fromisoformat(date) - datetime.now(UTC)) < timedelta(minutes=5)
    assert isinstance(clock_set, bool)


@pytest.mark.parametrize("lit", [np.zeros((0, 2)), np.array([[0, 0.1], [1, 0.1], [0.5, 1]])])
def test_the_lit_field_comes_back(store: CalibrationStore, lit: np.ndarray) -> None:
    store.save(scope(lit=lit.astype(np.float32)))
    back = store.find("scope", "", 64, 48)
    assert back is not None
    assert back.lit is not None
    np.testing.assert_allclose(back.lit, lit, atol=1e-5)
    assert back.lit.dtype == np.float32


@pytest.mark.parametrize(
    "lit", [[[0, 0], [1, 1]], [[0, 0], [1, 0], [1, 2]], [[0.5] * 3] * 4, [["a", 0]] * 3, 7]
)
def test_impossible_lit_fields_are_refused(store: CalibrationStore, lit: object) -> None:
    store.save(scope())
    content = json.loads(store.path.read_text(encoding="utf-8"))
    content["calibrations"][0]["lit"] = lit
    store.path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(CalibrationError, match="damaged"):
        store.find("scope", "", 64, 48)


def test_the_second_format_has_no_lit_field(store: CalibrationStore) -> None:
    store.save(scope(flat=FLAT))
    content = json.loads(store.path.read_text(encoding="utf-8"))
    del content["calibrations"][0]["lit"]
    store.path.write_text(json.dumps(content | {"format": 2}), encoding="utf-8")
    back = store.find("scope", "", 64, 48)
    assert back is not None
    assert back.lit is None
    assert back.flat is not None
