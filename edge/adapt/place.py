"""Where a site's file lies, what it holds for a model, and the file before it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from edge.bundle import sitefile
from edge.bundle.manifest import Manifest
from edge.bundle.site import Site
from edge.files import atomic
from edge.types import LeukoscopeError


class PlaceError(LeukoscopeError):
    """A site's file cannot be read or written. Names it and what to do."""


def start(asked: Path | None, about: Manifest) -> tuple[Site | None, str | None]:
    """What is known of this site for a model, and what somebody must know of that.

    Parameters
    ----------
    asked : the file; None for the device's own, if there is one.

    Raises
    ------
    PlaceError : it cannot be read, or the one asked for is of another model.
    """
    path = asked or sitefile.own_path()
    if asked is None and not path.exists():
        return None, None
    site = read(path)
    if site.network == about.network:
        strange = sitefile.is_of_another_device(site)
        return (
            site,
            f"site {path}: was signed by another device; see that it is of this site" if strange else None,
        )
    if asked is not None:
        raise PlaceError(
            f"--site {path}: was measured with another model; give one of {about.name} {about.version}"
        )
    return None, f"site {path}: was measured with another model; nothing of it is used"


def read(path: Path) -> Site:
    """The site in a file; PlaceError where that cannot be had."""
    try:
        return sitefile.read(path)
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or error
        raise PlaceError(f"site {path}: {told}; move it away or give another") from None


def keep(path: Path, site: Site) -> None:
    """Write a site; the file that it replaces is kept beside it, for `undo`.

    Raises
    ------
    PlaceError : it cannot be written; what was there is there still.
    """
    try:
        former = _content(path)
        with atomic.as_owner(path.parent):
            if former is None:
                _before(path).unlink(missing_ok=True)
            else:
                atomic.write(_before(path), former, mode=0o644)
        sitefile.write(path, site)
    except OSError as error:
        raise PlaceError(
            f"site {path}: cannot be written ({error.strerror}); give another place with --out"
        ) from None


def undo(path: Path) -> Site | None:
    """Go back to the site before, and with it again forth. Returns what is in use then, None for nothing.

    Raises
    ------
    PlaceError : there is nothing to go back from or to, or the files cannot be written.
    """
    before = _before(path)
    try:
        now, former = _content(path), _content(before)
        if now is None and former is None:
            raise PlaceError(f"site {path}: there is none, and none was before; nothing to undo")
        with atomic.as_owner(path.parent):
            for place, content in ((before, now), (path, former)):
                if content is None:
                    place.unlink(missing_ok=True)
                else:
                    atomic.write(place, content, mode=0o644)
    except OSError as error:
        raise PlaceError(f"site {path}: cannot be undone ({error.strerror}); use sudo") from None
    return None if former is None else read(path)


def _before(path: Path) -> Path:
    return path.with_name(f"{path.name}.before")


def _content(path: Path) -> bytes | None:
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return None
