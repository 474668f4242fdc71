"""Model bundle: one zip that says what a model reads, what its answers mean, and proves it is intact.

Members: `manifest.json`, the ONNX graphs it names, golden cases, the model card, the licence, and perhaps
`signature.json`. The manifest holds the sha256 of every member but itself and the signature. A bundle is
trusted when the sha256 of the whole file is listed in the package (`edge/bundles/TRUSTED`), or when a key
that this machine trusts signed its manifest (`edge.bundle.signature`).
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from edge.bundle import archive, installed, manifest, onnxfile, signature
from edge.bundle.manifest import FORMAT, FindingRule, Manifest, Thresholds
from edge.bundle.references import Reference
from edge.types import LeukoscopeError

__all__ = ["FORMAT", "Bundle", "BundleError", "FindingRule", "Manifest", "Thresholds", "load"]

_ROLLBACK = "edge-device update --rollback goes back to the model before"


class BundleError(LeukoscopeError):
    """The bundle cannot be used. Names the file, what is wrong with it and what to do."""


@dataclass(frozen=True)
class Bundle:
    """An opened, verified bundle.

    Attributes
    ----------
    path : where it came from. sha256 : of the whole file.
    trusted : shipped with this program, or signed by a trusted key. signer : that key.
    manifest : what it says of itself.
    members : the file contents by member name, each checked against its sha256.
    installed_with : caveats of how it was installed on this machine.
    """

    path: Path
    sha256: str
    trusted: bool
    signer: str | None
    manifest: Manifest
    members: Mapping[str, bytes]
    installed_with: tuple[str, ...] = ()

    @property
    def caveats(self) -> tuple[str, ...]:
        """What must stay in sight of it wherever it is used: its own, and those of how it was installed."""
        return tuple(dict.fromkeys((*self.manifest.caveats, *self.installed_with)))

    def graph(self, variant: str = "ort-fp32") -> bytes:
        """The classifier's ONNX graph for this runtime and precision.

        Raises
        ------
        BundleError : it has none.
        """
        if variant not in self.manifest.graphs:
            raise BundleError(
                f"bundle {self.path}: has no graph for {variant}, only for {', '.join(self.manifest.graphs)}"
            )
        return self.members[self.manifest.graphs[variant]]

    def references(self) -> tuple[Reference, ...]:
        """The cells that it brings to hold others against; none where it brings none.

        Raises
        ------
        BundleError : their picture is not what the manifest says.
        """
        listed = self.manifest.references
        try:
            return listed.read(self.members, self.manifest.size_px) if listed else ()
        except ValueError as error:
            raise BundleError(f"bundle {self.path}: {error}; get the bundle made anew") from None


def shipped_path() -> Path:
    """The bundle that ships with the program."""
    return Path(str(resources.files("edge") / "bundles" / "leukocytes.bundle"))


def located(path: Path) -> Path:
    """Where a bundle is: one that ships with the program by its name alone, any other where it says."""
    shipped = Path(str(resources.files("edge") / "bundles" / f"{path}.bundle"))
    by_name = len(path.parts) == 1 and not path.suffix and not path.exists() and shipped.is_file()
    return shipped if by_name else path


def trusted_hashes() -> frozenset[str]:
    """sha256 of every bundle this package vouches for."""
    listed = (resources.files("edge") / "bundles" / "TRUSTED").read_text(encoding="utf-8").split("\n")
    return frozenset(line.split()[0] for line in listed if line.strip() and not line.startswith("#"))


def load(path: Path | None = None, *, allow_unsigned: bool = False, large: bool = False) -> Bundle:
    """Open a bundle and check it.

    Parameters
    ----------
    path : the file, or the name of one that ships; None takes the one in use: installed by `edge-device
        update`, else shipped. An installed one that is damaged is refused: another model than yesterday's
        must be somebody's decision.
    allow_unsigned : accept a bundle that nobody vouches for (it is marked so in every record). One with a
        wrong signature is refused all the same.
    large : open a file of more than 64 MiB too (`archive.LARGEST`). One in use is never larger.

    Raises
    ------
    BundleError : missing, damaged, altered, of another format, or not trusted.
    """
    if path is not None:
        path = located(path)
        return opened(path, read(path, large=large), allow_unsigned=allow_unsigned, large=large)
    try:
        in_use = installed.state()
    except ValueError as error:
        raise BundleError(f"installed bundle: {error}; {_ROLLBACK}") from None
    try:
        return load_installed(in_use.current, in_use.caveats)
    except BundleError as error:
        if not in_use.current:
            raise
        raise BundleError(f"installed {error}; {_ROLLBACK}, or install it again") from None


def load_installed(sha256: str, caveats: Mapping[str, tuple[str, ...]]) -> Bundle:
    """Open the installed bundle with this hash, the shipped one for an empty hash.

    Parameters
    ----------
    caveats : of installed bundles by their hash (`installed.Installation.caveats`).

    Raises
    ------
    BundleError : as for `load`, and when it is not the file that was installed.
    """
    if not sha256:
        return load(shipped_path())
    path = installed.path_of(sha256)
    found = read(path)
    if hashlib.sha256(found).hexdigest() != sha256:
        raise BundleError(f"bundle {path}: is not as it was installed (its sha256 differs)")
    return replace(opened(path, found), installed_with=caveats.get(sha256, ()))


def read(path: Path, *, large: bool = False) -> bytes:
    """The bytes of a bundle's file; `large` as for `load`.

    Raises
    ------
    BundleError : missing, unreadable, empty, too large, or not a regular file.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as stream:
            about = os.fstat(stream.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise BundleError(f"bundle {path}: is a device or a pipe, not a file; give another")
            if why := archive.too_large(about.st_size, large):
                raise BundleError(f"bundle {path}: has {why}")
            found = stream.read(about.st_size)
    except FileNotFoundError:
        raise BundleError(f"bundle {path}: no such file; give another") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BundleError(f"bundle {path}: cannot be read ({reason}); give another") from None
    if not found:
        raise BundleError(f"bundle {path}: is empty; copy it again")
    return found


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe that nobody writes to would otherwise hold the program for ever."""
    return os.open(path, flags | os.O_NONBLOCK)


def opened(path: Path, content: bytes, *, allow_unsigned: bool = False, large: bool = False) -> Bundle:
    """Check the bytes of a bundle; `path` is what to call it. As `load` else."""
    sha256 = hashlib.sha256(content).hexdigest()
    shipped = sha256 in trusted_hashes()
    try:
        members = archive.members(content, large=large)
        if "manifest.json" not in members:
            raise ValueError("manifest.json is missing; copy it again")
        signer, why = (None, "") if shipped else _signer(members)
    except ValueError as error:
        raise BundleError(f"bundle {path}: {error}") from None
    if why and not allow_unsigned:
        raise BundleError(
            f"bundle {path}: {why}; --allow-unsigned runs it all the same, marked in every record"
        )
    try:
        about = _manifest(members)
        _check_members(about, members)
    except ValueError as error:
        raise BundleError(f"bundle {path}: {error}") from None
    return Bundle(path, sha256, not why, signer, about, members)


def _signer(members: Mapping[str, bytes]) -> tuple[str | None, str]:
    """The trusted key that signed, or None and why not. A signature that is wrong raises ValueError."""
    if signature.MEMBER not in members:
        return None, "neither shipped with this program nor signed by a trusted key"
    try:
        key, why = signature.signer(members["manifest.json"], members[signature.MEMBER])
    except ValueError as error:
        raise ValueError(f"its signature {error}; it was altered: do not use it") from None
    return (str(key) if key else None), why


def _manifest(members: Mapping[str, bytes]) -> Manifest:
    try:
        return manifest.read(members["manifest.json"])
    except ValueError as error:
        raise ValueError(f"manifest.json: {error}") from None


def _check_members(about: Manifest, members: Mapping[str, bytes]) -> None:
    """Everything that the manifest lists is there and as it says, and nothing else."""
    for name, sha256 in about.files.items():
        if name not in members:
            raise ValueError(f"member {name} is missing; copy it again")
        if hashlib.sha256(members[name]).hexdigest() != sha256:
            raise ValueError(f"member {name} does not match its sha256; copy it again")
    if stray := sorted(set(members) - set(about.files) - {"manifest.json", signature.MEMBER}):
        raise ValueError(f"member {stray[0]} is not in its manifest; not opened")
    for name in sorted(set(about.graphs.values())):
        try:
            onnxfile.check(members[name])
        except ValueError as error:
            raise ValueError(f"member {name} {error}; not opened") from None
