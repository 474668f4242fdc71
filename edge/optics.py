from __future__ import annotations
import cv2
import numpy as np
from numpy.typing import NDArray
from edge import preprocess
from edge.types import F32, U8, Bools

F64 = NDArray[np.float64]
RED_CELL_UM = 7.5
_WORK_PX = 720
_LEVELS = (0.7, 1.0, 1.5)
_SIGMAS = (2.0, 4.0)
_ASSUMED = 150.0
MINLEN = 40
SIGMAX = .09
LEVW = .3
TURN = 190
COVER = .55
RMSMAX = .04

def red_cells(pixels: U8) -> F32:
    longest = max(pixels.shape[:2])
    scale = min(_WORK_PX / longest, 2.0)
    cells = _outlines(preprocess.resample(pixels, scale))
    small = not len(cells) or np.median(np.sqrt(cells[:, 2] * cells[:, 3])) < 24
    if small and scale < 1:
        scale = min(2 * scale, 1.0)
        cells = _outlines(preprocess.resample(pixels, scale))
    cells[:, :4] /= scale
    return cells

def _outlines(grid: U8) -> F32:
    height, width = grid.shape[:2]
    glass, fraction = preprocess.background(grid, _ASSUMED / width)
    if fraction == 0:
        return np.zeros((0, 12), np.float32)
    smooth = cv2.GaussianBlur(grid, (0, 0), 1.0)
    density = cv2.log(cv2.resize(glass, (width, height)) / np.maximum(smooth, 1))
    green = np.ascontiguousarray(density[..., 1])
    level = _glass_threshold(green[::2, ::2])
    fits = []
    for factor in _LEVELS:
        mask = (green > factor * level).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        contours = [c[:, 0] for c in contours if len(c) > MINLEN]
        for sigma in _SIGMAS:
            for fit, cover, rms in _fit_arcs(contours, sigma, width, height):
                r, g, b, rim = _stain(density, fit)
                score = cover - 4 * rms - LEVW * abs(np.log(factor * level / max(rim / 2, 1e-3)))
                fits.append((*fit, score, cover, rms, rim, r, g, b))
    kept = []
    for fit in sorted(fits, key=lambda x: -x[5]):
        x, y, a, b = fit[:4]
        if any((x - k[0]) ** 2 + (y - k[1]) ** 2 < .12 * a * b for k in kept): continue
        kept.append(fit)
    return np.array(kept, np.float32).reshape(-1, 12)

def _stain(density, fit):
    x, y, a, b, ang = fit
    r = int(max(a, b) / 2) + 1
    x0, y0 = max(int(x) - r, 0), max(int(y) - r, 0)
    part = density[y0:int(y) + r, x0:int(x) + r]
    d = np.zeros(part.shape[:2], np.uint8)
    cv2.ellipse(d, ((x - x0, y - y0), (a * .9, b * .9), ang), 1, -1)
    inside = part[d > 0]
    if not len(inside): return 0, 0, 0, 0
    k = int(.8 * len(inside))
    return *inside.mean(axis=0), np.partition(inside[:, 1], k)[k]

def _fit_arcs(contours, sigma, width, height):
    contours = [c for c in contours if len(c) > 14 * sigma]
    if not contours: return []
    lengths = np.array([len(c) for c in contours])
    points = np.concatenate([p for c in contours for p in (c, c)])
    starts = np.concatenate([[0], np.cumsum(2 * lengths)[:-1]])
    edge = (points <= 1).any(1) | (points >= (width - 2, height - 2)).any(1)
    kernel = cv2.getGaussianKernel(int(6 * sigma) | 1, sigma)
    smooth = cv2.sepFilter2D(np.ascontiguousarray(points.T, np.float32), cv2.CV_32F, kernel, np.ones(1)).T.copy()
    step = int(sigma)
    tangent = np.roll(smooth, -step, 0) - np.roll(smooth, step, 0)
    z = tangent[:, 0] - 1j * tangent[:, 1]
    turn = np.angle(np.roll(z, -step) * np.conj(np.roll(z, step))) / (2 * step)
    bad = edge | (turn < -0.05 / sigma)
    pad = int(3 * sigma)
    for s, m in zip(starts, lengths): # seams
        bad[s:s + pad] = True
        bad[s + 2 * m - pad: s + 2 * m] = True
    d = np.diff(np.concatenate([[1], bad.astype(np.int8), [1]]))
    begin, end = np.flatnonzero(d == -1), np.flatnonzero(d == 1)
    owner = np.searchsorted(starts, begin, 'right') - 1
    total = np.concatenate([[0], np.cumsum(turn)])
    end = np.minimum(end, begin + lengths[owner])
    ok = (total[end] - total[begin] > np.radians(TURN)) & (end - begin >= MINLEN)
    ok &= begin < starts[owner] + lengths[owner] 
    out = []
    for b, e, o in zip(begin[ok], end[ok], owner[ok]):
        if e - b < lengths[o]: b, e = b + step, e - step
        pts = smooth[b:e]
        (x, y), (p, q), ang = cv2.fitEllipseDirect(pts)
        if not (np.isfinite([x,y,p,q]).all() and min(p, q) > 8 and max(p, q) < 1.4 * min(p, q)): continue
        if sigma > SIGMAX * np.sqrt(p * q): continue
        a = np.radians(ang); ca, sa = np.cos(a), np.sin(a)
        dx, dy = pts[:, 0] - x, pts[:, 1] - y
        rho = np.hypot((dx*ca + dy*sa) / (p/2), (-dx*sa + dy*ca) / (q/2))
        rms = np.sqrt(np.mean((rho - 1)**2))
        cover = len(np.unique((np.arctan2(dy, dx) * 36 / np.pi / 2).astype(int))) / 36
        if rms > RMSMAX or cover < COVER: continue
        out.append(((x, y, p+1, q+1, ang), cover, rms))
    return out

def _glass_threshold(values):
    low, high = np.percentile(values, [.5, 99.5])
    counts = np.histogram(values, 64, (low, high))[0].astype(float)
    centres = np.arange(64) + .5
    mass = np.concatenate([[0], np.cumsum(counts)]); moment = np.concatenate([[0], np.cumsum(counts * centres)])
    i, j = np.triu_indices(64, 1)
    i, j = i[i > 0], j[i > 0]
    def s(a, b):
        return (moment[b] - moment[a]) ** 2 / np.maximum(mass[b] - mass[a], 1e-9)
    v = s(0, i) + s(i, j) + s(j, 64)
    k = v.argmax()
    return low + i[k] / 64 * (high - low)
