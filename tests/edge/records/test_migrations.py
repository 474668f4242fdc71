"""Stores of older versions: they open, and keep everything."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from edge.records.database import MIGRATIONS
from edge.records.store import Store
from tests.edge.records.example import HEADER


def version_1(folder: Path) -> tuple[Path, sqlite3.Connection]:
    """An empty store as the first version made it."""
    path = folder / "records.db"
    old = sqlite3.connect(path)
    for statement in MIGRATIONS[0]:
        old.execute(statement)
    old.execute("PRAGMA user_version = 1")
    return path, old


def test_a_store_of_version_1_opens_and_keeps_everything(tmp_path: Path) -> None:
    path, old = version_1(tmp_path)
    old.execute(
        "INSERT INTO slides (id, started_at, finished_at, version, profile, camera, runtime, bundle, "
        "bundle_sha256, trusted, classes) VALUES ('old', '2026-10-01T08:00:00.000+00:00', "
        "'2026-10-01T08:20:00.000+00:00', '0.1', 'p', 'c', 'r', 'b', 'ab', 1, '[\"blast\"]')"
    )
    old.execute(
        "INSERT INTO readings (slide, frame, source, captured_at, t_s, width, height, um_per_px, "
        "um_per_px_from, sharpness, brightness, problems, repeated, ms) VALUES ('old', 0, 'x.png', "
        "'2026-10-01T08:00:01+00:00', 5.5, 64, 48, 0.1, 'nominal', 0.5, 0.5, '[]', 0, '{}')"
    )
    old.commit()
    kept = [old.execute(f"SELECT * FROM {table}").fetchone() for table in ("slides", "readings")]
    old.close()
    for _ in range(2):
        with Store(path) as store:
            store.begin_slide(None, HEADER)
            first = store.slides()[0]
            (row,) = store.readings("old")
            for was, name in zip(kept, ("slides", "readings"), strict=True):
                (found,) = store._rows(f"SELECT * FROM {name} LIMIT 1")
                assert tuple(found.values())[: len(was)] == was
    assert (first["id"], first["clock"]) == ("old", "unknown")
    assert first["started_at"] == "2026-10-01T08:00:00.000+00:00"
    assert (row["captured_at"], row["clock"]) == ("2026-10-01T08:00:01+00:00", "unknown")


def test_a_migration_that_is_interrupted_leaves_the_old_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, old = version_1(tmp_path)
    old.commit()
    old.close()
    torn = (MIGRATIONS[0], (*MIGRATIONS[1][:3], "NOT SQL"))
    with monkeypatch.context() as patch:
        patch.setattr("edge.records.database.MIGRATIONS", torn)
        with pytest.raises(Exception, match="syntax error"):
            Store(path)
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (1,)
        assert not other.execute("SELECT * FROM sqlite_master WHERE name = 'boots'").fetchall()
    with Store(path) as store:
        assert store.slides() == []
