"""What the structured report says, section by section (PS3.16 TID 2002)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from highdicom.sr import (
    CodeContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
    NormalRangeProperties,
    NumContentItem,
    ScoordContentItem,
    TextContentItem,
)
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from edge.report.codes import among_leukocytes
from edge.report.dicom.identity import SCHEME, Identity, plain
from edge.report.dicom.image import SOP_CLASS, Picture
from edge.report.references import SOURCE
from edge.report.report import RESEARCH_USE, Report, Reported, Share

_PERCENT = Code("%", "UCUM", "percent")
_CELLS = Code("{cells}", "UCUM", "cells")
_LEUKOCYTES = Code("leukocytes", SCHEME, "Leukocytes counted")
_COUNT = Code("count", SCHEME, "Counted")
_CONFIRMED = Code("confirmed", SCHEME, "Confirmed by people")
_CORRECTED = Code("corrected", SCHEME, "Blast fraction corrected for the model's errors")
_KINDS = {
    "refer": "Refer",
    "read-film": "Have an expert read the film today",
    "no-blasts-seen": "No blasts seen",
    "keep-scanning": "Keep scanning",
    "not-readable": "Not readable",
}
_ENDS = (("low", "Lower end"), ("high", "Upper end"))
_PROPERTIES = "HAS PROPERTIES"


def findings(report: Report) -> list[ContentItem]:
    """Why, and the differential."""
    finding, tally = report.finding, report.tally
    if finding is None:
        return [_text(codes.DCM.Finding, f"No finding yet: the slide is {report.state}.")]
    items = [_text(codes.DCM.Finding, finding.reason)] if finding.reason else []
    if tally is not None:
        items.append(_number(_LEUKOCYTES, tally.leukocytes, _CELLS))
    items += [_share(report, share) for share in report.differential if share.share is not None]
    if finding.corrected is not None:
        item = _number(_CORRECTED, _percent(finding.corrected), _PERCENT)
        sequential = _interval(finding.corrected_interval, "corrected", "95% interval valid at every look")
        at_end = _interval(report.interval_at_end, "at-end", "95% interval valid at one look, at the end")
        _add(item, [*sequential, *at_end])
        items.append(item)
    items += [
        _number(_class(share.name, "counted beside them"), share.count, _CELLS) for share in report.beside
    ]
    return items


def conclusions(report: Report) -> list[ContentItem]:
    """The finding, and what it is not."""
    items: list[ContentItem] = []
    if (finding := report.finding) is not None:
        items.append(_text(codes.DCM.Impression, finding.headline))
        kind = Code(finding.kind, SCHEME, _KINDS[finding.kind])
        items.append(CodeContentItem(codes.DCM.Impression, kind, "CONTAINS"))
    items.append(_text(codes.DCM.Comment, RESEARCH_USE))
    if not report.made_with["trusted"]:
        items.append(_text(codes.DCM.Comment, "The model is neither shipped nor signed by a trusted key."))
    items += [
        _text(codes.DCM.Comment, f"Caveat of the model: {told}") for told in report.made_with["caveats"]
    ]
    if report.made_with["site"]:
        items.append(_text(codes.DCM.Comment, f"This site's: {report.made_with['site']}"))
    return items


def recommendations(report: Report) -> list[ContentItem]:
    """What to do."""
    if report.finding is None or not report.finding.advice:
        return []
    return [_text(codes.DCM.Recommendation, report.finding.advice)]


def notes(report: Report) -> list[ContentItem]:
    """What people wrote down."""
    return [_text(codes.DCM.Comment, f"{note.by}, {note.at}: {note.text}") for note in report.notes]


def cells(report: Report, identity: Identity, shown: Sequence[Picture]) -> list[ContentItem]:
    """The cells of the gallery with the pictures that show them."""
    pictures = {(picture.kind, picture.number): picture for picture in shown}
    items: list[ContentItem] = []
    for cell in report.gallery:
        item = _text(codes.DCM.Finding, _told(cell))
        if (picture := pictures.get(("cell", cell.seen.id))) is not None:
            _add(item, [_image(identity, picture, "INFERRED FROM")])
        elif (picture := pictures.get(("field", cell.seen.frame))) is not None:
            _add(item, [_outlined(identity, picture, cell)])
        items.append(item)
    return items


def _told(cell: Reported) -> str:
    """A cell in words."""
    seen = cell.seen
    parts = [f"Cell {seen.id}: {seen.named} by the machine, suspicion {seen.suspicion:.0%}"]
    parts += [f"{word.named} by {word.by}" for word in cell.words]
    return "; ".join(parts)


def _share(report: Report, share: Share) -> ContentItem:
    assert share.share is not None
    term = among_leukocytes(share.name, report.rules)
    name = Code(term[0], "LN", term[1]) if term else _class(share.name, f"of {report.rules.unit}s")
    item = _number(name, _percent(share.share), _PERCENT)
    properties: list[Any] = [
        _number(_COUNT, share.count, _CELLS, _PROPERTIES),
        *_interval(share.interval, "wilson", "95% Wilson interval"),
    ]
    if share.confirmed:
        properties.append(_number(_CONFIRMED, share.confirmed, _CELLS, _PROPERTIES))
    if share.reference is not None:
        ends = (codes.SCT.NormalRangeLowerLimit, codes.SCT.NormalRangeUpperLimit)
        limits = [
            _number(end, _percent(value), _PERCENT, _PROPERTIES)
            for end, value in zip(ends, share.reference, strict=True)
        ]
        properties += NormalRangeProperties(limits, authority=SOURCE)
    _add(item, properties)
    return item


def _interval(ends: tuple[float, float] | None, code: str, meaning: str) -> list[ContentItem]:
    """An interval's ends as properties of the number it is of."""
    if ends is None:
        return []
    return [
        _number(
            Code(f"{code}-{end}", SCHEME, f"{words} of {meaning}"), _percent(value), _PERCENT, _PROPERTIES
        )
        for (end, words), value in zip(_ENDS, ends, strict=True)
    ]


def _class(name: str, of_what: str) -> Code:
    return Code(plain(name), SCHEME, plain(f"{name}, {of_what}"))


def _image(identity: Identity, picture: Picture, relation: str) -> ContentItem:
    uid = identity.picture(picture.kind, picture.number)
    return ImageContentItem(codes.DCM.BestIllustrationOfFinding, SOP_CLASS, uid, relationship_type=relation)


def _outlined(identity: Identity, picture: Picture, cell: Reported) -> ContentItem:
    """Where a cell lies in the image of its field: its box, corner by corner and back."""
    x0, y0, x1, y1 = cell.seen.box_px
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)], np.float32) * picture.scale
    size = picture.header.width, picture.header.height
    region = ScoordContentItem(
        codes.DCM.ImageRegion, "POLYLINE", corners.clip(0, size), relationship_type="INFERRED FROM"
    )
    _add(region, [_image(identity, picture, "SELECTED FROM")])
    return region


def _text(name: Code, text: str) -> ContentItem:
    return TextContentItem(name, text, "CONTAINS")


def _number(name: Code, value: float, unit: Code, relation: str = "CONTAINS") -> NumContentItem:
    item = NumContentItem(name, value, unit, relationship_type=relation)
    item.MeasuredValueSequence[0].NumericValue = f"{value:.10g}"  # 6, not 6.0, of cells
    return item


def _percent(share: float) -> float:
    """As people read it: to a hundredth of a percent, which is more than any count can tell."""
    return round(100 * share, 2)


def _add(item: ContentItem, children: Sequence[Any]) -> None:
    if children:
        item.ContentSequence = ContentSequence(children)
