from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from edge.bundle.bundle import Bundle
from edge.types import U8
from export.graph import calibration, quantize
from export.graph.calibration import Ranges
from export.graph.finetune import finetune, plain, rounded
from export.graph.folded import Folded
from export.graph.gate import answers
from export.graph.graph import to_onnx
from train.data.windows import Windows
from train.recipes.recipe import Recipe


@pytest.fixture(scope="module")
def ranges(graph: bytes, windows: Windows) -> Ranges:
    crops = calibration.choose_cells(windows, 1000, 32)
    return calibration.ranges(calibration.observe(graph, crops), "entropy")


@pytest.mark.parametrize("bits", [8, quantize.SAFE_BITS])
def test_training_rounds_as_the_graph_does(
    folded: Folded, graph: bytes, ranges: Ranges, draft: Bundle, held_crops: U8, bits: int
) -> None:
    tensors = [
        # TensorRT's graph rounds one side of an addition, and training both
        each if each.layer.endswith(".short") else replace(each, out=None)
        for each in quantize.layer_tensors(graph)
    ]
    student = rounded(folded, tensors, ranges, bits)
    with torch.inference_mode():
        given = student(torch.from_numpy(held_crops[:200]))[0].numpy()
    wanted = answers(draft, quantize.symmetric(graph, ranges, bits=bits), held_crops[:200])
    fp32 = answers(draft, graph, held_crops[:200])
    assert np.abs(given - wanted).mean() < 0.1 * np.abs(wanted - fp32).mean()


def test_fine_tuning_recovers_what_three_bits_lose(
    folded: Folded,
    graph: bytes,
    ranges: Ranges,
    windows: Windows,
    recipe: Recipe,
    draft: Bundle,
    held_crops: U8,
) -> None:
    wanted = answers(draft, graph, held_crops)

    def lost(made: bytes) -> tuple[float, float]:
        given = answers(draft, quantize.asymmetric(made, ranges, bits=3), held_crops)
        same = (given.argmax(axis=1) == wanted.argmax(axis=1)).mean()
        return float(np.abs(given - wanted).mean()), float(same)

    student = finetune(
        folded, quantize.layer_tensors(graph), ranges, windows.of("train"), recipe, epochs=2, bits=3
    )
    before, after = lost(graph), lost(to_onnx(student, 32))
    assert after[0] < 0.6 * before[0]
    assert after[1] > before[1]


def test_it_ends_alike_and_leaves_the_teacher_alone(
    folded: Folded, graph: bytes, ranges: Ranges, windows: Windows, recipe: Recipe
) -> None:
    short = replace(recipe, training=replace(recipe.training, samples=96))
    tensors = quantize.layer_tensors(graph)
    first, second = (
        to_onnx(finetune(folded, tensors, ranges, windows.of("train"), short), 32) for _ in range(2)
    )
    assert to_onnx(folded, 32) == graph
    assert first == second
    assert first != graph


def test_the_rounding_is_taken_out_again(folded: Folded, graph: bytes, ranges: Ranges) -> None:
    bare = plain(rounded(folded, quantize.layer_tensors(graph), ranges, 8))
    assert not any(parametrize.is_parametrized(module) for module in bare.modules())
    assert to_onnx(bare, 32) == graph
    assert isinstance(bare.stem[0], nn.Conv2d)
