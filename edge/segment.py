"""Frame -> Cells: leukocytes with nucleus and cytoplasm, found on the specimen grid.

Nuclei first: `edge.stain` says where a nucleus may lie. Here the stained area is cut where two nuclei touch,
lobes of one nucleus are joined, and `edge.outline` draws the whole cell round each.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.outline import measure, outlines
from edge.preprocess import Specimen
from edge.stain import LOBE_GAP_UM, Stain
from edge.types import F32, I32, U8, Bools, Cells

MIN_NUCLEUS_UM2 = 14.0  # a small lymphocyte's nucleus is 6 µm across (28 µm²), a platelet 2 to 3 µm (7 µm²)
MIN_LOBE_UM2 = 2.0
WHOLE_NUCLEUS_UM2 = 28.0  # lobes of granulocytes are mostly smaller, nuclei of lymphocytes and blasts larger
JOINED_NUCLEUS_UM2 = 140.0  # a flattened granulocyte's whole nucleus is smaller, two large blasts' larger
CONVEX = 0.93  # area by that of the convex hull; two equal circles that touch have 0.88
SHARED_CYTOPLASM = 0.8  # of the hollow between two lobes
MIDDLE_UM = 2.0  # how far from the middle of its picture a single cell may lie
DISC_UM = 6.0  # radius of a leukocyte


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
    strength = colours @ stain.axis
    mask = cv2.morphologyEx(((strength > stain.level) & near).astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    pieces = _split(mask, colours, stain, pitch_um)
    empty = stain.glass.distance(colours) < 3.0
    joined = _join(pieces, empty, pitch_um)
    return [n for n in joined if np.count_nonzero(n) * pitch_um**2 >= MIN_NUCLEUS_UM2]


def _split(mask: U8, colours: F32, stain: Stain, pitch_um: float) -> list[Bools]:
    """Pieces of a nuclear mask: lobes, and nuclei cut where two touch."""
    pieces = []
    for blob, _ in _bodies(mask):
        for part in _at_necks(blob, pitch_um):
            for piece, size in _bodies(_sharpened(part, colours, stain, pitch_um)):
                if size * pitch_um**2 >= MIN_LOBE_UM2:
                    pieces += _at_necks(piece, pitch_um)
    return pieces


def _bodies(mask: U8) -> list[tuple[Bools, int]]:
    """The connected parts of a mask, each with its number of pixels."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    return [(labels == i, int(stats[i, cv2.CC_STAT_AREA])) for i in range(1, count)]


def _sharpened(blob: Bools, colours: F32, stain: Stain, pitch_um: float) -> U8:
    """A nucleus up to where the light is half-way between inside and surroundings: a blurred picture's edge."""
    reach = round(1.0 / pitch_um) * 2 + 1
    ring = (cv2.dilate(blob.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0) & ~blob
    if not ring.any():
        return blob.astype(np.uint8)
    inside, outside = np.median(colours[blob], axis=0), np.median(colours[ring], axis=0)
    edge = -np.log((np.exp(-inside) + np.exp(-outside)) / 2)
    sharp = blob & (colours @ stain.axis > edge @ stain.axis)
    return np.asarray(cv2.morphologyEx(sharp.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)))


def _at_necks(piece: Bools, pitch_um: float) -> list[Bools]:
    """Cut a blob into its round bodies where each is large enough to be a nucleus; else leave it whole."""
    size = np.count_nonzero(piece)
    if size * pitch_um**2 < 2 * WHOLE_NUCLEUS_UM2 or size > CONVEX * np.count_nonzero(_hull(piece)):
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


def single(view: Specimen, frame_size: tuple[int, int]) -> Cells:
    """The one cell in the middle of a picture, whatever the picture is.

    The leukocyte that the middle lies in or next to; else whatever lies there; else a disc.

    Parameters
    ----------
    view, frame_size : as for `segment`.

    Returns
    -------
    Exactly one cell, with a nucleus.
    """
    cells = segment(view, frame_size)
    i = _middle(cells.labels, view.pitch_um)
    if i:
        labels = (cells.labels == i).astype(np.int32)
        nuclei = labels * cells.nuclei
    else:
        labels, nuclei = _something(view)
    return measure(view, labels, nuclei, frame_size)


def _middle(labels: I32, pitch_um: float) -> int:
    """Number of the label that lies nearest the middle, 0 when none does so within `MIDDLE_UM`."""
    y, x = np.nonzero(labels)
    if not len(y):
        return 0
    away = np.hypot(y - (labels.shape[0] - 1) / 2, x - (labels.shape[1] - 1) / 2) * pitch_um
    nearest = int(np.argmin(away))
    return int(labels[y[nearest], x[nearest]]) if away[nearest] <= MIDDLE_UM else 0


def _something(view: Specimen) -> tuple[I32, I32]:
    """Cell and nucleus where no leukocyte was found: a dark body in the middle, or a disc."""
    height, width = view.pixels.shape[:2]
    dark = 255 - cv2.GaussianBlur(view.pixels, (0, 0), 0.5 / view.pitch_um).mean(axis=2).astype(np.uint8)
    _, mask = cv2.threshold(dark, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    _, bodies, stats, _ = cv2.connectedComponentsWithStats(mask)
    i = _middle(bodies, view.pitch_um)
    area_um2 = stats[i, cv2.CC_STAT_AREA] * view.pitch_um**2
    if i and MIN_NUCLEUS_UM2 <= area_um2 <= 600:
        cell = bodies == i
        return cell.astype(np.int32), (cell & (dark >= np.median(dark[cell]))).astype(np.int32)
    y, x = np.ogrid[:height, :width]
    radius = min(DISC_UM / view.pitch_um, 0.4 * min(height, width))
    away = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2)
    return (away <= max(radius, 1)).astype(np.int32), (away <= max(radius * 0.7, 1)).astype(np.int32)
