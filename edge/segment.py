"""Frame -> Cells: leukocytes with nucleus and cytoplasm, found on the specimen grid.

Nuclei first: `edge.stain` says where a nucleus may lie. Here the stained area is cut where two nuclei touch,
lobes of one nucleus are joined, and `edge.outline` draws the whole cell round each.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.outline import outlines
from edge.preprocess import Specimen
from edge.stain import LOBE_GAP_UM, Stain, nuclear
from edge.types import F32, I32, U8, Bools, Cells

MIN_NUCLEUS_UM2 = 14.0  # a small lymphocyte's nucleus is 6 µm across (28 µm²), a platelet 2 to 3 µm (7 µm²)
MIN_LOBE_UM2 = 2.0
WHOLE_NUCLEUS_UM2 = 28.0  # lobes of granulocytes are mostly smaller, nuclei of lymphocytes and blasts larger
JOINED_NUCLEUS_UM2 = 140.0  # a flattened granulocyte's whole nucleus is smaller, two large blasts' larger
CONVEX = 0.93  # area by that of the convex hull; two equal circles that touch have 0.88
SHARED_CYTOPLASM = 0.8  # of the hollow between two lobes


def segment(view: Specimen, frame_size: tuple[int, int]) -> Cells:
    """Find the leukocytes of a field.

    Parameters
    ----------
    view : the frame on the specimen grid, corrected.
    frame_size : height and width of the frame in its own pixels.
    """
    stain = Stain.of(view)
    nuclei = np.zeros(view.pixels.shape[:2], np.int32)
    made = 0
    for box, near in stain.candidates():
        for nucleus in _nuclei(stain, stain.colours(box), near):
            made += 1
            nuclei[box][nucleus] = made
    return outlines(view, stain, nuclei, frame_size)


def _nuclei(stain: Stain, colours: F32, near: Bools) -> list[Bools]:
    """Masks of the nuclei in a box, of which only what is `near` a candidate counts."""
    pitch_um = stain.pitch_um
    strength = nuclear(colours)
    mask = ((strength > stain.level) & near).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    pieces = _split(mask, strength, stain.level, pitch_um)
    empty = stain.glass.distance(colours) < 3.0
    joined = _join(pieces, empty, pitch_um)
    return [n for n in joined if np.count_nonzero(n) * pitch_um**2 >= MIN_NUCLEUS_UM2]


def _split(mask: U8, strength: F32, level: float, pitch_um: float) -> list[Bools]:
    """Pieces of a nuclear mask: lobes, and nuclei cut where two touch."""
    pieces = []
    for blob, _ in _bodies(mask):
        refined = blob & (strength > _half_height(blob, strength, level, pitch_um))
        for piece, size in _bodies(refined.astype(np.uint8)):
            if size * pitch_um**2 >= 2 * WHOLE_NUCLEUS_UM2:
                pieces += _at_necks(piece, pitch_um)
            elif size * pitch_um**2 >= MIN_LOBE_UM2:
                pieces.append(piece)
    return pieces


def _bodies(mask: U8) -> list[tuple[Bools, int]]:
    """The connected parts of a mask, each with its number of pixels."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    return [(labels == i, int(stats[i, cv2.CC_STAT_AREA])) for i in range(1, count)]


def _half_height(blob: Bools, strength: F32, level: float, pitch_um: float) -> float:
    """Half-way between a nucleus and its surroundings, where a blurred picture shows the edge."""
    reach = round(1.0 / pitch_um) * 2 + 1
    ring = (cv2.dilate(blob.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0) & ~blob
    if not ring.any():
        return level
    inside, outside = np.percentile(strength[blob], 75), np.median(strength[ring])
    return max(level, float(inside + outside) / 2)


def _at_necks(piece: Bools, pitch_um: float) -> list[Bools]:
    """Cut a blob into its round bodies where each is large enough to be a nucleus; else leave it whole."""
    if np.count_nonzero(piece) > CONVEX * np.count_nonzero(_hull(piece)):
        return [piece]
    depth = cv2.distanceTransform(np.pad(piece.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    for share in (0.5, 0.6, 0.7, 0.8):
        seeds = [s for s, _ in _bodies((depth > share * depth.max()).astype(np.uint8))]
        if len(seeds) < 2:
            continue
        away = [cv2.distanceTransform((~s).astype(np.uint8), cv2.DIST_L2, 3) for s in seeds]
        nearest = np.stack(away).argmin(axis=0)
        parts = [piece & (nearest == k) for k in range(len(seeds))]
        parts = [p for p in parts if np.count_nonzero(p) * pitch_um**2 >= WHOLE_NUCLEUS_UM2]
        if len(parts) > 1:
            return [q for p in parts for q in _at_necks(p, pitch_um)]
    return [piece]


def _hull(mask: Bools) -> Bools:
    """The convex hull of a mask."""
    hull = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(cv2.findNonZero(mask.astype(np.uint8))), 1)
    return hull > 0


def _join(pieces: list[Bools], empty: Bools, pitch_um: float) -> list[Bools]:
    """Join pieces that are lobes of one nucleus, nearest pairs first."""
    groups = list(pieces)
    apart: set[tuple[int, int]] = set()
    while len(groups) > 1:
        gaps = [
            (gap, a, b)
            for b in range(len(groups))
            for a, gap in enumerate(_gaps(groups[:b], groups[b], pitch_um))
            if gap <= LOBE_GAP_UM and (id(groups[a]), id(groups[b])) not in apart
        ]
        if not gaps:
            break
        _, a, b = min(gaps)
        if _one_nucleus(groups[a], groups[b], empty, pitch_um):
            groups[a] = groups[a] | groups.pop(b)
        else:
            apart.add((id(groups[a]), id(groups[b])))
    return groups


def _gaps(others: list[Bools], piece: Bools, pitch_um: float) -> list[float]:
    """Shortest distance from a piece to each of the others, µm."""
    if not others:
        return []
    away = cv2.distanceTransform((~piece).astype(np.uint8), cv2.DIST_L2, 3) * pitch_um
    return [float(away[other].min()) for other in others]


def _one_nucleus(a: Bools, b: Bools, empty: Bools, pitch_um: float) -> bool:
    """Whether two pieces are lobes of one nucleus: the hollows between them are filled with cytoplasm.

    Two cells that touch leave glass or red cells in the hollows between their nuclei.
    """
    both = a | b
    if np.count_nonzero(both) * pitch_um**2 > JOINED_NUCLEUS_UM2:
        return False
    hollow = _hull(both) & ~both
    size = np.count_nonzero(hollow)
    return np.count_nonzero(hollow & ~empty) >= SHARED_CYTOPLASM * size
