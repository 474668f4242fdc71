"""The label images that a screening writes, and how they are known again among pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

SUFFIX = ".png"
CELLS, NUCLEI = SUFFIX, f"_nuclei{SUFFIX}"
"""How the names of the two images of a picture end."""

_HEADER = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_GREY_16 = b"\x10\0"  # bit depth and colour type, after the width and the height (PNG specification, 11.2.1)


HEAD_BYTES = len(_HEADER) + 10
"""From the beginning of a file: by them it is known."""


def is_label_image(path: Path) -> bool:
    """Whether a file is a PNG of one channel with 16 bits, as label images are. No picture of a stain is."""
    try:
        with open(path, "rb") as file:
            return begins_label_image(file.read(HEAD_BYTES))
    except OSError:
        return False


def begins_label_image(head: bytes) -> bool:
    """The same by the first HEAD_BYTES of a file."""
    return head.startswith(_HEADER) and head.endswith(_GREY_16)


def label_images_among(names: Iterable[str], is_label: Callable[[str], bool]) -> set[str]:
    """The files that an earlier screening wrote: `X_nuclei.png`, and `X.png` with it.

    Parameters
    ----------
    names : paths of files, those of a folder together. is_label : whether one is a label image.
    """
    names = set(names)
    nuclei = {name for name in names if name.endswith(NUCLEI)}
    pairs = nuclei | {name.removesuffix(NUCLEI) + CELLS for name in nuclei} & names
    return {name for name in pairs if is_label(name)}
