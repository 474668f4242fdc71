"""Model bundle: one zip that says what a model reads, what its answers mean, and proves it is intact.

Members: `manifest.json`, the ONNX graphs it names, golden cases, the model card and the licence. Every
member but the manifest has its sha256 in the manifest; a bundle is trusted when the sha256 of the whole
file is listed in the package (`edge/bundles/TRUSTED`).
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from edge.preprocess import STEPS
from edge.types import LeukoscopeError

FORMAT = 1
"""Version of the bundle's layout. A bundle of a newer format is refused, never guessed at."""

_LARGEST_MEMBER = 64 * 1024 * 1024  # bytes; a model for this device is a few MB, a zip bomb is not


class BundleError(LeukoscopeError):
    """The bundle cannot be used. Names the file, what is wrong with it and what to do."""


@dataclass(frozen=True)
class Thresholds:
    """The operating point, chosen on validation patients.

    Attributes
    ----------
    positive : a cell is positive when the positive classes together reach this probability.
    confidence : a cell is uncertain when the decided side stays below this probability.
    certain : a positive cell is beyond doubt from this probability on.
    """

    positive: float
    confidence: float
    certain: float

    def __post_init__(self) -> None:
        for name in ("positive", "confidence", "certain"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"threshold {name} is {getattr(self, name)}, not within 0 to 1")


@dataclass(frozen=True)
class FindingRule:
    """When a slide is referred, and when scanning may stop. See `edge.finding`.

    Attributes
    ----------
    refer_fraction : blasts among leukocytes above which a slide is referred.
    interval_level : confidence level of the interval that is compared with it.
    certain_cells, certain_within : that many certain blasts among fewer leukocytes refer at once.
    rejected_fraction : share of rejected frames above which a slide is not readable.
    source : where these figures come from.
    """

    refer_fraction: float
    interval_level: float
    certain_cells: int
    certain_within: int
    rejected_fraction: float
    source: str

    def __post_init__(self) -> None:
        for name in ("refer_fraction", "interval_level", "rejected_fraction"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"finding.{name} is {getattr(self, name)}, not between 0 and 1")


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself.

    Attributes
    ----------
    classes : names in the order of the graph's output.
    leukocytes : those of them in the denominator of the differential.
    positive : those of them that a referral is about (blasts).
    pitch_um, size_px : specimen grid and crop size that the classifier was trained on.
    steps : names of the preprocessing steps.
    graphs : precision -> member name of the classifier's graph.
    everything : the manifest as it stands in the file, for what is shown but not acted on.
    """

    name: str
    version: str
    classes: tuple[str, ...]
    leukocytes: tuple[str, ...]
    positive: tuple[str, ...]
    pitch_um: float
    size_px: int
    steps: tuple[str, ...]
    graphs: Mapping[str, str]
    thresholds: Thresholds
    finding: FindingRule
    files: Mapping[str, str]
    everything: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not self.classes or len(set(self.classes)) != len(self.classes):
            raise ValueError("classes are missing or named twice")
        for name, subset in (("leukocytes", self.leukocytes), ("positive", self.positive)):
            stray = set(subset) - set(self.classes)
            if stray or not subset:
                raise ValueError(f"{name} names {sorted(stray) or 'nothing'}, not among the classes")
        if not self.pitch_um > 0 or self.size_px < 8:
            raise ValueError(f"input of {self.size_px} px at {self.pitch_um} µm makes no picture")
        if self.steps != STEPS:
            raise ValueError(f"input.steps are {list(self.steps)}; this program does {list(STEPS)}")
        if "fp32" not in self.graphs:
            raise ValueError("graphs.classifier has no fp32 graph")

    @property
    def positive_indices(self) -> tuple[int, ...]:
        return tuple(self.classes.index(name) for name in self.positive)


@dataclass(frozen=True)
class Bundle:
    """An opened, verified bundle.

    Attributes
    ----------
    path : where it came from. sha256 : of the whole file. trusted : shipped with this program.
    members : the file contents by member name, each checked against its sha256.
    """

    path: Path
    sha256: str
    trusted: bool
    manifest: Manifest
    members: Mapping[str, bytes]

    def graph(self, precision: str = "fp32") -> bytes:
        """The classifier's ONNX graph in this precision."""
        return self.members[self.manifest.graphs[precision]]


def shipped_path() -> Path:
    """The bundle that ships with the program."""
    return Path(str(resources.files("edge") / "bundles" / "leukocytes.bundle"))


def trusted_hashes() -> frozenset[str]:
    """sha256 of every bundle this package vouches for."""
    listed = (resources.files("edge") / "bundles" / "TRUSTED").read_text().split("\n")
    return frozenset(line.split()[0] for line in listed if line.strip() and not line.startswith("#"))


def load(path: Path | None = None, *, allow_unsigned: bool = False) -> Bundle:
    """Open a bundle and check it.

    Parameters
    ----------
    path : the file; None takes the one that ships with the program.
    allow_unsigned : accept a bundle that nobody vouches for (it is marked so in every record).

    Raises
    ------
    BundleError : missing, truncated, altered, of a newer format, or not trusted.
    """
    path = shipped_path() if path is None else path
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BundleError(f"bundle {path}: no such file; give another with --bundle") from None
    except OSError as error:
        raise BundleError(
            f"bundle {path}: cannot be read ({error.strerror}); give another with --bundle"
        ) from None
    sha256 = hashlib.sha256(content).hexdigest()
    trusted = sha256 in trusted_hashes()
    if not trusted and not allow_unsigned:
        raise BundleError(
            f"bundle {path}: not shipped with this program and not signed by a trusted key; "
            "add --allow-unsigned to use it all the same (every record will say so)"
        )
    members = _members(path, content)
    manifest = _manifest(path, members)
    _check_hashes(path, manifest, members)
    return Bundle(path, sha256, trusted, manifest, members)


def _members(path: Path, content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for info in archive.infolist():
                if info.filename.startswith("/") or ".." in info.filename.split("/"):
                    raise BundleError(f"bundle {path}: member {info.filename} points outside; not opened")
                if info.file_size > _LARGEST_MEMBER:
                    raise BundleError(f"bundle {path}: member {info.filename} is too large; not opened")
            return {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
    except (zipfile.BadZipFile, EOFError, ValueError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise BundleError(f"bundle {path}: damaged or not a bundle ({error}); copy it again") from None


def _manifest(path: Path, members: Mapping[str, bytes]) -> Manifest:
    if "manifest.json" not in members:
        raise BundleError(f"bundle {path}: manifest.json is missing; copy it again")
    try:
        raw = json.loads(members["manifest.json"])
        if raw["format"] > FORMAT:
            raise BundleError(
                f"bundle {path}: format {raw['format']} is newer than this program reads ({FORMAT}); "
                "update the program"
            )
        if raw["task"] != "cell":
            raise BundleError(f"bundle {path}: task {raw['task']!r} is not one this program runs (cell)")
        return Manifest(
            name=str(raw["name"]),
            version=str(raw["version"]),
            classes=tuple(raw["classes"]),
            leukocytes=tuple(raw["leukocytes"]),
            positive=tuple(raw["positive"]),
            pitch_um=float(raw["input"]["pitch_um"]),
            size_px=int(raw["input"]["size_px"]),
            steps=tuple(raw["input"]["steps"]),
            graphs=dict(raw["graphs"]["classifier"]),
            thresholds=Thresholds(**raw["thresholds"]),
            finding=FindingRule(**raw["finding"]),
            files=dict(raw["files"]),
            everything=raw,
        )
    except KeyError as error:
        raise BundleError(f"bundle {path}: manifest.json has no {error}; copy it again") from None
    except (ValueError, TypeError) as error:
        raise BundleError(f"bundle {path}: manifest.json is not valid ({error})") from None


def _check_hashes(path: Path, manifest: Manifest, members: Mapping[str, bytes]) -> None:
    for name in {*manifest.files, *manifest.graphs.values()}:
        if name not in members:
            raise BundleError(f"bundle {path}: member {name} is missing; copy it again")
    for name, content in members.items():
        if name == "manifest.json":
            continue
        if manifest.files.get(name) != hashlib.sha256(content).hexdigest():
            raise BundleError(f"bundle {path}: member {name} does not match its sha256; copy it again")
