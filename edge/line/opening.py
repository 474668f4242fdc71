"""A camera's saved light and its scale, as every command takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.cameras import Adjustable, Camera
from edge.machine.profile import Profile, data_folder

if TYPE_CHECKING:  # a camera that is away is told before the rest of the line is there
    from edge.bundle.manifest import Manifest
    from edge.optics.scale import Scales


def with_saved_light(camera: Camera) -> None:
    """Let a camera take pictures as it was calibrated; without that it keeps what it found itself."""
    from edge.optics.calibrations import FILE, CalibrationStore

    if not isinstance(camera, Adjustable):
        return
    light = CalibrationStore(data_folder() / FILE).light(camera.name, camera.serial)
    if light is not None:
        camera.fix_light(light)


def scales_of(
    asked: float | str, camera: Camera, about: Manifest, profile: Profile, *, independent: bool = False
) -> Scales:
    """How a camera's scale is to be known: as asked, calibrated, measured, or what its kind usually has."""
    from edge.optics.scale import Scales

    of_pictures = None if camera.live else about.um_per_px
    return Scales(
        asked=asked,
        nominal=camera.um_per_px or of_pictures or profile.camera.nominal_um_per_px,
        camera=camera,
        independent=independent,
        folder=data_folder(),
        vouched=(camera.um_per_px or of_pictures) is not None,
    )
