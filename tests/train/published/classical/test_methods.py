"""The two methods: what they answer, that it repeats, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.types import U8
from tests.train.published.classical.conftest import PITCH_UM, SIZE_PX, drawn
from train.data.augment import Augmentation
from train.network.model import Architecture
from train.published.classical import METHODS, Classical, ClassicalError, Settings, Texts, method
from train.published.classical.modelfile import load, save

Blood = Callable[..., tuple[U8, Texts, Texts]]

FIVE = ("lymphocyte", "neutrophil", "basophil", "monocyte", "eosinophil")
TWO = ("monocyte", "neutrophil")


def settings(name: str) -> Settings:
    return Settings(
        classes=FIVE if name == "wbc5-hybrid" else TWO,
        pitch_um=PITCH_UM,
        architecture=Architecture(stem=4, widths=(4, 6, 8), blocks=(1, 1, 1)),
        augmentation=Augmentation(zoom=(0.95, 1.05)),
        epochs=4,
        batch=8,
    )


def fitted(name: str, blood: Blood, seed: int = 3) -> Classical:
    given = settings(name)
    return method(name).fit(*blood(*given.classes), given, seed=seed)


@pytest.fixture(scope="module", params=list(METHODS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(name: str, blood: Blood) -> Classical:
    return fitted(name, blood)


def test_probabilities_are_in_the_order_of_the_classes(model: Classical, blood: Blood) -> None:
    crops, labels, _ = blood(*model.classes, each=3, start=50)
    found = model.probabilities(crops)
    assert found.dtype == np.float32
    assert found.shape == (len(crops), len(model.classes))
    assert found.sum(axis=1) == pytest.approx(np.ones(len(crops)), abs=1e-5)
    named = np.array(model.classes)[found.argmax(axis=1)]
    assert (named == labels).mean() > 0.7  # by chance a fifth or a half


def test_no_crops_give_no_answers(model: Classical) -> None:
    empty = model.probabilities(np.zeros((0, SIZE_PX, SIZE_PX, 3), np.uint8))
    assert empty.shape == (0, len(model.classes))
    assert empty.dtype == np.float32


def test_an_answer_does_not_depend_on_the_others(model: Classical, blood: Blood) -> None:
    crops, _, _ = blood(*model.classes, each=2, start=70)
    alone = np.concatenate([model.probabilities(crop[None]) for crop in crops])
    assert alone == pytest.approx(model.probabilities(crops), abs=1e-5)


def test_the_same_cells_and_seed_give_the_same_model(model: Classical, name: str, blood: Blood) -> None:
    again = fitted(name, blood)
    assert model.parameters == again.parameters > 0
    for key, array in model.arrays().items():
        assert np.array_equal(array, again.arrays()[key]), key


def test_what_is_saved_answers_the_same(model: Classical, blood: Blood, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    save(model, path)
    found = load(path)
    crops, _, _ = blood(*model.classes, each=2, start=90)
    assert found.settings == model.settings
    assert found.parameters == model.parameters
    assert np.array_equal(found.probabilities(crops), model.probabilities(crops))


@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_a_damaged_file_gives_one_line(model: Classical, tmp_path: Path, share: float) -> None:
    path = tmp_path / "model.npz"
    save(model, path)
    whole = path.read_bytes()
    for broken in (whole[: int(len(whole) * share)], _flipped(whole, int(len(whole) * share))):
        path.write_bytes(broken)
        with pytest.raises(
            ClassicalError, match=r"^model .*model\.npz: cannot be read \(.*\); fit it again$"
        ):
            load(path)


def _flipped(content: bytes, at: int) -> bytes:
    """With 64 bytes inverted, so that the damage reaches more than a gap between arrays."""
    return content[:at] + bytes(255 - byte for byte in content[at : at + 64]) + content[at + 64 :]


def test_a_file_that_would_execute_something_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    np.savez(path, about=np.array([object()], dtype=object))
    with pytest.raises(ClassicalError, match="cannot be read"):
        load(path)


@pytest.mark.parametrize("content", [b"", b"something else", b"PK\x03\x04"])
def test_another_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    path.write_bytes(content)
    with pytest.raises(ClassicalError, match="cannot be read"):
        load(path)


def test_arrays_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    np.savez(path, crops=np.zeros(3))
    with pytest.raises(ClassicalError, match="cannot be read"):
        load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClassicalError, match="no such file"):
        load(tmp_path / "nothing.npz")


def test_an_unknown_method_names_those_there_are() -> None:
    with pytest.raises(ClassicalError, match=r"'nonsense': unknown; choose one of fcm-svm, wbc5-hybrid"):
        method("nonsense")


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.published.classical.METHODS", {"fcm-svm": "not_installed_here.at_all:Nothing"})
    with pytest.raises(ClassicalError, match=r"needs not_installed_here, .* 'leukoscope\[published\]'"):
        method("fcm-svm")


def test_crops_of_another_size_are_refused(model: Classical) -> None:
    with pytest.raises(ClassicalError, match=r"crops: 64×64×3 uint8, but .* 96×96×3"):
        model.probabilities(np.zeros((1, 64, 64, 3), np.uint8))
    with pytest.raises(ClassicalError, match="float64"):
        model.probabilities(np.zeros((1, SIZE_PX, SIZE_PX, 3)))


def refused(name: str, match: str, crops: U8, labels: Texts, groups: Texts, given: Settings) -> None:
    with pytest.raises(ClassicalError, match=match):
        method(name).fit(crops, labels, groups, given, seed=1)


def test_a_class_without_a_cell_is_named(name: str, blood: Blood) -> None:
    given = settings(name)
    cells = blood(*given.classes[1:], each=2)
    refused(name, f"class {given.classes[0]}: no training cell", *cells, given)


def test_a_label_that_is_no_class_is_named(name: str, blood: Blood) -> None:
    given = settings(name)
    crops, labels, groups = blood(*given.classes, each=2)
    labels = labels.astype("U20")
    labels[0] = "leukocyte"
    refused(name, "label 'leukocyte': not one of", crops, labels, groups, given)


def test_a_class_of_one_group_only_is_named(name: str, blood: Blood) -> None:
    given = settings(name)
    crops, labels, groups = blood(*given.classes, each=2)
    groups[labels == given.classes[0]] = "slide 0"
    refused(
        name,
        f"class {given.classes[0]}: all its training cells are of 'slide 0'",
        crops,
        labels,
        groups,
        given,
    )


@pytest.mark.parametrize(
    ("classes", "match"),
    [(FIVE[1:], "lymphocyte missing"), ((*FIVE, "blast"), "blast given")],
)
def test_the_hybrid_names_the_five_types(classes: tuple[str, ...], match: str, blood: Blood) -> None:
    given = Settings(classes, PITCH_UM)
    refused("wbc5-hybrid", match, *blood(*FIVE, each=2), given)


def test_fcm_svm_names_any_number_of_classes(blood: Blood) -> None:
    classes = ("monocyte", "lymphocyte", "eosinophil")
    crops, labels, groups = blood(*classes)
    found = method("fcm-svm").fit(crops, labels, groups, Settings(classes, PITCH_UM), seed=1)
    answers = found.probabilities(crops)
    assert answers.sum(axis=1) == pytest.approx(np.ones(len(crops)), abs=1e-5)
    assert (np.array(classes)[answers.argmax(axis=1)] == labels).mean() > 0.9


def test_unlike_cells_are_less_sure(blood: Blood) -> None:
    found = fitted("fcm-svm", blood)
    between = drawn(lobes=2, cell_um=7, cytoplasm=(180, 172, 210))
    crops, _, _ = blood(*TWO, each=3, start=30)
    assert found.probabilities(between[None]).max() < found.probabilities(crops).max(axis=1).mean()
