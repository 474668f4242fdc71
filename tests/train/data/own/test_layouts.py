"""Every layout is recognised by looking, and gives pictures that other processes can open."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.train.data.own.trees import SIDE, coco, draw, folders, labels, read
from train.data.dataset import CYTOPLASM, NUCLEUS, DataError, Picture
from train.data.own.layouts import recognised


def _spots(picture: Picture) -> list[tuple[str, tuple[float, float] | None]]:
    """What is labelled when the picture is opened, after it went to another process; artefacts left away."""
    _, opened = pickle.loads(pickle.dumps(picture)).opened()
    return [(s.label, s.centre_px) for s in opened.spots if s.label != "artefact"]


def test_class_folders(tmp_path: Path) -> None:
    root = folders(tmp_path / "mine")
    assert recognised(root) == "folders"
    pictures = read(root)
    assert Counter(p.spots[0].label for p in pictures) == {"blast": 12, "lymphocyte": 12}
    assert {p.spots[0].group for p in pictures} == {f"p{i}" for i in range(6)}
    assert _spots(pictures[0]) == [("lymphocyte", None)]


def test_folders_of_parts_are_no_patients_and_are_kept(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        for name in ("blast", "monocyte"):
            draw(tmp_path / part / name / "1.png")
            draw(tmp_path / part / name / f"of-{part}" / "2.png")
    parts = {(p.spots[0].group, p.spots[0].split) for p in read(tmp_path)}
    assert ("of-train", "train") in parts
    assert ("of-valid", "validation") in parts
    assert ("test/blast/1.png", "test") in parts


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "path,class,patient,extra\n{rows}"),
        ("utf-8-sig", "Path;Class;Patient\r\n{rows}"),
        ("cp1252", "sep=;\nfile;LABEL;Patient\n{rows}"),
        ("utf-16", "path\tclass\tpatient\n{rows}"),
    ],
)
def test_a_table_as_spreadsheet_programs_save_it(tmp_path: Path, encoding: str, text: str) -> None:
    mark = ";" if ";" in text else "\t" if "\t" in text else ","
    rows = []
    for i in range(6):
        draw(tmp_path / "Bilder" / f"{i}.png")
        rows.append(mark.join((f"Bilder\\{i}.png", ("Blast", "Monocytes")[i % 2], f"Müller {i // 2}")))
    (tmp_path / "my cells.csv").write_bytes(text.format(rows="\n".join(rows)).encode(encoding))
    assert recognised(tmp_path) == "table"
    pictures = read(tmp_path)
    assert [p.spots[0].label for p in pictures] == ["blast", "monocyte"] * 3
    assert {p.spots[0].group for p in pictures} == {"Müller 0", "Müller 1", "Müller 2"}


def test_a_table_tells_scale_part_and_place(tmp_path: Path) -> None:
    for name in "abc":
        draw(tmp_path / f"{name}.png", ((30, 40), (90, 80)))
    (tmp_path / "cells.csv").write_text(
        "path;class;patient;um_per_px;split;x;y\n"
        "a.png;blast;1;0,2;train;30,5;40\na.png;neutrophil;1;0,2;train;90;80\n"
        "b.png;blast;2;0,1;val;30;40\nc.png;monocyte;3;0,1;test;90;80\n"
    )
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    pictures = {p.name: p for p in read(tmp_path, um_per_px=0.0)}
    assert _spots(pictures["a.png"]) == [("blast", (30.5, 40.0)), ("neutrophil", (90.0, 80.0))]
    assert [p.um_per_px for p in pictures.values()] == [0.2, 0.1, 0.1]
    assert [p.spots[0].split for p in pictures.values()] == ["train", "validation", "test"]


def test_coco(tmp_path: Path) -> None:
    cut = [0.0, 100.0, 20.0, 20.0]
    for patient in "xyz":
        draw(tmp_path / "images" / patient / "1.png", ((30, 40), (90, 80)))
    boxes: list[tuple[int, list[float]]] = [(1, [18, 28, 24, 24]), (2, [78, 68, 24, 24]), (3, cut), (1, cut)]
    coco(tmp_path / "annotations" / "instances.json", {f"{p}/1.png": boxes for p in "xyz"})
    assert recognised(tmp_path) == "coco"
    pictures = read(tmp_path)
    assert {p.spots[0].group for p in pictures} == {"x", "y", "z"}
    for picture in pictures:
        assert _spots(picture) == [("blast", (30.0, 40.0)), ("leukocyte", (90.0, 80.0))]  # one cut, one red


@pytest.mark.parametrize(
    "names",
    [
        "names: ['Blast', \"Mono\"]\nnc: 2\n",
        "path: .\nnames:\n  0: Blast\n  1: Mono  # ripe\nnc: 2\n",
        "names:\n- Blast\n- Mono\n",
        "nc: 2\nnames: {0: Blast, 1: Mono}\n",
    ],
)
def test_yolo_keeps_its_parts(tmp_path: Path, names: str) -> None:
    for part in ("train", "val", "test"):
        draw(tmp_path / "images" / part / f"{part}.png", ((30, 40), (90, 80)))
        label = tmp_path / "labels" / part / f"{part}.txt"
        label.parent.mkdir(parents=True)
        label.write_text("0 0.25 0.3333333 0.2 0.2\n1 0.75 0.6666667 0.2 0.2\n")
    (tmp_path / "data.yaml").write_text(names)
    assert recognised(tmp_path) == "yolo"
    pictures = read(tmp_path)
    assert [p.spots[0].split for p in pictures] == ["test", "train", "validation"]
    (one, at), (other, _) = _spots(pictures[0])
    assert (one, other) == ("blast", "monocyte")
    assert at == pytest.approx((30, 40), abs=0.01)


@pytest.mark.parametrize("beside", [True, False])
def test_voc(tmp_path: Path, beside: bool) -> None:
    for i in range(3):
        draw(tmp_path / "JPEGImages" / f"{i}.png", ((60, 60),))
        xml = tmp_path / ("JPEGImages" if beside else "Annotations") / f"{i}.xml"
        xml.parent.mkdir(exist_ok=True)
        xml.write_text(
            f"<annotation><size><width>{SIDE}</width><height>{SIDE}</height></size><object><name>Blast</name><bndbox>"
            "<xmin>48</xmin><ymin>48</ymin><xmax>72</xmax><ymax>72</ymax></bndbox></object></annotation>"
        )
    assert recognised(tmp_path) == "voc"
    assert [_spots(p) for p in read(tmp_path)] == [[("blast", (60.0, 60.0))]] * 3


def test_fields_give_artefacts_far_from_their_cells(tmp_path: Path) -> None:
    for patient in "xyz":
        draw(tmp_path / f"{patient}.png", ((60, 60),), 480)
    coco(tmp_path / "c.json", {f"{p}.png": [(1, [48, 48, 24, 24])] for p in "xyz"}, 480)
    _, opened = read(tmp_path)[0].opened()
    places = [s.centre_px for s in opened.spots if s.label == "artefact"]
    assert len(places) == 4
    assert all(p and np.hypot(p[0] - 60, p[1] - 60) > 56 for p in places)


def test_masks_of_cells_in_class_folders(tmp_path: Path) -> None:
    for name in ("blast", "mono"):
        for patient in "xyz":
            path = draw(tmp_path / name / patient / "1.png", ((60, 60), (20, 20)))
            labels(path.with_name("1_labels.png"), ((60, 60, 7), (20, 20, 3)))
            labels(path.with_name("1_nuclei.png"), ((60, 60, 7),), radius=6)
    assert recognised(tmp_path) == "masks"
    pictures = read(tmp_path)
    assert len(pictures) == 6
    assert _spots(pictures[0]) == [("blast", (60.5, 60.5))]
    mask = pickle.loads(pickle.dumps(pictures[0])).load_mask()
    assert (mask[60, 60], mask[60, 70], mask[20, 20]) == (NUCLEUS, CYTOPLASM, 0)


def test_masks_with_a_table_or_nothing_that_names_them(tmp_path: Path) -> None:
    for patient in "xyz":
        draw(tmp_path / patient / "a.jpg", ((30, 40), (90, 80), (115, 60)))
        labels(tmp_path / patient / "labels" / "a.png", ((30, 40, 1), (90, 80, 2), (115, 60, 3)))
    nameless = read(tmp_path)
    assert {p.spots[0].group for p in nameless} == {"x", "y", "z"}
    assert [label for label, _ in _spots(nameless[0])] == ["leukocyte", "leukocyte"]  # the third is cut
    (tmp_path / "labels.csv").write_text(
        "picture,cell,class\nx/a.jpg,1,blast\nx/a.jpg,2,mono\ny/a.jpg,2,mono\nz/a.jpg,x,mono\n"
    )
    told: list[str] = []
    named = read(tmp_path, told)
    assert [_spots(p) for p in named] == [
        [("blast", (30.5, 40.5)), ("monocyte", (90.5, 80.5))],
        [("monocyte", (90.5, 80.5))],
    ]
    assert any("line 5" in line for line in told)
    assert any("z/a.jpg" in line for line in told)


def test_label_images_as_a_screening_writes_them_beside_pictures(tmp_path: Path) -> None:
    for i in range(3):
        draw(tmp_path / f"{i}.jpg")
        labels(tmp_path / f"{i}.png", ((60, 60, 1),))
        labels(tmp_path / f"{i}_nuclei.png", ((60, 60, 1),), radius=5)
    assert [p.name for p in read(tmp_path)] == ["0.jpg", "1.jpg", "2.jpg"]


def test_the_layout_may_be_told(tmp_path: Path) -> None:
    root = folders(tmp_path / "mine")
    with pytest.raises(DataError, match="no such table"):
        read(root, layout="table")
    assert len(read(root, layout="folders")) == 24
