"""How the scale of an archive's slide is known: what the input says of its pictures, or red cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from edge.archive.entry import Entry
from edge.archive.fields import SlideCamera
from edge.archive.order import Order
from edge.bundle.manifest import Manifest
from edge.line.opening import scales_of
from edge.machine.profile import Profile
from edge.optics.litfield import WHOLE, LitField
from edge.optics.scale import Before, Scale, Scaled, ScaleKeeper, Scales
from edge.types import Frame


def scales_of_slide(
    order: Order, camera: SlideCamera, entries: Sequence[Entry], about: Manifest, profile: Profile
) -> Scales:
    """Of one slide: what the input says, else what was asked for, else measured.

    Pictures of one slide that the input gives different scales have each their own.
    """
    said = {entry.um_per_px for entry in entries}
    usual = order.um_per_px or "auto"
    asked = said.pop() or usual if len(said) == 1 else usual
    scales = scales_of(asked, camera, about, profile, independent=order.independent)
    if not said:
        return scales
    alike: dict[str, Any] = {
        name: getattr(scales, name) for name in ("asked", "nominal", "camera", "vouched")
    }
    return _Each(**alike, independent=order.independent)


@dataclass(frozen=True)
class _Each(Scales):
    """Scales of pictures that have each their own; those of which nothing is said have that of the slide."""

    camera: SlideCamera = field()

    def for_slide(self, before: Before | None = None) -> ScaleKeeper:
        return _OwnKeeper(self)


class _OwnKeeper(ScaleKeeper):
    """Gives each picture what the input says of it, and keeps them in order."""

    def __init__(self, scales: _Each) -> None:
        super().__init__(scales)
        self._camera = scales.camera

    def take(self, frame: Frame, lit: LitField = WHOLE) -> list[Scaled]:
        own = self._camera.known[frame.index].entry.um_per_px
        if own is None:
            return super().take(frame, lit)
        return [*self.rest(), (frame, Scale(own, "given", lit=lit))]
