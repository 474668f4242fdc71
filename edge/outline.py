"""The whole cell round each nucleus: the best closed outline, by dynamic programming in polar coordinates."""

from __future__ import annotations

import cv2
import numpy as np

from edge.preprocess import Specimen
from edge.stain import Cloud, Stain, density
from edge.types import F32, I32, Bools, Cells

ANGLES = 64
STEP_UM = 0.33
REACH_UM = 15.0
CYTOPLASM_UM = 8.0


def outlines(view: Specimen, stain: Stain, nuclei: I32, frame_size: tuple[int, int]) -> Cells:
    """Draw the cell round each nucleus and measure both."""
    n = int(nuclei.max())
    if n == 0:
        return Cells.none(*nuclei.shape)
    h, w = nuclei.shape
    pitch = view.pitch_um
    centres = np.zeros((n, 2), np.float32)
    for i in range(n):
        m = cv2.moments((nuclei == i + 1).astype(np.uint8), True)
        centres[i] = m["m10"] / m["m00"], m["m01"] / m["m00"]
    theta = np.arange(ANGLES, dtype=np.float32) * (2 * np.pi / ANGLES)
    radii = (np.arange(int(REACH_UM / STEP_UM), dtype=np.float32) + 1) * (STEP_UM / pitch)
    X = centres[:, 0, None, None] + np.cos(theta)[None, :, None] * radii
    Y = centres[:, 1, None, None] + np.sin(theta)[None, :, None] * radii
    shape = X.shape
    flat = (n * ANGLES, len(radii))
    od = cv2.remap(density(cv2.GaussianBlur(view.pixels, (0, 0), 1.0)), X.reshape(flat), Y.reshape(flat), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    od = od.reshape(*shape, 3)
    own = cv2.remap(nuclei.astype(np.float32), X.reshape(flat), Y.reshape(flat), cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT).reshape(shape)
    mine = own == np.arange(1, n + 1, dtype=np.float32)[:, None, None]
    other = (own > 0) & ~mine
    mean = od.mean(-1)
    k = np.arange(len(radii))
    last = np.where(mine.any(2), (mine * (k + 1)).max(2), 1)  # outermost nuclear sample + 1
    beyond = (k[None, None] - last[..., None]) * STEP_UM
    score = belonging(stain, od, (beyond > 0.4) & (beyond < 1.6) & ~other)
    score[k[None, None] < last[..., None]] = 1
    score[other] = -4
    score -= (beyond > CYTOPLASM_UM) * 4 + 0.05 * np.maximum(beyond, 0)
    total = np.cumsum(score, axis=2)
    edge = np.zeros_like(mean)
    edge[..., 1:-1] = mean[..., :-2] - mean[..., 2:]
    value = total + 4.0 * np.abs(edge)
    value[k[None, None] < last[..., None] - 1] = -1e3
    path = _best(value)
    r = radii[path]
    r = (np.roll(r, 1, 1) + 2 * r + np.roll(r, -1, 1)) / 4
    labels = np.zeros((h, w), np.int32)
    px = np.stack([centres[:, :1] + np.cos(theta) * r, centres[:, 1:] + np.sin(theta) * r], -1)
    for i in range(n):
        cv2.fillPoly(labels, [np.round(px[i] * 16).astype(np.int32)], i + 1, shift=4)
    labels = np.where(nuclei > 0, nuclei, labels).astype(np.int32)
    return measure(view, labels, nuclei, frame_size)


def belonging(stain: Stain, od: F32, ring: Bools) -> F32:
    """-1 to 1: whether a colour is the cell's own rather than glass or red cell."""
    glass = stain.glass.distance(od)
    glass[od.mean(-1) < stain.glass.mean.mean()] = 0
    score = np.clip((glass - 3.0) / 1.5, -1, 1)
    red = stain.red.distance(od) ** 2 if stain.red is not None else np.full(score.shape, 99, np.float32)
    for i in range(len(od)):
        here = ring[i] & (glass[i] > 3.5)
        unlike = here & (red[i] > 4)
        here = unlike if np.count_nonzero(unlike) > 0.2 * np.count_nonzero(ring[i]) else here
        some = od[i][here]
        if np.count_nonzero(here) < 40:
            llr = red[i] - 6
        else:
            m = np.median(some, 0)
            share = od[i] @ m / (m @ m)
            score[i] = np.minimum(score[i], np.clip((share - 0.25) / 0.1, -1, 1))
            cov = np.outer(m, m) * 0.3**2 + np.eye(3) * 0.03**2
            own = Cloud(m, np.linalg.cholesky(np.linalg.inv(cov)).T.astype(np.float32))
            llr = red[i] - np.minimum(own.distance(od[i]) ** 2, 9)
        outside = np.maximum.accumulate(score[i] < -0.5, axis=1)
        score[i] = np.minimum(score[i], np.clip(llr / 3, -1, 1))
        score[i][outside] = np.minimum(score[i][outside], -0.1)
    return score


def _best(value: F32) -> I32:
    n, angles, m = value.shape
    turns = np.concatenate([value[:, angles - angles // 4 :], value, value[:, : angles // 4]], axis=1)
    reach = 2
    total = turns[:, 0].copy()
    came = np.zeros((turns.shape[1], n, m), np.int8)
    pad = np.full((n, m + 2 * reach), -1e6, np.float32)
    for a in range(1, turns.shape[1]):
        pad[:, reach:-reach] = total
        options = np.stack([pad[:, reach + d : reach + d + m] - 0.3 * abs(d) for d in range(-reach, reach + 1)])
        came[a] = options.argmax(0)
        total = options.max(0) + turns[:, a]
    path = np.zeros((n, turns.shape[1]), np.int32)
    path[:, -1] = total.argmax(1)
    rows = np.arange(n)
    for a in range(turns.shape[1] - 1, 0, -1):
        path[:, a - 1] = path[:, a] + came[a][rows, path[:, a]] - reach
    return path[:, angles // 4 : angles // 4 + angles]


def measure(view: Specimen, labels: I32, nuclei: I32, frame_size: tuple[int, int]) -> Cells:
    h, w = labels.shape
    n = int(labels.max())
    px = view.pitch_um**2
    boxes = np.zeros((n, 4), np.int32)
    centres = np.zeros((n, 2), np.float32)
    area = np.zeros(n, np.float32)
    narea = np.zeros(n, np.float32)
    cut = np.zeros(n, np.bool_)
    H, W = frame_size
    sx, sy = W / w, H / h
    for i in range(n):
        mask = (labels == i + 1)
        rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        y0, y1, x0, x1 = rows[0], rows[-1] + 1, cols[0], cols[-1] + 1
        boxes[i] = np.floor(x0 * sx), np.floor(y0 * sy), min(np.ceil(x1 * sx), W), min(np.ceil(y1 * sy), H)
        m = cv2.moments(mask[y0:y1, x0:x1].astype(np.uint8), True)
        centres[i] = (m["m10"] / m["m00"] + x0 + 0.5) * sx, (m["m01"] / m["m00"] + y0 + 0.5) * sy
        area[i] = m["m00"] * px
        narea[i] = np.count_nonzero(nuclei == i + 1) * px
        cut[i] = x0 <= 0 or y0 <= 0 or x1 >= w or y1 >= h
    return Cells(labels, nuclei > 0, boxes, centres, area, narea, cut)
