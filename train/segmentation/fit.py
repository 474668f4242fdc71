"""The task of outlining leukocytes: scenes from the data sets → patches → maps, judged by Dice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edge.files import stricttoml
from train.data.augment import varied
from train.data.bar import followed
from train.data.dataset import SPLITS, Notice
from train.fitting.distributed import joined
from train.fitting.loop import finished, precision_of, train
from train.fitting.provenance import SETTINGS, begin
from train.fitting.task import Batch, NetworkTask, Plan, Run
from train.segmentation import scenes, teachers
from train.segmentation.network import SegmentationNetwork, loss_of, outlines
from train.segmentation.scenes import Scene
from train.segmentation.settings import SegmenterError, Settings

_VALIDATED = 48  # patches of each source, the same after every epoch
_VALIDATION_PX = 64

Sources = Mapping[str, Sequence[Scene]]


def fit(
    settings: Settings, data: Path, out: Path, *, cache: Path | None = None, notice: Notice = print
) -> Path:
    """Train, or go on where a run in this folder stopped; returns the folder.

    It ends up with `settings.json`, `environment.json` and what `train.fitting.loop` leaves.

    Raises
    ------
    SettingsError : the folder holds a run with other settings. DataError : a source is absent.
    """
    with joined("cpu") as process:
        precision = precision_of("auto", process.device)
        run = Run(data, out, cache or out / "cache", settings.limit, process, precision, notice)
        run.alone("a segmenter")
        begin(asdict(settings), run, settings.seed)
        train(SegmenterTask(settings, run, *gathered(settings, data, run.cache, notice)), run)
    return out


def load_network(run: Path) -> tuple[SegmentationNetwork, Settings, dict[str, Any]]:
    """The network of a finished run, its settings and figures.

    Raises
    ------
    SegmenterError : the run is not finished.
    """
    again = SegmenterError(f"run {run}: not finished; edge-train segment --out {run} goes on with it")
    weights, metrics = finished(run, again)
    settings = stricttoml.build(Settings, json.loads((run / SETTINGS).read_text(encoding="utf-8")))
    network = SegmentationNetwork(settings.widths, settings.fine)
    network.load_state_dict(weights)
    return network.eval(), settings, metrics


def gathered(settings: Settings, data: Path, cache: Path, notice: Notice) -> tuple[Sources, Sources]:
    """Training and validation scenes by source, kept in `cache` until what makes them changes."""
    train: dict[str, Sequence[Scene]] = {}
    validation: dict[str, Sequence[Scene]] = {}
    cache.mkdir(parents=True, exist_ok=True)
    for source in settings.shares:
        key = teachers.fingerprint(source, data, settings.pitch_um, settings.limit)
        files = [cache / f"{source}-{key}-{split}.npz" for split in SPLITS[:2]]
        if not all(file.is_file() for file in files):
            made = teachers.scenes(source, data, settings.pitch_um, settings.limit, notice)
            listed = list(followed(made, source, "scene", leave=False))
            for split, file in zip(SPLITS[:2], files, strict=True):
                scenes.save([scene for part, scene in listed if part == split], file)
        train[source], validation[source] = map(scenes.load, files)
        if not train[source]:
            raise SegmenterError(f"shares.{source}: no training picture in {data}; raise --limit")
    return train, validation


class SegmenterTask(NetworkTask):
    """The segmenter.

    Parameters
    ----------
    training, validation : scenes by source.
    """

    def __init__(self, settings: Settings, run: Run, training: Sources, validation: Sources) -> None:
        self.settings, self.run, self.training, self.validation = settings, run, training, validation
        self.plan = Plan(
            epochs=settings.epochs,
            steps=settings.steps,
            samples=settings.steps,
            learning_rate=settings.learning_rate,
            warm_up=settings.steps,
            weight_decay=settings.weight_decay,
            decay_all=True,
            average_decay=settings.average_decay,
            clip=2.0,
            seed=settings.seed,
        )

    def network(self) -> SegmentationNetwork:
        """As the settings have it."""
        return SegmentationNetwork(self.settings.widths, self.settings.fine)

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """Patches under other dyes, light and focus; see `train.fitting.task.NetworkTask`."""
        settings = self.settings
        listed = [self.training[name] for name in settings.shares]
        shares = np.array(list(settings.shares.values()))
        for step in range(first, settings.steps):
            rng = np.random.default_rng([settings.seed, epoch, step])
            side = settings.patches_px[step % len(settings.patches_px)]
            drawn = rng.choice(len(listed), max(settings.pixels // side**2, 2), p=shares / shares.sum())
            chosen = [listed[i][int(rng.integers(len(listed[i])))] for i in drawn]
            shown = scenes.patches(chosen, side, settings.pitch_um * 2, rng)
            yield Batch.of(varied(shown.pixels, settings, rng), shown)

    def loss(self, answers: Tensor, wanted: Mapping[str, Tensor]) -> Tensor:
        """See `train.segmentation.network.loss_of`."""
        return loss_of(answers, wanted)

    @torch.inference_mode()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Dice of nucleus and cell by source, over all known pixels of some patches."""
        network.eval()
        out = {}
        for name, listed in self.validation.items():
            if not listed:
                continue
            rng = np.random.default_rng(self.settings.seed)
            chosen = [listed[i] for i in rng.integers(len(listed), size=_VALIDATED)]
            batch = scenes.patches(chosen, _VALIDATION_PX, self.settings.pitch_um * 2, rng)
            masks = outlines(network(torch.from_numpy(batch.pixels).permute(0, 3, 1, 2).float()))
            known = batch.masks_known > 0
            for part, title in enumerate(("nucleus", "cell")):
                found = (masks[:, part].numpy() > 0) & known[:, 0]
                truth = (batch.masks[:, part] > 0.5) & known[:, 0]
                dice = 2 * np.count_nonzero(found & truth) / max(found.sum() + truth.sum(), 1)
                out[f"{name}_{title}"] = round(float(dice), 4)
        return out

    def finish(self, network: nn.Module, found: Mapping[str, float]) -> dict[str, Any]:
        """What it was made of, and its figures."""
        return {
            "validation": dict(found),
            "scenes": {
                name: [len(listed), len(self.validation[name])] for name, listed in self.training.items()
            },
            "parameters": sum(p.numel() for p in network.parameters()),
        }
