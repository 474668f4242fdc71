"""The site's file, the one before it, and whose it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.adapt import place
from edge.adapt.place import PlaceError
from edge.bundle import sitefile
from edge.bundle.bundle import Bundle
from edge.bundle.operation import Spread
from edge.bundle.site import Healthy, Site

HEALTHY = Healthy(0.3, Spread(0.01, 0.0, 0.05), 300, 2, 1, {"neutrophil": (200, 0.01)}, "here")


def site(network: str, threshold: float = 0.3) -> Site:
    healthy = replace(HEALTHY, threshold=threshold)
    return Site(network, healthy=healthy, made_at="2026-11-30T00:00:00+00:00", made_by="test")


def threshold(path: Path) -> float:
    found = place.read(path).healthy
    assert found is not None
    return found.threshold


def test_undo_goes_back_and_forth(tmp_path: Path) -> None:
    path = tmp_path / "new" / "site.json"
    place.keep(path, site("a", 0.3))
    place.keep(path, site("a", 0.4))
    now = place.undo(path)
    assert now is not None
    assert threshold(path) == 0.3
    place.undo(path)
    assert threshold(path) == 0.4


def test_undo_of_the_first_leaves_none(tmp_path: Path) -> None:
    path = tmp_path / "site.json"
    place.keep(path, site("a"))
    assert place.undo(path) is None
    assert not path.exists()
    assert place.undo(path) is not None
    place.undo(path)
    place.keep(path, site("a", 0.5))  # what was undone is not what was before this one
    assert place.undo(path) is None


def test_nothing_to_undo(tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match="nothing to undo"):
        place.undo(tmp_path / "site.json")


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlaceError, match="cannot be written"):
        place.keep(tmp_path / "file" / "site.json", site("a"))


def test_the_devices_own_is_taken_where_it_is_of_the_model(model: Bundle, tmp_path: Path) -> None:
    about = model.manifest
    assert place.start(None, about) == (None, None)
    place.keep(sitefile.own_path(), site("another network"))
    found, notice = place.start(None, about)
    assert found is None
    assert "measured with another model" in str(notice)
    with pytest.raises(PlaceError, match=r"--site .* measured with another model"):
        place.start(sitefile.own_path(), about)
    place.keep(tmp_path / "mine.json", site(about.network))
    found, notice = place.start(tmp_path / "mine.json", about)
    assert found is not None
    assert notice is None
    with pytest.raises(PlaceError, match="No such file"):
        place.start(tmp_path / "none.json", about)
