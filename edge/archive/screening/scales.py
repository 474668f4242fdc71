"""How the scale of an archive's slide is known: what the input says of its pictures, or red cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.archive.entry import Entry
from edge.archive.order import Order
from edge.archive.screening.fields import SlideCamera
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
    own, usual = said.pop() if len(said) == 1 else None, order.um_per_px or "auto"
    scales = scales_of(own or usual, camera, about, profile, independent=order.independent)
    if not said:
        return scales
    return _Each(scales.asked, scales.nominal, camera, scales.independent, vouched=scales.vouched)


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
