"""The best light of a made-up camera: as bright as nothing burns out, and neutral."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import pytest

from edge.calibrate.exposure import AIM, ExposureError, Found, LightSearch
from edge.types import Frame, Light


@dataclass
class Lamp:
    """A camera on glass: sensor, tone curve, clipping, delay, limits.

    Attributes
    ----------
    lamp : R, G, B that the sensor gets per ms, 1 is full scale. gamma : of the tone curve.
    kind : 'gains' or 'kelvin', how its white balance is told; '' for none.
    latency : pictures after which a change shows. known_ms : the only exposures it has, None for any.
    """

    lamp: tuple[float, float, float] = (0.05, 0.04, 0.025)
    gamma: float = 2.2
    kind: str = "gains"
    latency: int = 3
    least_ms: float = 0.1
    most_ms: float = 66.0
    known_ms: tuple[float, ...] | None = None
    tells: bool = True
    name: str = "lamp"
    serial: str = "1"
    live: bool = True
    um_per_px: float | None = 0.1
    asked: list[Light | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        white = {"gains": (1.0, 1.0), "kelvin": (4500.0,), "": ()}[self.kind]
        self._fixed = Light(20.0, 1.0, white)
        self._late = [self._fixed] * (self.latency + 1)
        self._index = 0
        self._rng = np.random.default_rng(0)

    def open(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def light(self) -> Light | None:
        return self._fixed if self.tells else None

    def fix_light(self, light: Light | None) -> None:
        self.asked.append(light)
        if light is None:
            return
        assert light.exposure_ms is not None
        ms = min(max(light.exposure_ms, self.least_ms), self.most_ms)
        if self.known_ms:
            ms = min(self.known_ms, key=lambda known: abs(np.log(known / ms)))
        self._fixed = replace(light, exposure_ms=ms)

    def scene(self) -> np.ndarray:
        """(48, 64) share of the light that passes: vignetted glass."""
        y, x = np.mgrid[-1:1:48j, -1:1:64j]
        return np.asarray(1 - 0.15 * (x**2 + y**2))

    def read(self) -> Frame:
        self._late = [*self._late[1:], self._fixed]
        now = self._late[0]
        gains = np.ones(3)
        if self.kind == "gains":
            gains[[0, 2]] = now.white
        elif self.kind == "kelvin":  # the warmer the light is taken for, the redder it comes out
            gains[[0, 2]] = (now.white[0] / 5500) ** 0.8, (5500 / now.white[0]) ** 0.8
        linear = np.asarray(self.lamp) * (now.exposure_ms or 0) * gains * self.scene()[..., None]
        grey = 255 * np.clip(linear, 0, 1) ** (1 / self.gamma) + self._rng.normal(0, 2, (48, 64, 3))
        self._index += 1
        pixels = np.repeat(np.repeat(np.clip(grey, 0, 255).astype(np.uint8), 4, 0), 4, 1)
        return Frame(pixels, self._index, self.name, datetime.now(UTC), time.monotonic())


def found(camera: Lamp) -> Found:
    return LightSearch(camera, 0.0, lambda done, text: None).find()


def shown(camera: Lamp, light: Light) -> np.ndarray:
    camera.fix_light(light)
    for _ in range(camera.latency + 2):
        frame = camera.read()
    return np.asarray(frame.pixels[80:112, 110:146].reshape(-1, 3).mean(axis=0)) / 255


@pytest.mark.parametrize("gamma", [1.0, 2.2])
@pytest.mark.parametrize("kind", ["gains", "kelvin", ""])
@pytest.mark.parametrize("brightness", [0.4, 1.0, 8.0])
def test_bright_and_not_burnt_out(gamma: float, kind: str, brightness: float) -> None:
    camera = Lamp(tuple(brightness * c for c in (0.05, 0.04, 0.025)), gamma, kind)  # type: ignore[arg-type]
    outcome = found(camera)
    glass = shown(camera, outcome.light)
    assert 0.82 < glass.max() < 0.93
    assert outcome.level == pytest.approx(AIM, abs=0.03)
    assert outcome.light.white == () if kind == "" else outcome.light.white != ()


@pytest.mark.parametrize("kind", ["gains", "kelvin"])
@pytest.mark.parametrize("gamma", [1.0, 2.2])
def test_glass_comes_out_neutral(kind: str, gamma: float) -> None:
    lamp = (0.05, 0.04, 0.025) if kind == "gains" else (0.05, 0.042, 0.035)
    camera = Lamp(lamp, gamma, kind)
    red, green, blue = shown(camera, found(camera).light)
    assert abs(red / blue - 1) < 0.04
    if kind == "gains":
        assert abs(red / green - 1) < 0.03


def test_it_starts_from_what_the_camera_finds_and_leaves_the_best_in_force() -> None:
    camera = Lamp()
    outcome = found(camera)
    assert camera.asked[0] is None
    assert camera.asked[-1] is not None
    assert camera.light() == outcome.light


def test_a_slow_camera_is_waited_for() -> None:
    camera = Lamp(latency=5)
    assert 0.82 < shown(camera, found(camera).light).max() < 0.93


def test_a_camera_with_few_exposures_gets_the_brightest_that_does_not_burn_out() -> None:
    camera = Lamp(gamma=1.0, kind="", known_ms=tuple(0.15 * 2**n for n in range(9)))
    glass = shown(camera, found(camera).light).max()
    assert 0.4 < glass < 0.9


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        (Lamp((0.004, 0.004, 0.004)), "turn the lamp up"),
        (Lamp((60.0, 60.0, 60.0)), "turn the lamp down"),
    ],
)
def test_a_lamp_out_of_range_is_told(camera: Lamp, said: str) -> None:
    outcome = found(camera)
    assert outcome.note is not None
    assert said in outcome.note
    assert "\n" not in outcome.note


def test_darkness_is_refused() -> None:
    with pytest.raises(ExposureError, match="turn the lamp on"):
        found(Lamp((1e-5, 1e-5, 1e-5), gamma=1.0))


def test_a_camera_that_does_not_tell_is_left_alone() -> None:
    camera = Lamp(tells=False)
    with pytest.raises(ExposureError, match="does not tell"):
        found(camera)
    assert camera.asked == [None]


def test_the_steps_are_told() -> None:
    told: list[int] = []
    LightSearch(Lamp(), 0.0, lambda done, text: told.append(done)).find()
    assert told == sorted(told)
    assert told[-1] <= LightSearch.STEPS + 12
