"""The label images that a screening writes, and how they are known again among pictures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

SUFFIX = ".png"
CELLS, NUCLEI = SUFFIX, f"_nuclei{SUFFIX}"
"""How the names of the two images of a picture end."""

_HEADER = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_GREY_16 = b"\x10\0"  # bit depth and colour type, after the width and the height (PNG specification, 11.2.1)


def is_label_image(path: Path) -> bool:
    """Whether a file is a PNG of one channel with 16 bits, as label images are. No picture of a stain is."""
    try:
        with open(path, "rb") as file:
            head = file.read(len(_HEADER) + 10)
    except OSError:
        return False
    return head.startswith(_HEADER) and head.endswith(_GREY_16)


def label_images_among(root: Path, names: Iterable[str]) -> set[str]:
    """The files below a folder that an earlier screening wrote: `X_nuclei.png`, and `X.png` with it."""
    names = set(names)
    nuclei = {name for name in names if name.endswith(NUCLEI)}
    pairs = nuclei | {name.removesuffix(NUCLEI) + CELLS for name in nuclei} & names
    return {name for name in pairs if is_label_image(root / name)}
