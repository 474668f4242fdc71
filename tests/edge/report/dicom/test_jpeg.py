"""What a JPEG says of itself."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from edge.report.dicom.jpeg import JpegHeader
from edge.report.dicom.srgb import srgb
from edge.types import LeukoscopeError

PIXELS = np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)


def encoded(mode: str = "RGB", **settings: object) -> bytes:
    content = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(content, "JPEG", **settings)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "photometric", "components"),
    [
        (encoded(subsampling=0), "YBR_FULL_422", 3),
        (encoded(subsampling=2, comment=b"\xff\xc0" * 9), "YBR_FULL_422", 3),
        (encoded(keep_rgb=True), "RGB", 3),
        (encoded("L"), "MONOCHROME2", 1),
        (cv2.imencode(".jpg", PIXELS)[1].tobytes(), "YBR_FULL_422", 3),
    ],
)
def test_size_and_colours(content: bytes, photometric: str, components: int) -> None:
    header = JpegHeader.of(content)
    assert (header.width, header.height, header.components) == (60, 40, components)
    assert header.photometric == photometric


@pytest.mark.parametrize(
    "content",
    [
        encoded(progressive=True), encoded("CMYK"), encoded()[:20], b"", b"\xff\xd8", b"\xff\xd8\xff",
        cv2.imencode(".png", PIXELS)[1].tobytes(), b"\xff\xd8\xff\xc0\0\x04\x08\0",
    ],
)  # fmt: skip
def test_what_cannot_be_handed_on_is_refused(content: bytes) -> None:
    with pytest.raises(LeukoscopeError, match=r"^dicom: a kept picture .*; `edge-slides verify`"):
        JpegHeader.of(content)


def test_the_profile_is_that_of_screens() -> None:
    ours = ImageCms.ImageCmsProfile(io.BytesIO(srgb()))
    assert ours.profile.device_class == "scnr"
    assert ours.profile.xcolor_space.strip() == "RGB"
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    shown = ImageCms.profileToProfile(Image.fromarray(PIXELS), ours, ImageCms.createProfile("sRGB"), intent)
    assert np.abs(np.asarray(shown).astype(int) - PIXELS).max() <= 1
