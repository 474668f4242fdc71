"""Reference cells: a few cells of each class that a bundle may bring, to hold a cell in question against.

The manifest's table `references` names them and says whose they are; one picture, a member of the bundle,
holds their crops in a row. It is a WebP: as PNG it would be larger than the quantized graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from edge.files.pictures import decode
from edge.files.strictjson import Table, shown
from edge.types import U8

MEMBER = "references.webp"
"""What export calls the picture."""

_FRAME = b"\x9d\x01\x2a"  # before width and height, of 14 bits each (RFC 6386, section 9.1)


@dataclass(frozen=True)
class Label:
    """What a bundle says of a reference cell.

    Attributes
    ----------
    name : of the cell where it comes from. named : its class.
    source : the short name of where it comes from, 'pbc', or 'drawn'. credit : whose it is, in words.
    licence : under which it is passed on.
    """

    name: str
    named: str
    source: str
    credit: str
    licence: str


@dataclass(frozen=True, eq=False)
class Reference(Label):
    """A reference cell: its label, and `crop`, (S, S, 3) uint8 RGB, as the model is shown cells."""

    crop: U8


@dataclass(frozen=True)
class References:
    """The reference cells of a bundle: the member that shows them, and the label of each."""

    picture: str
    labels: tuple[Label, ...]

    @classmethod
    def of(cls, table: Table, classes: Sequence[str], files: Mapping[str, str]) -> References:
        """What the manifest's table says; ValueError names the field that is wrong."""
        picture = table.text("picture")
        if picture not in files:
            raise ValueError(f"references.picture is {shown(picture)}, which files does not list")
        sources, labels = table.table("sources"), []
        for cell in table.tables("cells"):
            if (named := cell.text("class")) not in classes:
                raise ValueError(f"references.cells: class {shown(named)} is not one of the manifest's")
            source = cell.text("source")
            about = sources.table(source)
            credit, licence = about.text("credit", longest=400), about.text("licence")
            labels.append(Label(cell.text("name"), named, source, credit, licence))
        return cls(picture, tuple(labels))

    def read(self, members: Mapping[str, bytes], size_px: int) -> tuple[Reference, ...]:
        """The cells themselves; ValueError where the picture is not of so many crops of this size."""
        content, count = members[self.picture], len(self.labels)
        if _size(content) != (size_px * count, size_px):  # before a small file fills the memory
            raise ValueError(f"{self.picture} is not a WebP of {count} crops of {size_px} px in a row")
        try:
            row = decode(content)
        except ValueError as error:
            raise ValueError(f"{self.picture}: {error}") from None
        crops = row.reshape(size_px, count, size_px, 3).swapaxes(0, 1)
        return tuple(
            Reference(**asdict(label), crop=crop) for label, crop in zip(self.labels, crops, strict=True)
        )


def _size(content: bytes) -> tuple[int, int]:
    """Width and height of a lossy WebP; (0, 0) of any other file."""
    if content[8:16] != b"WEBPVP8 " or content[23:26] != _FRAME or len(content) < 30:
        return 0, 0
    width, height = (int.from_bytes(content[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    return width, height
