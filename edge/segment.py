"""Frame -> Cells: leukocytes with nucleus and cytoplasm, found on the specimen grid.

Nuclei first: `edge.stain` says where a nucleus may lie. Here the stained area is cut where two nuclei touch,
lobes of one nucleus are joined, and `edge.outline` draws the whole cell round each.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.outline import Nucleus, measured, outlines
from edge.preprocess import Specimen
from edge.stain import LOBE_GAP_UM, Stain, density, disc, typical
from edge.types import F32, I32, U8, Bools, Cells

MIN_NUCLEUS_UM2 = 14.0  # a small lymphocyte's nucleus is 6 µm across (28 µm²), a platelet 2 to 3 µm (7 µm²)
MIN_LOBE_UM2 = 2.0
WHOLE_NUCLEUS_UM2 = 28.0  # lobes of granulocytes are mostly smaller, nuclei of lymphocytes and blasts larger
LARGEST_LOBED_UM2 = 160.0  # a flattened granulocyte's nucleus with all its lobes
LARGEST_TWO_LOBES_UM2 = 100.0  # two round lobes of one nucleus; two round blasts have more
CONVEX = 0.93  # area by that of the convex hull; two circles that touch have 0.88
ROUND = 0.95  # the same of a whole round nucleus
FILLED = 0.9  # share of cytoplasm in the hollow between two lobes
FILLED_AROUND = 0.8  # and for round ones 1.25 µm further out
TWO_LEVELS = 0.8  # least share of the variance of the stain that nucleus and cytoplasm explain
SHARP = 0.15  # least rise of the stain at the edge of a nucleus, in levels; uneven light rises slowly
MIDDLE_UM = 4.0  # how far from the middle of its picture the edge of a single cell may lie
CELL_RADIUS_UM = 6.0


def segment(view: Specimen, frame_size: tuple[int, int]) -> Cells:
    """Find the leukocytes of a field.

    Parameters
    ----------
    view : the frame on the specimen grid, corrected.
    frame_size : height and width of the frame in its own pixels.
    """
    stain = Stain.of(view)
    nuclei = [
        Nucleus.of(mask, box) for box, near in stain.neighbourhoods() for mask in _nuclei(stain, box, near)
    ]
    return outlines(stain, nuclei, frame_size)


def _nuclei(stain: Stain, box: tuple[slice, slice], near: Bools) -> list[Bools]:
    """Masks of the nuclei in a box, of which only what is `near` a candidate counts."""
    pitch_um = stain.pitch_um
    colours = density(stain.smooth[box])
    strength = stain.nuclear(colours)
    mask = ((strength > stain.level) & near).astype(np.uint8)
    mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)), np.uint8)
    pieces = []
    for blob in _bodies(mask, pitch_um):
        for part in _at_necks(blob, pitch_um):
            core = _core(part, strength, pitch_um)
            sharp = _sharpened(core, (mask > 0) & ~part, colours, strength, stain)
            pieces += [p for body in _bodies(sharp, pitch_um) for p in _at_necks(body, pitch_um)]
    joined = _join(pieces, stain.empty(colours), pitch_um) if len(pieces) > 1 else pieces
    return [n for n in joined if np.count_nonzero(n) * pitch_um**2 >= MIN_NUCLEUS_UM2]


def _core(part: Bools, strength: F32, pitch_um: float) -> Bools:
    """The nucleus alone where a part holds dense cytoplasm too: two levels of stain instead of one.

    The threshold is Otsu's (1979), and so is the measure of how well it divides: 0.75 for evenly spread
    values, more for two levels.
    """
    inner = strength[cv2.erode(part.astype(np.uint8), disc(1.5, pitch_um)) > 0]
    if not inner.size or not inner.max() > 0:
        return part
    scale = 255 / float(inner.max())
    level, _ = cv2.threshold(np.clip(inner * scale, 0, 255).astype(np.uint8), 0, 1, cv2.THRESH_OTSU)
    dense = inner * scale > level
    share = float(dense.mean())
    if not 0.05 < share < 0.95:
        return part
    low, high = float(inner[~dense].mean()), float(inner[dense].mean())
    divided = share * (1 - share) * (high - low) ** 2 / float(inner.var())
    return part & (strength * scale > level) if divided > TWO_LEVELS and low < 0.6 * high else part


def _bodies(mask: U8, pitch_um: float, least_um2: float = MIN_LOBE_UM2) -> list[Bools]:
    """The connected parts of a mask that are large enough."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    return [labels == i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] * pitch_um**2 >= least_um2]


def _sharpened(part: Bools, others: Bools, colours: F32, strength: F32, stain: Stain) -> U8:
    """A nucleus up to where the light is half-way between inside and surroundings: a blurred picture's edge.

    What the first round cuts off may be dense cytoplasm, which is then the surroundings of the second.
    Nothing remains where there is no such edge.
    """
    sharp = part
    for _ in range(2):
        around = (cv2.dilate(sharp.astype(np.uint8), disc(2.0, stain.pitch_um)) > 0) & ~sharp & ~others
        if not around.any():
            break
        inside, outside = typical(colours[sharp]), typical(colours[around])
        if (inside - outside) @ stain.axis < SHARP * stain.level:
            return np.zeros(part.shape, np.uint8)
        edge = -np.log((np.exp(-inside) + np.exp(-outside)) / 2)
        sharp = sharp & (strength > edge @ stain.axis)
    smooth = cv2.morphologyEx(sharp.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return np.asarray(smooth, np.uint8)


def _at_necks(piece: Bools, pitch_um: float) -> list[Bools]:
    """Cut a blob into its round bodies where each is large enough to be a nucleus; else leave it whole."""
    size = np.count_nonzero(piece)
    if size * pitch_um**2 < 2 * WHOLE_NUCLEUS_UM2 or size > CONVEX * np.count_nonzero(_hull(piece)):
        return [piece]
    depth = cv2.distanceTransform(np.pad(piece.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    for share in (0.5, 0.6, 0.7, 0.8):
        seeds = _bodies((depth > share * depth.max()).astype(np.uint8), pitch_um, least_um2=0)
        if len(seeds) < 2:
            continue
        nearest = np.stack([_away(s) for s in seeds]).argmin(axis=0)
        parts = [piece & (nearest == k) for k in range(len(seeds))]
        parts = [p for p in parts if np.count_nonzero(p) * pitch_um**2 >= WHOLE_NUCLEUS_UM2]
        if len(parts) > 1:
            return [q for p in parts for q in _at_necks(p, pitch_um)]
    return [piece]


def _hull(mask: Bools) -> Bools:
    """The convex hull of a mask."""
    edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(np.concatenate(edges)), 1)
    return hull > 0


def _away(mask: Bools) -> F32:
    """Distance of each pixel from a mask, in pixels."""
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3), np.float32)


def _join(pieces: list[Bools], empty: Bools, pitch_um: float) -> list[Bools]:
    """Join pieces that are lobes of one nucleus, nearest pairs first."""
    groups = dict(enumerate(pieces))
    away = {k: _away(p) * pitch_um for k, p in groups.items()} if len(groups) > 1 else {}
    gaps = {(a, b): float(away[a][groups[b]].min()) for a in groups for b in groups if a < b}
    gaps = {pair: gap for pair, gap in gaps.items() if gap <= LOBE_GAP_UM}
    while gaps:
        a, b = min(gaps, key=lambda pair: gaps[pair])
        del gaps[a, b]
        if not _one_nucleus(groups[a], groups[b], empty, pitch_um):
            continue
        groups[a] = groups[a] | groups.pop(b)
        for c in groups:
            gap = gaps.pop((min(b, c), max(b, c)), None)
            if gap is not None:
                pair = (min(a, c), max(a, c))
                gaps[pair] = min(gap, gaps.get(pair, gap))
    return list(groups.values())


def _one_nucleus(a: Bools, b: Bools, empty: Bools, pitch_um: float) -> bool:
    """Whether two pieces are lobes of one nucleus.

    The hollow between lobes is filled with cytoplasm; between two cells that touch there is glass, at least
    further out. Large round pieces are nuclei of their own unless much speaks against it.
    """
    both = a | b
    if _filled(both, empty) < FILLED:
        return False
    area_um2 = float(np.count_nonzero(both)) * pitch_um**2
    if not all(_round(piece, pitch_um) for piece in (a, b)):
        return area_um2 <= LARGEST_LOBED_UM2
    wide = cv2.dilate(both.astype(np.uint8), disc(2.5, pitch_um)) > 0
    return area_um2 <= LARGEST_TWO_LOBES_UM2 and _filled(wide, empty) >= FILLED_AROUND


def _round(piece: Bools, pitch_um: float) -> bool:
    """Whether a piece looks like a whole round nucleus."""
    size = int(np.count_nonzero(piece))
    return size * pitch_um**2 >= WHOLE_NUCLEUS_UM2 and size > ROUND * int(np.count_nonzero(_hull(piece)))


def _filled(body: Bools, empty: Bools) -> float:
    """Share of a body's hollows (its convex hull less itself) that is not glass, 1 without hollows."""
    hollow = _hull(body) & ~body
    size = np.count_nonzero(hollow)
    return 1 - float(np.count_nonzero(hollow & empty)) / size if size else 1.0


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
        cell = cells.labels == i
        nucleus = cell & cells.nuclei
    else:
        cell, nucleus = _something(view)
    everywhere = (slice(0, cell.shape[0]), slice(0, cell.shape[1]))
    return measured(cell.astype(np.int32), nucleus, [everywhere], view.pitch_um, frame_size)


def _middle(labels: I32, pitch_um: float) -> int:
    """Number of the label that lies nearest the middle, 0 when none does so within `MIDDLE_UM`."""
    y, x = np.nonzero(labels)
    if not len(y):
        return 0
    away = np.hypot(y - (labels.shape[0] - 1) / 2, x - (labels.shape[1] - 1) / 2) * pitch_um
    nearest = int(np.argmin(away))
    return int(labels[y[nearest], x[nearest]]) if away[nearest] <= MIDDLE_UM else 0


def _something(view: Specimen) -> tuple[Bools, Bools]:
    """Cell and nucleus where no leukocyte was found: a dark body in the middle, or a disc."""
    height, width = view.pixels.shape[:2]
    smooth = cv2.GaussianBlur(view.pixels, (0, 0), 0.5 / view.pitch_um)
    dark = 255 - smooth.mean(axis=2).astype(np.uint8)
    _, mask = cv2.threshold(dark, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    _, bodies, stats, _ = cv2.connectedComponentsWithStats(mask)
    i = _middle(np.asarray(bodies, np.int32), view.pitch_um)
    size = int(stats[i, cv2.CC_STAT_AREA])
    if i and MIN_NUCLEUS_UM2 <= size * view.pitch_um**2 <= 600 and size < 0.8 * dark.size:
        cell = bodies == i
        return cell, cell & (dark >= np.median(dark[cell]))
    y, x = np.ogrid[:height, :width]
    away = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2)
    radius = max(min(CELL_RADIUS_UM / view.pitch_um, 0.4 * min(height, width)), 1.0)
    return away <= radius, away <= max(0.7 * radius, 1.0)
