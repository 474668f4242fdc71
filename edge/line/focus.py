"""How sharp the picture is, relative to the best seen on this slide: a meter to turn the focus knob by.

Near focus the width of the edges says it (`Quality.blur_um`), whatever the field shows. Far out of focus
that width cannot be told any more: neighbouring cells run into each other, and a lens out of focus draws
false edges. There the steepness of the strongest edges goes on. A step of contrast C under blur b, smoothed
by s, has the steepness C / sqrt(2π (b² + s²)), so the contrast of this slide's cells, learned while the
width is known, turns steepness into width.
"""

from __future__ import annotations

from collections import deque
from math import exp, log, sqrt
from statistics import median

from edge.line.quality import BLUR_LIMIT_UM, COARSE_UM, OWN_UM2, Quality

_LIMIT_UM = sqrt(BLUR_LIMIT_UM**2 + OWN_UM2)
_NEAR_UM, _FAR_UM = 1.2, 2.0  # the width of edges tells itself up to the one, steepness alone from the other
_MARGIN_UM2 = 1.0  # beyond the model, so that the needle does not turn back where the one takes over
_HIGH_CONTRAST = 90.0  # (grey levels per µm) × µm; the strongest stains reach it, so it never flatters
_FAINT = 1 / 16  # of the contrast, per µm: less steep than red cells are at 6 µm of blur
_AROUND = 3  # widths whose middle one may be the best: a single one may be anything
_REMEMBERED = 15


class FocusMeter:
    """Follows the frames of one slide."""

    def __init__(self) -> None:
        self._contrasts: deque[float] = deque(maxlen=_REMEMBERED)
        self._widths: deque[float] = deque(maxlen=_AROUND)
        self._best_um = _LIMIT_UM
        self._shown: float | None = None

    @property
    def needed(self) -> float:
        """The focus, 0 to 1, that a field which can be read has at the least."""
        return self._best_um / _LIMIT_UM

    def see(self, quality: Quality) -> float | None:
        """Focus of a frame: width of the edges at their best on this slide over their width now.

        Returns
        -------
        0 to 1, where 1 is as sharp as ever on this slide. Until something sharper than the limit of what
        can be read has been seen, that limit stands for the best. Where a frame has nothing to focus on,
        the value of the frame before, None at first.
        """
        width = self._width_um(quality)
        if width is not None:
            self._widths.append(width)
            if len(self._widths) == _AROUND:
                self._best_um = min(self._best_um, median(self._widths))
            self._shown = min(self._best_um / width, 1.0)
        return self._shown

    def _width_um(self, quality: Quality) -> float | None:
        """Standard deviation of the edges' width in µm, None where there is nothing to tell it by."""
        blur, steepness = quality.blur_um, quality.steepness
        if blur is None or not steepness:
            return None
        width = sqrt(blur**2 + OWN_UM2)
        if self._contrasts and steepness < _FAINT * median(self._contrasts):
            return None
        if width < _NEAR_UM:
            self._contrasts.append(steepness * sqrt(blur**2 + COARSE_UM**2))
            return width
        contrast = median(self._contrasts) if self._contrasts else _HIGH_CONTRAST
        by_steepness = sqrt((contrast / steepness) ** 2 + _MARGIN_UM2)
        share = min(log(width / _NEAR_UM) / log(_FAR_UM / _NEAR_UM), 1.0)
        share *= share * (3 - 2 * share)
        return exp((1 - share) * log(width) + share * log(by_steepness))
