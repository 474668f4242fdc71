"""Each cell of a slide is counted once, however the stage moves: the simulated slide knows the truth."""

from __future__ import annotations

import weakref
from dataclasses import replace

import numpy as np
import pytest

from edge.cameras.demo.camera import SimulatedCamera
from edge.line import mapped, slidemap
from edge.line.guard import well_inside
from edge.line.slidemap import SlideMap
from edge.optics import specimen
from edge.optics.litfield import LitField
from edge.optics.specimen import Specimen

PITCH_UM = 0.25


def _slide(seed: int = 0, size: int = 2400) -> np.ndarray:
    """A drawn slide of 600 µm: red-cell-like discs on glass, on the specimen grid."""
    rng = np.random.default_rng(seed)
    slide = np.full((size, size, 3), 240, np.uint8)
    y, x = np.mgrid[-16:17, -16:17]
    disc = x**2 + y**2 < 15**2
    for cx, cy in rng.integers(16, size - 17, (size * size // 3000, 2)):
        slide[cy - 16 : cy + 17, cx - 16 : cx + 17][disc] = (200, 150, 160)
    return slide


def _view(slide: np.ndarray, x: int, y: int) -> Specimen:
    pixels = slide[y : y + 360, x : x + 576]
    return Specimen(pixels, PITCH_UM, 1.0, np.full(3, 240, np.float32), 0.5)


def _whole(cells: np.ndarray, x: int, y: int) -> np.ndarray:
    inside = (cells > (x + 20, y + 20)).all(axis=1) & (cells < (x + 556, y + 340)).all(axis=1)
    return np.flatnonzero(inside)


def test_a_wandering_stage_counts_every_cell_once() -> None:
    slide = _slide()
    rng = np.random.default_rng(1)
    cells = rng.uniform(100, 2300, (150, 2))
    slide_map = SlideMap()
    identity: dict[int, set[int]] = {}
    x, y = 900, 900
    for _ in range(60):
        x = int(np.clip(x + rng.integers(-350, 351), 0, 2400 - 576))
        y = int(np.clip(y + rng.integers(-220, 221), 0, 2400 - 360))
        seen = _whole(cells, x, y)
        placed = slide_map.place(_view(slide, x, y), (cells[seen] - (x, y)) * PITCH_UM)
        slide_map.mark(placed.ids, placed.ids[:0])
        for cell, number in zip(seen.tolist(), placed.ids.tolist(), strict=True):
            identity.setdefault(cell, set()).add(number)
    numbers = [number for several in identity.values() for number in several]
    assert len(identity) >= 50
    assert len(numbers) == len(set(numbers)), "two cells took the same identity"
    assert len(numbers) <= len(identity) * 1.02, "a cell was counted twice"


def test_a_standing_stage_repeats() -> None:
    slide, slide_map = _slide(), SlideMap()
    centres = np.array([[40.0, 40.0], [90.0, 60.0]])
    first = slide_map.place(_view(slide, 300, 300), centres)
    slide_map.mark(first.ids, first.ids[:0])
    again = slide_map.place(_view(slide, 300, 300), centres + 0.3)
    assert not first.repeated
    assert again.repeated
    assert again.ids.tolist() == first.ids.tolist()
    assert not again.new.any()
    assert not again.countable.any()


def test_places_that_have_nothing_to_do_with_each_other() -> None:
    slide_map = SlideMap()
    centres = np.array([[40.0, 40.0], [90.0, 60.0]])
    ids = [slide_map.place(_view(_slide(seed, 700), 50, 50), centres).ids.tolist() for seed in range(8)]
    assert sorted(number for several in ids for number in several) == list(range(1, 17))


def test_a_cell_that_was_uncertain_may_be_counted_later() -> None:
    slide, slide_map = _slide(), SlideMap()
    centre = np.array([[70.0, 45.0]])
    first = slide_map.place(_view(slide, 300, 300), centre)
    slide_map.mark(first.ids[:0], first.ids)
    assert slide_map.undecided == 1
    second = slide_map.place(_view(slide, 340, 300), centre - (10.0, 0.0))
    assert second.ids.tolist() == first.ids.tolist()
    assert second.countable.all()
    assert not second.new.any()
    slide_map.mark(second.ids, second.ids[:0])
    assert slide_map.undecided == 0


def test_the_simulated_stage_with_its_truth() -> None:
    camera = SimulatedCamera(0)
    camera.open()
    truth = camera.truth()
    um = truth["um_per_px"]
    wanted = [c for c in truth["cells"] if c["class"] in ("neutrophil", "lymphocyte", "monocyte")]
    places = np.array([[c["x_um"], c["y_um"]] for c in wanted])
    slide_map = SlideMap()
    identity: dict[int, set[int]] = {}
    for field in truth["fields"][:40]:
        frame = camera.read()
        if field["defocus_um"] > 0.5 or abs(field["exposure"] - 1) > 0.2:  # the line turns these down
            continue
        inside = places - (field["x_um"], field["y_um"])
        whole = np.flatnonzero(
            (inside > 8).all(axis=1) & (inside < (frame.width * um - 8, frame.height * um - 8)).all(axis=1)
        )
        placed = slide_map.place(specimen.specimen(frame.pixels, um, PITCH_UM), inside[whole])
        for cell, number in zip(whole.tolist(), placed.ids.tolist(), strict=True):
            identity.setdefault(cell, set()).add(number)
    camera.close()
    numbers = [number for several in identity.values() for number in several]
    assert len(identity) > 30
    assert len(numbers) == len(set(numbers)), "two cells took the same identity"
    assert len(numbers) <= len(identity) * 1.02, "a cell was counted twice"


def test_large_and_small_cells_have_the_same_chance_to_be_counted() -> None:
    centres = np.array([[9.0, 45.0], [11.0, 45.0], [72.0, 81.0], [72.0, 79.0]])
    placed = SlideMap().place(_view(_slide(), 300, 300), centres)
    assert placed.countable.tolist() == [False, True, False, True]
    small = Specimen(_slide()[:200, :230], PITCH_UM, 1.0, np.full(3, 240, np.float32), 0.5)
    assert SlideMap().place(small, np.array([[5.0, 5.0]])).countable.all()


def test_what_the_map_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slidemap, "_FIELDS", 3)
    monkeypatch.setattr(mapped, "_PRINTS", 4)
    slide_map, centres = SlideMap(), np.array([[40.0, 40.0], [90.0, 60.0]])
    views = [_view(_slide(seed, 700), 50, 50) for seed in range(6)]
    first = [slide_map.place(view, centres).ids.tolist() for view in views]
    assert sorted(number for ids in first for number in ids) == list(range(1, 13))
    assert slide_map.place(views[5], centres).ids.tolist() == first[5], "the newest is known"
    assert slide_map.place(views[0], centres).new.all(), "the oldest is forgotten"


def test_a_field_that_is_forgotten_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slidemap, "_FIELDS", 3)
    slide_map, centres = SlideMap(), np.array([[40.0, 40.0], [90.0, 60.0]])
    thumbs = []
    for seed in range(6):
        placed = slide_map.place(_view(_slide(seed, 700), 50, 50), centres)
        assert placed.thumb is not None
        thumbs.append(weakref.ref(placed.thumb))
        del placed
    assert [thumb() is not None for thumb in thumbs] == [False] * 3 + [True] * 3


def test_a_place_that_is_looked_at_again_is_remembered_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slidemap, "_FIELDS", 3)
    slide_map, centres = SlideMap(), np.array([[40.0, 40.0], [90.0, 60.0]])
    home, *others = (_view(_slide(seed, 700), 50, 50) for seed in range(7))
    ids = slide_map.place(home, centres).ids.tolist()
    for view in others:
        slide_map.place(view, centres)
        assert slide_map.place(home, centres).ids.tolist() == ids


def _through(view: Specimen, lit: LitField) -> Specimen:
    """What an eyepiece leaves of a field, the rest filled as `specimen` does."""
    inside = lit.mask(*view.pixels.shape[:2])
    assert inside is not None
    pixels = np.where(inside[..., None], view.pixels, np.uint8(240))
    return replace(view, pixels=pixels, lit=lit)


def _disc(aspect: float = 360 / 576) -> LitField:
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return LitField(
        np.stack([0.5 + 0.48 * aspect * np.cos(turn), 0.5 + 0.48 * np.sin(turn)], 1).astype(np.float32)
    )


def test_through_an_eyepiece_every_cell_counts_once() -> None:
    slide, rng, slide_map = _slide(), np.random.default_rng(1), SlideMap()
    cells = rng.uniform(100, 2300, (200, 2))
    identity: dict[int, set[int]] = {}
    x, y = 900, 900
    for _ in range(60):
        x = int(np.clip(x + rng.integers(-200, 201), 0, 2400 - 576))
        y = int(np.clip(y + rng.integers(-200, 201), 0, 2400 - 360))
        seen = np.flatnonzero(np.hypot(*(cells - (x + 288, y + 180)).T) < 150)
        placed = slide_map.place(_through(_view(slide, x, y), _disc()), (cells[seen] - (x, y)) * PITCH_UM)
        slide_map.mark(placed.ids, placed.ids[:0])
        for cell, number in zip(seen.tolist(), placed.ids.tolist(), strict=True):
            identity.setdefault(cell, set()).add(number)
    numbers = [number for several in identity.values() for number in several]
    assert len(identity) >= 30
    assert len(numbers) == len(set(numbers)), "two cells took the same identity"
    assert len(numbers) <= len(identity) * 1.05, "a cell was counted twice"


def test_an_eyepiece_alone_makes_no_two_places_one() -> None:
    slide_map = SlideMap()
    centres = np.array([[70.0, 40.0], [80.0, 60.0]])
    for seed in range(8):
        placed = slide_map.place(_through(_view(_slide(seed, 700), 50, 50), _disc()), centres)
        assert not placed.repeated
        assert placed.new.all()
    again = slide_map.place(_through(_view(_slide(7, 700), 50, 50), _disc()), centres)
    assert again.repeated


def test_the_guard_area_follows_the_rim() -> None:
    view, places = _view(_slide(), 300, 300), np.random.default_rng(0).uniform(-5, 150, (500, 2))
    everything = LitField(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32))
    whole = well_inside(places, view)
    assert 0 < whole.sum() < len(places)
    np.testing.assert_array_equal(well_inside(places, replace(view, lit=everything)), whole)
    from_middle = np.hypot(*(places - (72, 45)).T)
    disc = well_inside(places, replace(view, lit=_disc()))
    assert disc[from_middle < 0.48 * 90 - 10.5].all()
    assert not disc[from_middle > 0.48 * 90 - 10].any()
