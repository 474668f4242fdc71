"""What a JPEG says of itself, so that it can be handed on as it is."""

from __future__ import annotations

from dataclasses import dataclass

from edge.types import LeukoscopeError

_BASELINE = 0xC0
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # ITU-T T.81, table B.1
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
_ADOBE = 0xEE


@dataclass(frozen=True)
class JpegHeader:
    """Size and colours of a JPEG.

    Attributes
    ----------
    width, height : pixels. components : 1 for grey, 3 for colour.
    rgb : the three are red, green and blue; otherwise luminance and chrominance.
    """

    width: int
    height: int
    components: int
    rgb: bool

    @property
    def photometric(self) -> str:
        """Photometric Interpretation. YBR_FULL_422 is the one term for luminance and chrominance in baseline
        JPEG, however the chrominance is subsampled in it (PS3.3 C.7.6.3.1.2, PS3.5 table 8.2.1-1).
        """
        if self.components == 1:
            return "MONOCHROME2"
        return "RGB" if self.rgb else "YBR_FULL_422"

    @classmethod
    def of(cls, content: bytes) -> JpegHeader:
        """From the segments before the picture (ITU-T T.81, B.1.1 and B.2.2).

        Raises
        ------
        LeukoscopeError : it is no baseline JPEG, the only kind of this transfer syntax.
        """
        transform, at = None, 2
        while at + 4 <= len(content) and content[at] == 0xFF:
            kind = content[at + 1]
            if kind == 0xFF or kind in _ALONE:  # padding, and segments without a length
                at += 1 if kind == 0xFF else 2
                continue
            length = int.from_bytes(content[at + 2 : at + 4], "big")
            segment = content[at + 4 : at + 2 + length]
            if kind == _ADOBE and segment.startswith(b"Adobe") and len(segment) >= 12:
                transform = segment[11]
            if kind in _FRAMES:
                return cls._of_frame(kind, segment, transform)
            at += 2 + length
        raise _strange("has no frame header")

    @classmethod
    def _of_frame(cls, kind: int, segment: bytes, transform: int | None) -> JpegHeader:
        if kind != _BASELINE or len(segment) < 6 or segment[0] != 8 or segment[5] not in (1, 3):
            raise _strange("is no baseline JPEG with 8 bits and 1 or 3 components")
        height, width = (int.from_bytes(segment[i : i + 2], "big") for i in (1, 3))
        names = bytes(segment[6::3][: segment[5]])
        # without Adobe's word the components' names tell, as in libjpeg
        rgb = transform == 0 if transform is not None else names == b"RGB"
        return cls(width, height, segment[5], segment[5] == 3 and rgb)


def _strange(why: str) -> LeukoscopeError:
    return LeukoscopeError(f"dicom: a kept picture {why}; `edge-slides verify` looks for damage")
