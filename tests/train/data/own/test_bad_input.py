"""Whatever is wrong with own pictures is named in a line, and nothing else is lost with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.train.data.own.trees import coco, draw, folders, labels, read
from train.data.dataset import DataError
from train.data.own import Own, OwnError


def _emptied(root: Path) -> None:
    (root / "monocyte").mkdir()


def _in_two_classes(root: Path) -> None:
    (root / "Lymphocytes" / "p9").mkdir()
    shutil.copy(root / "blast" / "p0" / "blast0.png", root / "Lymphocytes" / "p9" / "other.png")


def _in_capitals(root: Path) -> None:
    draw(root / "Blast" / "p1" / "x.png")


def _unknown(root: Path) -> None:
    draw(root / "Mystery" / "p1" / "x.png")


@pytest.mark.parametrize(
    ("change", "named", "left"),
    [
        (_emptied, "no pictures in folder 'monocyte'", 24),
        (_in_two_classes, "the same picture in two classes, left out: ", 23),
        (_in_capitals, "classes 'Blast', 'blast' differ in capital letters alone", 25),
        (
            _unknown,
            "1 pictures of folder 'Mystery' left out, no class known here; --class-of 'Mystery=CLASS'",
            24,
        ),
    ],
)
def test_odd_folders(tmp_path: Path, change: Callable[[Path], None], named: str, left: int) -> None:
    root = folders(tmp_path / "mine")
    change(root)
    told: list[str] = []
    assert len(read(root, told)) == left
    assert [line for line in told if named in line], told


def test_a_class_is_left_out_on_purpose_without_a_word(tmp_path: Path) -> None:
    root = folders(tmp_path / "mine")
    _unknown(root)
    told: list[str] = []
    assert len(read(root, told, classes={"Mystery": "-", "blast": "blast"})) == 24
    assert not [line for line in told if "Mystery" in line]


def _table(root: Path, *rows: str, heading: str = "path,class,patient,x,y") -> None:
    for i in range(3):
        draw(root / f"{i}.png")
    (root / "cells.csv").write_text(
        "\n".join((heading, "0.png,blast,a", "1.png,mono,b", "2.png,mono,c", *rows))
    )


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("9.png,blast,a", "line 5: no picture '9.png'"),
        ("../x.png,blast,a", "line 5: no picture '../x.png'"),
        ("0.png,,a", "line 5: no class"),
        ("0.png,blast,a,1", "line 5: one of x and y alone"),
        ("0.png,blast,a,left,1", "line 5: no number: 'left'"),
        ("0.png,Odd,a,1,1", "0.png has several classes and no x and y"),
        ("0.png,blast,b", "0.png has rows of different patients"),
    ],
)
def test_odd_rows_of_a_table(tmp_path: Path, row: str, named: str) -> None:
    _table(tmp_path, row)
    told: list[str] = []
    assert read(tmp_path, told)
    assert [line for line in told if named in line], told


def test_a_table_without_a_column_or_with_a_place_outside(tmp_path: Path) -> None:
    _table(tmp_path, heading="path,kind,patient")
    with pytest.raises(DataError, match=r"cells.csv: has no column 'class'; it has path, kind, patient"):
        read(tmp_path)
    (tmp_path / "cells.csv").write_text("path,class,patient,x,y\n0.png,blast,a,300,5\n1.png,mono,b,5,5\n")
    first, _ = read(tmp_path)
    with pytest.raises(DataError, match=r"0.png: a blast at 300, 5 lies outside of its 120×120 px"):
        first.opened()


def test_unknown_classes_of_a_table_are_counted(tmp_path: Path) -> None:
    _table(tmp_path, "9.png,x,y")
    text = (tmp_path / "cells.csv").read_text()
    (tmp_path / "cells.csv").write_text(text.replace("2.png,mono", "2.png,Grey"))
    told: list[str] = []
    assert len(read(tmp_path, told)) == 2
    assert [line for line in told if "1 pictures of class 'Grey' left out" in line], told


def test_yolo_without_names(tmp_path: Path) -> None:
    draw(tmp_path / "images" / "1.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "1.txt").write_text("0 .5 .5 .2 .2\n")
    with pytest.raises(
        DataError, match=r"1.txt has classes by number, and neither data.yaml nor classes.txt"
    ):
        read(tmp_path)
    (tmp_path / "classes.txt").write_text("Blast\n")
    (tmp_path / "labels" / "1.txt").write_text("0 .5 .5 .2 .2\n4 .5 .5 .2 .2\n0 1.5 .5 .2 .2\nnonsense\n")
    for name in "23":
        draw(tmp_path / "images" / f"{name}.png")
        (tmp_path / "labels" / f"{name}.txt").write_text("0 .5 .5 .2 .2\n")
    draw(tmp_path / "images" / "lonely.png")
    told: list[str] = []
    assert len(read(tmp_path, told)) == 3
    for named in (
        "1 boxes of classes without a name",
        "1 boxes outside",
        "'nonsense' is no box",
        "lonely.png",
    ):
        assert [line for line in told if named in line], named


def test_coco_with_what_is_not_there(tmp_path: Path) -> None:
    for name in "abc":
        draw(tmp_path / f"{name}.png")
    box = [48.0, 48.0, 24.0, 24.0]
    coco(tmp_path / "c.json", {
        "a.png": [(1, box), (1, [110, 110, 40, 40])], "b.png": [(1, box), (9, box)], "gone.png": [(1, box)],
    })  # fmt: skip
    told: list[str] = []
    assert [p.name for p in read(tmp_path, told)] == ["a.png", "b.png"]
    for named in ("1 of its images are not there", "gone.png", "1 boxes outside", "1 annotations", "c.png"):
        assert [line for line in told if named in line], named
    coco(tmp_path / "c.json", {"a.png": [(1, box)], "b.png": [(1, box)]}, 500)
    with pytest.raises(DataError, match=r"a.png: 120×120 px, but its boxes are of 500×500"):
        read(tmp_path)[0].opened()
    (tmp_path / "c.json").write_text('{"images": 1, "annotations": 2, "categories": 3}')
    with pytest.raises(DataError, match="is no COCO file"):
        read(tmp_path)


def test_a_damaged_xml_is_named(tmp_path: Path) -> None:
    for name in "abc":
        draw(tmp_path / f"{name}.png")
        box = "<xmin>48</xmin><ymin>48</ymin><xmax>72</xmax><ymax>72</ymax>"
        (tmp_path / f"{name}.xml").write_text(
            f"<a><object><name>blast</name><bndbox>{box}</bndbox></object></a>"
        )
    (tmp_path / "b.xml").write_text("<a><object>")
    told: list[str] = []
    assert len(read(tmp_path, told)) == 2
    assert [line for line in told if "b.xml: cannot be read as XML" in line]


def test_a_label_image_of_another_size_or_none(tmp_path: Path) -> None:
    for name in "abc":
        draw(tmp_path / f"{name}.png")
        labels(tmp_path / f"{name}_labels.png", ((30, 30, 1),), 60 if name == "a" else 120)
    draw(tmp_path / "d.png")
    told: list[str] = []
    pictures = read(tmp_path, told)
    with pytest.raises(DataError, match=r"a_labels.png: 60×60 px, its picture 120×120"):
        pictures[0].opened()
    assert [line for line in told if "1 pictures without a label image left out (d.png)" in line]


def test_an_empty_folder_and_one_of_strange_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="named after a class"):
        read(tmp_path)
    draw(tmp_path / "alpha" / "1.png")
    draw(tmp_path / "beta" / "2.png")
    with pytest.raises(DataError, match="--class-of NAME=CLASS"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("about", "named"),
    [
        ({"um_per_px": 20.0}, "um_per_px"), ({"group": "("}, "not a regular expression"),
        ({"path": "../x"}, "leads out"), ({"path": "/x"}, "leads out"),
    ],
)  # fmt: skip
def test_nonsense_in_the_section(about: dict[str, object], named: str) -> None:
    with pytest.raises(OwnError, match=named):
        Own(**about)  # type: ignore[arg-type]
