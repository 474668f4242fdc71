"""Golden cases: drawn pictures in a bundle, and what this machine must find in them.

`export.bundle.golden` draws them and writes down what was found at export; this compares. No patient's
picture travels in a bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edge.bundle.bundle import Bundle
from edge.cells.classify import Classifier, decide
from edge.cells.segment import segmenter
from edge.files import strictjson
from edge.files.pictures import decode
from edge.files.strictjson import Table
from edge.optics.specimen import specimen
from edge.types import F32, U8, CellsInFrame

MEMBER = "golden.json"

NEAR_UM = 1.0
"""How far from its place at export a cell may be found: a seventh of a red cell."""

_CROP_SHARE = 0.1  # of a crop's values that may differ by more than the tolerance: outlines move by a pixel
# times the tolerance that a probability may differ by on crops that this machine cut itself: OpenCV rounds
# otherwise on another processor, and one grey level moved drawn cells' probabilities by up to 0.05
_HERE = 5
_LARGEST_PX = 4096  # side of a picture; a small file may claim a picture that fills the memory
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, eq=False)
class Case:
    """A picture and what must be found in it.

    Attributes
    ----------
    name : the picture's member. pixels : (H, W, 3) uint8 RGB. um_per_px : its scale.
    crops : (n, S, S, 3) uint8 RGB, what the classifier saw at export.
    centres_px : (n, 2) float32. classes : n names. probabilities : graph's member -> (n, C) float32.
    """

    name: str
    pixels: U8
    um_per_px: float
    crops: U8
    centres_px: F32
    classes: tuple[str, ...]
    probabilities: Mapping[str, F32]


class Golden:
    """A bundle's golden cases, cut into crops by this machine.

    Attributes
    ----------
    cases : what must be found. tolerance : runtime ('ort') -> by how much a probability may differ.

    Raises
    ------
    ValueError : there are none, or they are not valid; one line.
    """

    def __init__(self, bundle: Bundle) -> None:
        if MEMBER not in bundle.members:
            raise ValueError(f"{MEMBER} is missing")
        self._manifest = bundle.manifest
        self._find = segmenter(bundle)
        try:
            table = strictjson.read(bundle.members[MEMBER])
            limits = table.table("tolerance")
            self.tolerance = {k: limits.table("probability").number(k, 0, 0.2) for k in ("ort", "trt")}
            self._crop_tolerance = limits.number("crop", 0, 32)
            self.cases = [_case(case, bundle) for case in table.tables("cases")]
        except ValueError as error:
            raise ValueError(f"{MEMBER}: {error}") from None
        self._views = [specimen(c.pixels, c.um_per_px, self._manifest.pitch_um) for c in self.cases]
        self._crops = [
            self._manifest.model_input.of(view, case.centres_px * view.scale, case.pixels)
            for view, case in zip(self._views, self.cases, strict=True)
        ]

    @cached_property
    def _cells(self) -> list[CellsInFrame]:
        """What this machine finds in each case."""
        pairs = zip(self.cases, self._views, strict=True)
        return [self._find(view).in_frame(*case.pixels.shape[:2]) for case, view in pairs]

    def unlike(self) -> list[str]:
        """What preprocessing and segmentation find otherwise here, in words; empty when all is well."""
        wrong = []
        for case, found, windows in zip(self.cases, self._cells, self._crops, strict=True):
            off = np.abs(windows.astype(np.int16) - case.crops) > self._crop_tolerance
            if off.mean(axis=(1, 2, 3)).max() > _CROP_SHARE:
                wrong.append(
                    f"{case.name}: the crops differ by more than {self._crop_tolerance:g} grey levels"
                )
            apart = _apart(case, found) * case.um_per_px
            lost = int((apart.min(axis=1, initial=np.inf) > NEAR_UM).sum())
            if lost:
                wrong.append(f"{case.name}: {lost} of {len(case.classes)} cells not found in their place")
        return wrong

    def differences(self, classifier: Classifier) -> list[str]:
        """What the classifier says otherwise here, in words; empty when all is well.

        Of the crops that the bundle brings it must say the same; of those that this machine cut from the
        picture it must name the same classes.
        """
        wrong: list[str] = []
        member = self._manifest.graphs[classifier.runtime]
        limit = self.tolerance[classifier.runtime.split("-")[0]]
        for i, (case, own) in enumerate(zip(self.cases, self._crops, strict=True)):
            if member not in case.probabilities:
                wrong.append(f"{case.name}: nothing is known of what {member} must say")
                continue
            found = self._given(i)
            given = ((classifier.probabilities(case.crops), limit),) if found is None else ()
            here = classifier.probabilities(own) if found is None else found
            for answers, most in (*given, (here, _HERE * limit)):
                calls = decide(answers, self._manifest)
                worst = float(np.abs(calls.probabilities - case.probabilities[member]).max())
                if not worst <= most:
                    wrong.append(f"{case.name}: a probability differs by {worst:.3f}, more than {most:g}")
                said = [self._manifest.classes[i] for i in calls.classes]
                wrong += [
                    f"{case.name}: a {wanted} is called {given}"
                    for wanted, given in zip(case.classes, said, strict=True)
                    if given != wanted
                ]
        return wrong

    def change(self, classifier: Classifier) -> tuple[float, float] | tuple[None, None]:
        """Largest and mean change of a probability against FP32, over the crops that the bundle brings.

        None where whoever finds the cells says what they are, and no crops are classified.
        """
        member = self._manifest.graphs["ort-fp32"]
        known = [case for case in self.cases if member in case.probabilities]
        if not known or self._given(0) is not None:
            return None, None
        said = classifier.probabilities(np.concatenate([case.crops for case in known]))
        apart = np.abs(said - np.concatenate([case.probabilities[member] for case in known]))
        return float(apart.max()), float(apart.mean())

    def answers(self, classifier: Classifier) -> list[F32]:
        """(n, C) for each case: what is said of its n cells as this machine cut or found them."""
        return [
            classifier.probabilities(own) if (given := self._given(i)) is None else given
            for i, own in enumerate(self._crops)
        ]

    def found(self) -> list[F32]:
        """(m, 2) for each case: the middles of all cells that this machine finds in it, in its pixels."""
        return [cells.centres_px for cells in self._cells]

    def _given(self, i: int) -> F32 | None:
        """(n, C) what who finds the cells says of those nearest to a case's; None where it says nothing."""
        case, found = self.cases[i], self._cells[i]
        if found.found.probabilities is None:
            return None
        if not len(found):
            return np.zeros((len(case.classes), len(self._manifest.classes)), np.float32)
        return np.asarray(found.found.probabilities[_apart(case, found).argmin(axis=1)], np.float32)


def _apart(case: Case, found: CellsInFrame) -> F32:
    """(n, m) pixels from each of a case's cells to each of those found."""
    return np.asarray(np.linalg.norm(case.centres_px[:, None] - found.centres_px[None], axis=2), np.float32)


def _case(table: Table, bundle: Bundle) -> Case:
    manifest = bundle.manifest
    cells = table.tables("cells")
    names = [cell.text("class") for cell in cells]
    if stray := sorted(set(names) - set(manifest.classes)):
        raise ValueError(f"class {strictjson.shown(stray[0])} is not one of the manifest's")
    centres = [cell.numbers("centre_px", 2, -_LARGEST_PX, _LARGEST_PX) for cell in cells]
    rows = [cell.table("probabilities") for cell in cells]
    members = {member for row in rows for member in row.values}
    size = manifest.size_px
    strip = _picture(table.text("crops"), bundle.members)
    if strip.shape != (size, size * len(cells), 3):
        raise ValueError(f"{table.text('crops')} is {strip.shape}, not {len(cells)} crops of {size} px")
    name = table.text("picture")
    return Case(
        name=name,
        pixels=_picture(name, bundle.members),
        um_per_px=table.number("um_per_px", 0.01, 10),
        crops=strip.reshape(size, len(cells), size, 3).swapaxes(0, 1),
        centres_px=np.array(centres, np.float32),
        classes=tuple(names),
        probabilities={
            member: np.array([row.numbers(member, len(manifest.classes), 0, 1) for row in rows], np.float32)
            for member in members
        },
    )


def _picture(name: str, members: Mapping[str, bytes]) -> U8:
    """(H, W, 3) uint8 RGB of a PNG."""
    content = members.get(name)
    if content is None:
        raise ValueError(f"{strictjson.shown(name)} is missing")
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))  # the header, IHDR
    if not content.startswith(_PNG) or not 0 < max(width, height) <= _LARGEST_PX:
        raise ValueError(f"{name} is not a PNG of {_LARGEST_PX} px at most")
    try:
        return decode(content)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
