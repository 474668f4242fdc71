"""A camera's saved light, its scale and its site, as every command takes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.cameras import Adjustable, Camera
from edge.machine.profile import Profile, data_folder
from edge.types import LeukoscopeError

if TYPE_CHECKING:  # a camera that is away is told before the rest of the line is there
    from edge.bundle.bundle import Bundle
    from edge.bundle.manifest import Manifest
    from edge.bundle.site import Site
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


def site_of(asked: Path | None, camera: Camera, model: Bundle) -> tuple[Site | None, str | None]:
    """What was learned of the place where the pictures come from, and what somebody must know of it.

    The simulated microscope is a site of its own, whose figures ship; pictures in files come from anywhere.

    Raises
    ------
    LeukoscopeError : the file that was asked for, or the device's own, is none or is of another model.
    """
    from edge.bundle import sitefile

    own = sitefile.own_path() if camera.live else None
    if hasattr(camera, "truth"):
        own = sitefile.DEMO
    path = asked or own
    if path is None:
        return None, None
    try:
        site = sitefile.read(path)
    except (OSError, ValueError) as error:
        if asked is None and isinstance(error, FileNotFoundError):
            return None, None
        told = getattr(error, "strerror", None) or error
        raise LeukoscopeError(f"site {path}: {told}; measure it anew, or leave it away") from None
    if site.network == model.manifest.network:
        return site, _of_another_device(path, site)
    if asked is not None:
        raise LeukoscopeError(
            f"--site {path}: was measured with another model; measure it anew with this one"
        )
    if path == sitefile.DEMO:
        return None, None
    return None, (
        f"site {path}: was measured with another model and is not used; measure it anew: "
        "edge-device adapt --healthy --camera 0"
    )


def _of_another_device(path: Path, site: Site) -> str | None:
    from edge.bundle import sitefile

    if not sitefile.is_of_another_device(site):
        return None
    return f"site {path}: was signed by another device (key {site.key[:16]}); see that it is of this site"
