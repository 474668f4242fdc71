"""What pages say, whatever they are written as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import zxingcpp

from edge.records.people import Note, Signature
from edge.report.pages.blocks import Block, Facts, Figure, Gallery, Key, Table, Text
from edge.report.pages.code import modules, qr_code
from edge.report.pages.content import content
from edge.report.pages.differential import differential
from edge.report.pages.drawing import Box, Picture, Tiles, plain
from edge.report.pages.essentials import standing
from edge.report.pages.gallery import cells
from edge.report.pages.places import places
from edge.report.pages.words import between, moment, percent
from edge.report.report import Report, Share
from edge.report.scanmap import ScanMap

AT, LATER = "2026-11-30T09:00:00+00:00", "2026-11-30T10:00:00+00:00"


def _words(blocks: tuple[Block, ...]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Text():
                yield block.text
            case Facts():
                yield from (part for row in block.rows for part in row)
            case Table():
                yield from (part for row in block.rows for part in row if isinstance(part, str))
            case Gallery():
                yield from (line for item in block.items for line in item.lines)
            case Key():
                yield from (text for _, text in block.items)


def _all(report: Report) -> str:
    pages = content(report)
    return "\n".join(_words((*pages.essentials, *(b for one in pages.sections for b in one.blocks))))


def test_it_says_whether_it_is_signed(report: Report) -> None:
    back = Note("CD", LATER, "why")
    first, again = Signature("AB", AT, "refer"), Signature("AB", LATER, "refer")
    plain_report = replace(report, notes=())
    assert standing(replace(plain_report, signatures=())) == "PRELIMINARY: not signed"
    taken = replace(plain_report, signatures=(replace(first, reopened=back),))
    assert standing(taken).startswith(
        "PRELIMINARY: not signed. CD took the last signature back 2026-11-30 10:00"
    )
    final = replace(plain_report, signatures=(first,), status="final")
    assert standing(final) == "FINAL: signed by AB, 2026-11-30 09:00 UTC"
    appended = replace(final, status="appended", notes=(Note("EF", LATER, "late"),))
    assert "A note was added since: 2026-11-30 10:00 UTC" in standing(appended)
    twice = replace(final, status="corrected", signatures=(replace(first, reopened=back), again))
    assert standing(twice).startswith("CORRECTED: signed again by AB, 2026-11-30 10:00 UTC")
    assert content(twice).standing == "CORRECTED: signed by AB"
    assert content(final).standing == "FINAL: signed by AB"


def test_a_slide_that_is_not_whole_is_said_to_be_so(report: Report) -> None:
    assert "CUT OFF" not in _all(report)
    assert "CUT OFF" in _all(replace(report, finished_at=None, state="signed"))
    under_way = _all(replace(report, finished_at=None, state="under way", finding=None))
    assert "STILL BEING SCREENED" in under_way
    assert "NO FINDING YET" in under_way
    assert "CUT OFF" not in under_way


def test_it_tells_both_intervals_and_the_errors_reckoned_with(report: Report) -> None:
    words, finding = _all(report), report.finding
    assert finding
    assert finding.interval
    assert finding.corrected_interval
    assert report.interval_at_end
    assert f"95% interval {between(finding.interval)}, for chance in counting alone" in words
    assert between(report.interval_at_end) in words
    assert between(finding.corrected_interval) in words
    assert "finds 85.0% (80.0 to 90.0% from slide to slide)" in words
    assert "in laboratories that it did not learn from" in words


def test_classes_wholly_outside_of_what_is_usual_are_marked_in_words(report: Report) -> None:
    shares = (
        Share("blast", 5, 0.05, (0.02, 0.1), 0, (0.0, 0.0)),
        Share("neutrophil", 10, 0.1, (0.06, 0.17), 0, (0.4, 0.8)),
        Share("lymphocyte", 30, 0.3, (0.2, 0.4), 2, (0.2, 0.4)),
        Share("stranger", 0, 0.0, (0.0, 0.03), 0, None),
    )
    (table,) = (
        block
        for block in differential(replace(report, differential=shares)).blocks
        if isinstance(block, Table)
    )
    assert [row[4:6] for row in table.rows[:4]] == [
        ("none", "▲ above"), ("40 to 80%", "▼ below"), ("20 to 40%", ""), ("not known", ""),
    ]  # fmt: skip
    assert table.heavy == {0, 1}
    assert table.rows[2][-1] == "2"


def test_no_ranges_are_shown_of_children_or_marrow(report: Report) -> None:
    child = replace(report, age=9)
    assert "they hold from 18 years on" in _all(child)
    marrow = replace(report, rules=replace(report.rules, specimen="marrow"))
    assert "Of marrow no reference ranges" in _all(marrow)


def test_the_gallery_says_who_said_what_blasts_first(report: Report) -> None:
    (gallery,) = (block for block in cells(report).blocks if isinstance(block, Gallery))
    lines = [item.lines for item in gallery.items]
    assert lines[0][:2] == ("cell 1: blast", "by AB, CD")
    assert ("cell 5: people differ", "AB: blast, CD: lymphocyte", "machine: lymphocyte") in [
        of_cell[:3] for of_cell in lines
    ]
    blasts = [": blast" in of_cell[0] for of_cell in lines]
    assert blasts == sorted(blasts, reverse=True)
    assert "And 7 more, which are not shown." in _all(replace(report, left_out=7))


def test_the_scale_bar_is_ten_micrometres_of_the_picture(report: Report) -> None:
    def shown(of: Report) -> Gallery:
        return next(block for block in cells(of).blocks if isinstance(block, Gallery))

    for crop_um in (24.0, 40.0):
        drawing = shown(replace(report, crop_um=crop_um)).items[0].drawing
        picture, _, bar, _ = drawing.shapes
        assert isinstance(picture, Picture)
        assert isinstance(bar, Box)
        assert bar.width / picture.width == pytest.approx(10 / crop_um)
    assert len(shown(replace(report, crop_um=None)).items[0].drawing.shapes) == 2


def test_the_map_shows_fields_and_cells_to_scale(report: Report) -> None:
    section = places(report)
    (figure,) = (block for block in section.blocks if isinstance(block, Figure))
    boxes = [shape for shape in figure.drawing.shapes if isinstance(shape, Box) and shape.line]
    assert len(boxes) == 2
    first, second = boxes
    assert (second.x - first.x) / first.width == pytest.approx(0.5)  # 30 of 60 µm
    key = next(block for block in section.blocks if isinstance(block, Key))
    assert [text for _, text in key.items] == ["blast (4)", "lymphocyte (15)", "artefact (1)"]


@pytest.mark.parametrize(
    ("fields", "rejected", "words"),
    [(0, 0, "no field was read"), (3, 3, "every field was turned down"), (3, 1, "older version")],
)
def test_a_report_without_a_map_says_why(report: Report, fields: int, rejected: int, words: str) -> None:
    quality = replace(report.quality, fields=fields, rejected=rejected)
    assert words in next(_words(places(replace(report, map=None, quality=quality)).blocks))


def test_parts_of_a_map_are_said_to_be_loose(report: Report) -> None:
    rows = [
        {"frame": i, "width": 600, "height": 600, "um_per_px": 0.1, "overlaps": [], "kept": True}
        for i in range(2)
    ]
    words = next(_words(places(replace(report, map=ScanMap.of(rows))).blocks))
    assert "in 2 parts, of which it is not known how they lie to each other" in words


def test_it_tells_quality_readers_signatures_and_notes(report: Report) -> None:
    words = _all(report)
    for part in (
        "1: out of focus 1", "0.1000 µm, measured by red cells", "90.0% of the slide's best field",
        "shipped, or signed by a trusted key", "blast 2", "by CD,", "cell 5 <again>",
    ):  # fmt: skip
        assert part in words
    signed = Signature("AB", AT, "refer", ("AB", "CD"), 0.5, 2)
    assert "Of 2 cells that both named Cohen's kappa is 0.50" in _all(replace(report, signatures=(signed,)))


def test_another_bundle_and_whole_fields(report: Report) -> None:
    """Five classes none of which is positive, and pictures that are fields."""
    names = ("neutrophil", "lymphocyte", "monocyte", "eosinophil", "basophil")
    rules = replace(report.rules, classes=names, leukocytes=names, positive=(), sign="", rates=None)
    words = _all(replace(report, rules=rules, interval_at_end=None))
    assert "Counted" not in words
    fields = replace(report, rules=replace(report.rules, unit="field"), crop_um=None)
    assert "field 1: blast" in _all(fields)


def test_a_slide_without_anything(report: Report) -> None:
    quality = replace(
        report.quality, fields=0, rejected=0, repeated=0, problems={}, um_per_px=None, focus=None
    )
    empty = replace(
        report, finding=None, interval_at_end=None, tally=None, cells=(), gallery=(), left_out=0, map=None,
        quality=quality, readers=(), finished=(), signatures=(), notes=(), patient=None, age=None, sex=None,
        beside=(), crop_um=None, finished_at=None, state="cut off",
    )  # fmt: skip
    words = _all(empty)
    assert "No leukocyte was counted." in words
    assert "No cell is suspicious, and people named none." in words
    assert "No person has named a cell" in words


def test_the_code_reads_as_the_checksum(report: Report) -> None:
    (tiles,) = qr_code(report.checksum).shapes
    assert isinstance(tiles, Tiles)
    side = modules(report.checksum).shape[0] + 8
    drawn = np.full((side, side), 255, np.uint8)
    for x, y, width, height in tiles.boxes:
        drawn[y : y + height, x : x + width] = 0
    found = zxingcpp.read_barcodes(np.kron(drawn, np.ones((4, 4), np.uint8)))
    assert [code.text for code in found] == [report.checksum]
    assert "edge-slides verify 's 1' --checksum " + report.checksum in _all(report)


def test_numbers_and_times() -> None:
    assert [percent(share) for share in (0, 0.0001, 0.3619, 1)] == ["0%", "<0.1%", "36.2%", "100%"]
    assert between((0, 0.0095)) == "0 to 0.9%"
    assert moment("2026-11-30T23:30:00+05:30") == "2026-11-30 18:00 UTC"
    assert moment("boot 3") == "boot 3"
    assert [plain(number) for number in (0, -0.001, 0.5, -0.5, 100, 1 / 3)] == [
        "0", "0", "0.5", "-0.5", "100", "0.33",
    ]  # fmt: skip


def test_a_model_of_a_part_of_the_leukocytes_is_held_against_no_range(report: Report) -> None:
    assert all(share.reference is None for share in report.differential)
    assert "the model does not name all kinds of leukocytes" in _all(report)
