"""Where a picture is picture, whatever eyepiece, letterbox or sensor cut off and whatever is burnt in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.optics import litfield
from edge.optics.litfield import LitField
from edge.types import U8, Bools

HEIGHT, WIDTH = 360, 640
Shown = tuple[U8, Bools]


def smear(height: int = HEIGHT, width: int = WIDTH, glass: int = 225, seed: int = 0) -> U8:
    """Red cells and two nuclei on glass, with a camera's noise."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), glass, np.float32) * np.array([1.0, 0.97, 0.93], np.float32)
    for n in range(height * width // 2500):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        colour = (185, 130, 150) if n > 1 else (110, 60, 140)
        cv2.circle(picture, (x, y), 18 if n > 1 else 28, colour, -1)
    return np.asarray(np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255), np.uint8)


def taken(picture: U8, quality: int = 85) -> U8:
    """As a camera's JPEG has it."""
    return np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", picture, [1, quality])[1], cv2.IMREAD_COLOR), np.uint8
    )


def round_field(x: float, y: float, radius: float, blur: float = 2.0, black: int = 2) -> Shown:
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    away = np.hypot(across - x, down - y)
    share = np.clip((radius - away) / blur + 0.5, 0, 1)[..., None]
    surround = np.clip(np.random.default_rng(1).normal(black, 2, (HEIGHT, WIDTH, 3)), 0, 255)
    return np.asarray(smear() * share + surround * (1 - share), np.uint8), away <= radius


def polygon(*corners: tuple[float, float]) -> Shown:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillConvexPoly(mask, np.array(corners, np.int32), 1)
    return smear() * mask[..., None], mask > 0


def barred(
    colour: int | tuple[int, int, int], top: int = 0, bottom: int = 0, left: int = 0, right: int = 0
) -> Shown:
    picture, mask = smear(), np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[top : HEIGHT - bottom, left : WIDTH - right] = True
    picture[~mask] = colour
    return picture, mask


def rounded(radius: int) -> Shown:
    x, y = np.arange(WIDTH), np.arange(HEIGHT)[:, None]
    dx, dy = (np.maximum(radius - np.minimum(at, n - 1 - at), 0) for at, n in ((x, WIDTH), (y, HEIGHT)))
    mask = np.hypot(dx, dy) <= radius
    return np.where(mask[..., None], smear(), np.uint8(0)), mask


def written(shown: Shown, x: int, y: int, colour: tuple[int, int, int] = (255, 255, 255)) -> Shown:
    picture = shown[0].copy()
    cv2.putText(picture, "2026-11-20 100x", (x, y), 0, 0.7, colour, 2, cv2.LINE_AA)
    cv2.line(picture, (x, y + 10), (x + 90, y + 10), colour, 3)
    return picture, shown[1]


def half(shown: Shown) -> Shown:
    picture, mask = shown[0].copy(), shown[1].copy()
    picture[:, : WIDTH // 2], mask[:, : WIDTH // 2] = 0, False
    return picture, mask


def dented(shown: Shown) -> Shown:
    picture = shown[0].copy()
    cv2.circle(picture, (320, 20), 25, (4, 4, 4), -1)
    return picture, shown[1]


def octagon() -> Shown:
    turn = (np.arange(8) + 0.5) * np.pi / 4
    return polygon(*zip(320 + 175 * np.cos(turn), 180 + 175 * np.sin(turn), strict=True))


FIELDS: dict[str, Callable[[], Shown]] = {
    "round": lambda: round_field(320, 180, 172),
    "round, blurred rim": lambda: round_field(320, 180, 165, blur=8),
    "round, small": lambda: round_field(280, 200, 110),
    "round, veiled black": lambda: round_field(320, 180, 172, black=24),
    "round, above the picture": lambda: round_field(320, 120, 190),
    "round, in a corner": lambda: round_field(120, 100, 200),
    "round, but for the corners": lambda: round_field(320, 180, 330),
    "a quarter": lambda: round_field(0, 0, 320),
    "a moon": lambda: half(round_field(320, 180, 172)),
    "round, written beside": lambda: written(round_field(320, 180, 172), 5, 330),
    "round, written across the rim": lambda: written(round_field(320, 180, 172), 350, 320, (255, 255, 0)),
    "round, written inside": lambda: written(round_field(320, 180, 172), 240, 200, (0, 0, 0)),
    "round, dirt at the rim": lambda: dented(round_field(320, 180, 172)),
    "octagon": octagon,
    "turned square": lambda: polygon((320, 5), (495, 180), (320, 355), (145, 180)),
    "rounded corners": lambda: rounded(60),
    **{
        f"{name} bars, {where}": lambda colour=colour, sides=sides: barred(colour, **sides)
        for name, colour in {"black": 0, "grey": 128, "white": 255, "blue": (20, 60, 160)}.items()
        for where, sides in {
            "above and below": {"top": 45, "bottom": 45},
            "at the sides": {"left": 90, "right": 90},
            "all round": {"top": 40, "bottom": 20, "left": 30, "right": 100},
            "thin": {"top": 3, "right": 5},
            "thick": {"bottom": 150},
        }.items()
    },
    "caption": lambda: written(written(barred(255, bottom=60), 10, 330, (200, 0, 0)), 330, 330, (0, 0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("name", FIELDS)
def test_the_field_is_what_was_drawn(name: str) -> None:
    picture, wanted = FIELDS[name]()
    found = litfield.find(taken(picture)).mask(HEIGHT, WIDTH)
    assert found is not None
    both, either = np.count_nonzero(found & wanted), np.count_nonzero(found | wanted)
    assert both / either > 0.93
    assert np.count_nonzero(found & ~wanted) < 0.01 * np.count_nonzero(wanted)


def lamp(least: float, one_sided: bool) -> U8:
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    lost = (x + 1) / 2 if one_sided else (x**2 + y**2) / 2
    return np.asarray(smear() * (1 - (1 - least) * lost)[..., None], np.uint8)


def dirt_in_a_corner() -> U8:
    picture = smear()
    cv2.circle(picture, (WIDTH, 0), 35, (3, 3, 3), -1)
    return picture


def cut_out() -> U8:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    cv2.ellipse(picture, (320, 180), (120, 100), 20, 0, 360, (190, 140, 200), -1)
    cv2.circle(picture, (330, 175), 80, (110, 50, 140), -1)
    return picture


@pytest.mark.parametrize(
    "picture",
    [
        smear(), lamp(0.15, one_sided=False), lamp(0.15, one_sided=True), dirt_in_a_corner(), cut_out(),
        written((smear(), np.ones((1, 1), np.bool_)), 10, 330, (0, 0, 0))[0],
        np.asarray(np.minimum(smear() * 1.25, 255), np.uint8),  # glass burnt out
        np.full((HEIGHT, WIDTH, 3), 230, np.uint8), np.full((HEIGHT, WIDTH, 3), 255, np.uint8),
        np.full((HEIGHT, WIDTH, 3), 3, np.uint8), np.asarray(smear() * 0.02, np.uint8),
        written((np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.ones((1, 1), np.bool_)), 10, 330)[0],
        np.zeros((0, 0, 3), np.uint8), np.zeros((1, 50, 3), np.uint8), smear(20, 20),
    ],
    ids=[
        "whole", "vignetted", "vignetted from one side", "dirt in a corner", "a cell cut out", "written on",
        "burnt out", "grey", "white", "black", "lamp off", "lamp off, written on", "none", "a line", "tiny",
    ],
)  # fmt: skip
def test_pictures_are_whole_that_miss_nothing(picture: U8) -> None:
    assert litfield.find(picture).whole


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_the_field_is_the_same_at_any_size(factor: float) -> None:
    picture, wanted = round_field(300, 150, 172)
    other = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    found = litfield.find(np.asarray(other, np.uint8)).mask(HEIGHT, WIDTH)
    assert found is not None
    assert np.count_nonzero(found & wanted) / np.count_nonzero(found | wanted) > 0.95


def test_it_ends_at_the_pictures_own_edge_exactly() -> None:
    corners = litfield.find(round_field(320, 120, 190)[0]).corners
    assert corners is not None
    assert corners[:, 1].min() == 0
    assert 0.8 < corners[:, 1].max() < 0.87
    assert cv2.isContourConvex(corners)


def test_a_mask_fits_any_grid() -> None:
    field = LitField(np.array([[0.25, 0], [1, 0], [1, 1], [0.25, 1]], np.float32))
    for height, width in ((90, 160), (33, 48), (9, 16)):
        mask = field.mask(height, width)
        assert mask is not None
        assert mask.shape == (height, width)
        assert mask.mean() == pytest.approx(0.75, abs=0.05)
    assert LitField().mask(3, 3) is None


def test_a_slides_field_is_kept_until_something_else_is_black() -> None:
    find = litfield.Finder()
    first = find(round_field(320, 180, 172)[0])
    assert find(round_field(320, 180, 172, black=0)[0]) is first
    moved = find(round_field(300, 180, 172)[0])
    assert moved is not first
    assert find(smear()).whole
    for picture in (barred(255, top=40)[0], smear(), barred(0, top=40)[0], barred(255, top=40)[0]):
        assert_same(find(picture), litfield.find(picture))


def assert_same(a: LitField, b: LitField) -> None:
    assert a.whole == b.whole
    if a.corners is not None and b.corners is not None:
        np.testing.assert_array_equal(a.corners, b.corners)


@pytest.mark.parametrize(
    "pattern",
    [
        "bccd/**/*.jpg", "chula_wbc/**/*.webp", "C-NMC_Leukemia/**/*.webp", "aria_all/**/*.*",
        "PBC_dataset_normal_DIB/**/*.*", "deepapl/**/*.*",
    ],
)  # fmt: skip
def test_pictures_of_public_data_are_whole(shared_data: Path, pattern: str) -> None:
    kinds = (".jpg", ".webp", ".png")
    pictures = [path for path in sorted(shared_data.glob(pattern)) if path.suffix in kinds]
    if not pictures:
        pytest.skip(f"no pictures in {shared_data / pattern}")
    for path in pictures[:: max(len(pictures) // 25, 1)]:
        picture = cv2.imread(str(path))
        assert picture is not None
        assert litfield.find(np.ascontiguousarray(picture[..., ::-1])).whole, path.name
