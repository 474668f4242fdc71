"""Fields come with all their boxes, on the specimen grid, and readers of cells are told nothing new."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.train.published.detection.conftest import make
from train.data.registry import dataset
from train.published.detection.boxes import scenes
from train.published.detection.settings import CLASSES, DetectionError

PITCH_UM = 0.4


def test_every_box_lies_on_what_it_is_of(bccd: Path) -> None:
    for scene in scenes("bccd", bccd, "train", CLASSES, PITCH_UM, pytest.fail):
        assert np.bincount(scene.labels).tolist() == [1, 5, 3]
        height, width = scene.view.pixels.shape[:2]
        assert (width, height) == (133, 100)
        for (x0, y0, x1, y1), label in zip(scene.boxes.tolist(), scene.labels.tolist(), strict=True):
            assert x1 - x0 == pytest.approx(2 * (70, 45, 14)[label] * 0.083 / PITCH_UM, rel=0.01)
            colour = scene.view.pixels[int((y0 + y1) / 2), int((x0 + x1) / 2)].astype(int)
            assert colour[0] < 225
            assert scene.view.pixels[int((y0 + y1) / 2), min(int(x1 + 2), width - 1)].min() > 200


def test_parts_and_limits_are_kept(bccd: Path) -> None:
    names = {
        part: [s.name for s in scenes("bccd", bccd, part, CLASSES, PITCH_UM, pytest.fail)]
        for part in ("train", "validation", "test")
    }
    assert [len(listed) for listed in names.values()] == [3, 2, 2]
    assert len(set().union(*names.values())) == 7
    assert [s.name for s in scenes("bccd", bccd, "train", CLASSES, PITCH_UM, pytest.fail, limit=2)] == [
        names["train"][0],
        names["train"][2],
    ]


def test_classes_that_are_not_asked_for_are_left_out(bccd: Path) -> None:
    (scene, *_) = scenes("bccd", bccd, "test", ("platelet", "leukocyte"), PITCH_UM, pytest.fail)
    assert sorted(scene.labels.tolist()) == [0, 0, 0, 1]


def test_readers_of_cells_do_not_meet_red_cells(bccd: Path) -> None:
    source = dataset("bccd")
    for picture in source.read(source.root(bccd), pytest.fail):
        assert (
            sorted(s.label for s in picture.spots if s.label != "artefact") == ["no-blast"] + ["platelet"] * 3
        )


def test_odd_files_are_told(tmp_path: Path) -> None:
    data = make(tmp_path, {"train": (1, 2)})
    folder = data / "bccd" / "BCCD"
    (folder / "JPEGImages" / "BloodImage_00001.png").write_bytes(b"no picture")
    label = folder / "Annotations" / "BloodImage_00002.xml"
    corners = "<xmin>9</xmin><ymin>9</ymin><xmax>9</xmax><ymax>20</ymax>"
    empty = f"<object><name>RBC</name><bndbox>{corners}</bndbox></object>"
    label.write_text(label.read_text().replace("</annotation>", empty + "<object/></annotation>"))
    told: list[str] = []
    (scene,) = scenes("bccd", data, "train", CLASSES, PITCH_UM, told.append)
    assert len(scene.boxes) == 9
    assert "BloodImage_00001.png: cannot be read as a picture" in "\n".join(told)


def test_yolo_boxes_are_fractions_of_the_picture(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for kind in ("images", "labels"):
            (tmp_path / "txl_pbc" / kind / part).mkdir(parents=True)
    picture = np.full((575, 575, 3), 230, np.uint8)
    cv2.imwrite(str(tmp_path / "txl_pbc" / "images" / "train" / "a.png"), picture)
    (tmp_path / "txl_pbc" / "labels" / "train" / "a.txt").write_text(
        "0 0.5 0.5 0.2 0.4\n1 0.1 0.1 0.2 0.2\n2 0.9 0.9 0.02 0.02\n"
    )
    (scene,) = scenes("txl-pbc", tmp_path, "train", CLASSES, PITCH_UM, pytest.fail)
    side = scene.view.pixels.shape[0]
    assert scene.labels.tolist() == [0, 1, 2]
    assert scene.boxes[0] / side == pytest.approx([0.4, 0.3, 0.6, 0.7], abs=1e-5)


def test_fields_that_are_not_labelled_whole_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DetectionError, match=r"data set chula: .* choose of bccd, txl-pbc"):
        scenes("chula", tmp_path, "train", CLASSES, PITCH_UM, pytest.fail)
