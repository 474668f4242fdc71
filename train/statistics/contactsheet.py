"""Crops side by side, each with what it is and what it was called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge.types import U8
from train.statistics.plots import ALARM, INK, sheet

_COLUMNS = 8


def contact_sheet(
    crops: Sequence[U8], captions: Sequence[tuple[str, str]], loud: Sequence[bool], title: str, path: Path
) -> None:
    """Crops in rows of eight, numbered from 1.

    Parameters
    ----------
    crops : (S, S, 3) uint8 RGB each. captions : two lines each, above and below the crop.
    loud : which are framed in red.
    """
    rows = max(-(-len(crops) // _COLUMNS), 1)
    with sheet(path, rows, _COLUMNS, (1.75 * _COLUMNS, 0.6 + 2.25 * rows)) as (figure, axes):
        figure.suptitle(title)
        for place in axes.flat:
            place.set_axis_off()
        numbered = enumerate(zip(crops, captions, loud, strict=True), start=1)
        for place, (number, (crop, (above, below), alarming)) in zip(axes.flat, numbered, strict=False):
            colour = ALARM if alarming else INK
            place.set_axis_on()
            place.imshow(crop)
            place.set(xticks=[], yticks=[])
            place.set_title(f"{number}  {above}", fontsize=8, color="0.2", loc="left", pad=2)
            place.set_xlabel(below, fontsize=8, color=colour, loc="left", labelpad=2)
            for spine in place.spines.values():
                spine.set(color=colour, lw=2.5 if alarming else 1)
