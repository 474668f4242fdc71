"""Training of the segmenter: scenes from the data sets, epochs, checkpoint, and the weights that are kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from math import cos, pi
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from edge.files import stricttoml
from edge.optics.specimen import BACKGROUND
from edge.types import U8
from train.data.sets import SPLITS, Notice
from train.segmentation import scenes, teachers
from train.segmentation.network import Network, loss_of, outlines
from train.segmentation.scenes import Patches, Scene
from train.segmentation.settings import SegmenterError, Settings

_CHECKPOINT = "checkpoint.pt"
_VALIDATED = 48  # patches of each source, the same after every epoch
_VALIDATION_PX = 64

Sources = Mapping[str, Sequence[Scene]]


def fit(
    settings: Settings, data: Path, out: Path, *, cache: Path | None = None, notice: Notice = print
) -> Path:
    """Train, or go on where a run in this folder stopped; returns the folder.

    It ends up with `settings.json`, `history.json`, `curves.png`, `checkpoint.pt`, and `model.pt` with
    `metrics.json` once it is finished.

    Raises
    ------
    SegmenterError : the folder holds a run with other settings. DataError : a source is absent.
    """
    out.mkdir(parents=True, exist_ok=True)
    _settle(settings, out)
    train, validation = gathered(settings, data, cache or out / "cache", notice)
    run = _Run(settings, out)
    for epoch in range(run.epoch, settings.epochs):
        loss = run.pass_over(train, epoch)
        run.history.append({"loss": round(loss, 5), **run.figures(validation)})
        run.save(epoch + 1)
        line = ", ".join(f"{k} {v:.3f}" for k, v in run.history[-1].items())
        notice(f"epoch {epoch + 1} of {settings.epochs}: {line}")
    run.finish(train, validation)
    return out


def load_network(run: Path) -> tuple[Network, Settings, dict[str, Any]]:
    """The network of a finished run, its settings and figures.

    Raises
    ------
    SegmenterError : the run is not finished.
    """
    if not (run / "metrics.json").is_file():
        raise SegmenterError(f"run {run}: not finished; edge-train segment --out {run} goes on with it")
    settings = settings_of(run)
    network = Network(settings.widths, settings.fine)
    network.load_state_dict(torch.load(run / "model.pt", map_location="cpu", weights_only=True))
    return network.eval(), settings, json.loads((run / "metrics.json").read_text())


def settings_of(run: Path) -> Settings:
    """What a run was started with."""
    return stricttoml.build(Settings, json.loads((run / "settings.json").read_text()))


def gathered(settings: Settings, data: Path, cache: Path, notice: Notice) -> tuple[Sources, Sources]:
    """Training and validation scenes by source, kept in `cache` until what makes them changes."""
    train: dict[str, Sequence[Scene]] = {}
    validation: dict[str, Sequence[Scene]] = {}
    cache.mkdir(parents=True, exist_ok=True)
    hidden = not sys.stderr.isatty()
    for source in settings.shares:
        key = teachers.fingerprint(source, data, settings.pitch_um, settings.limit)
        files = [cache / f"{source}-{key}-{split}.npz" for split in SPLITS[:2]]
        if not all(file.is_file() for file in files):
            made = teachers.scenes(source, data, settings.pitch_um, settings.limit, notice)
            listed = list(tqdm(made, desc=source, unit=" scene", leave=False, disable=hidden))
            for split, file in zip(SPLITS[:2], files, strict=True):
                scenes.save([scene for part, scene in listed if part == split], file)
        train[source], validation[source] = map(scenes.load, files)
        if not train[source]:
            raise SegmenterError(f"shares.{source}: no training picture in {data}; raise --limit")
    return train, validation


class _Run:
    """A run between two epochs."""

    def __init__(self, settings: Settings, out: Path) -> None:
        self.settings, self.out = settings, out
        torch.manual_seed(settings.seed)
        self.network, self.average = (Network(settings.widths, settings.fine) for _ in range(2))
        self.average.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.epoch, self.history = 0, list[dict[str, float]]()
        if (out / _CHECKPOINT).is_file():
            kept = torch.load(out / _CHECKPOINT, weights_only=True)
            for part in ("network", "average", "optimiser"):
                getattr(self, part).load_state_dict(kept[part])
            self.epoch, self.history = kept["epoch"], kept["history"]

    def pass_over(self, train: Sources, epoch: int) -> float:
        """One epoch; returns the mean loss."""
        settings, total = self.settings, 0.0
        names = list(settings.shares)
        shares = np.array([settings.shares[name] for name in names])
        self.network.train()
        bar = tqdm(range(settings.steps), f"epoch {epoch + 1}", leave=False, disable=not sys.stderr.isatty())
        for step in bar:
            rng = np.random.default_rng([settings.seed, epoch, step])
            side = settings.patches_px[step % len(settings.patches_px)]
            drawn = rng.choice(len(names), max(settings.pixels // side**2, 2), p=shares / shares.sum())
            chosen = [_one_of(train[names[i]], rng) for i in drawn]
            batch = scenes.patches(chosen, side, settings.pitch_um * 2, rng)
            pixels = varied(batch.pixels, settings, rng)
            done = epoch * settings.steps + step
            for group in self.optimiser.param_groups:
                group["lr"] = settings.learning_rate * self._rate(done)
            with torch.autocast("cpu", torch.bfloat16):
                maps = self.network(pixels)
            loss = loss_of(maps.float(), tensors(batch))
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
            self.optimiser.step()
            self._follow(min(settings.average_decay, (done + 1) / (done + 11)))
            total += float(loss.detach())
            bar.set_postfix(loss=f"{total / (step + 1):.3f}")
        return total / settings.steps

    def _rate(self, done: int) -> float:
        """Share of the highest learning rate."""
        warm, all_steps = self.settings.steps, self.settings.epochs * self.settings.steps
        if done < warm < all_steps:
            return (done + 1) / warm
        return 0.5 * (1 + cos(pi * (done - warm) / max(all_steps - warm, 1)))

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        """Move the running average towards the network, normalisation statistics included."""
        current = self.network.state_dict()
        for name, kept in self.average.state_dict().items():
            if kept.dtype.is_floating_point:
                kept.lerp_(current[name], 1 - decay)
            else:
                kept.copy_(current[name])

    @torch.inference_mode()
    def figures(self, validation: Sources) -> dict[str, float]:
        """Dice of nucleus and cell by source, over all known pixels of some patches."""
        self.average.eval()
        out = {}
        for name, listed in validation.items():
            if not listed:
                continue
            rng = np.random.default_rng(self.settings.seed)
            chosen = [listed[i] for i in rng.integers(len(listed), size=_VALIDATED)]
            batch = scenes.patches(chosen, _VALIDATION_PX, self.settings.pitch_um * 2, rng)
            masks = outlines(self.average(torch.from_numpy(batch.pixels).permute(0, 3, 1, 2).float()))
            known = batch.masks_known > 0
            for part, title in enumerate(("nucleus", "cell")):
                found = (masks[:, part].numpy() > 0) & known[:, 0]
                truth = (batch.masks[:, part] > 0.5) & known[:, 0]
                dice = 2 * np.count_nonzero(found & truth) / max(found.sum() + truth.sum(), 1)
                out[f"{name}_{title}"] = round(float(dice), 4)
        return out

    def save(self, epoch: int) -> None:
        """Keep the state; what was kept before stays whole until then."""
        from train.judging.plots import curves

        self.epoch = epoch
        parts = {part: getattr(self, part).state_dict() for part in ("network", "average", "optimiser")}
        partial = self.out / "checkpoint.part"
        torch.save({**parts, "epoch": epoch, "history": self.history}, partial)
        partial.replace(self.out / _CHECKPOINT)
        (self.out / "history.json").write_text(json.dumps(self.history, indent=1) + "\n")
        curves(self.history, self.out / "curves.png")

    def finish(self, train: Sources, validation: Sources) -> None:
        """Write the weights that are kept and what is known of them."""
        torch.save(self.average.state_dict(), self.out / "model.pt")
        figures = {
            "validation": self.figures(validation),
            "epochs": self.epoch,
            "finished": datetime.now(UTC).date().isoformat(),
            "scenes": {name: [len(train[name]), len(validation[name])] for name in train},
            "parameters": sum(p.numel() for p in self.network.parameters()),
        }
        (self.out / "metrics.json").write_text(json.dumps(figures, indent=1) + "\n")


def _one_of(listed: Sequence[Scene], rng: np.random.Generator) -> Scene:
    return listed[int(rng.integers(len(listed)))]


class Variation(Protocol):
    """How far a patch's looks are changed; see `Settings`."""

    @property
    def stain(self) -> float: ...
    @property
    def light(self) -> float: ...
    @property
    def blur_px(self) -> float: ...
    @property
    def noise(self) -> float: ...


def varied(pixels: U8, settings: Variation, rng: np.random.Generator) -> Tensor:
    """(n, S, S, 3) uint8 -> (n, 3, S, S) float32 under other dyes, light, focus and noise.

    Stain is changed where it adds up, in optical density, as in `train.data.augment`.
    """
    n = len(pixels)
    strength = rng.normal(0, settings.stain, (n, 1, 1)) + rng.normal(0, settings.stain / 2, (n, 3, 1))
    mix = (np.eye(3) + rng.normal(0, settings.stain / 4, (n, 3, 3))) * np.exp(strength)
    pale = np.where(rng.random((n, 1, 1)) < 0.1, rng.random((n, 1, 1)), 0.0)
    mix = ((1 - pale) * mix + pale * mix.mean(axis=1, keepdims=True)).astype(np.float32)
    light = np.exp(rng.normal(0, settings.light, (n, 3))).astype(np.float32) * BACKGROUND
    out = np.empty((n, 3, *pixels.shape[1:3]), np.float32)
    for i, picture in enumerate(pixels):
        seen = picture.astype(np.float32)
        if rng.random() < 0.5:
            blurred = cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.3, settings.blur_px))
            seen += np.float32(rng.uniform(-0.5, 1)) * (blurred - seen)
        density = np.log(BACKGROUND / np.maximum(seen, 1.0))
        seen = light[i] * np.exp(-np.maximum(cv2.transform(density, mix[i]), -0.1))
        grain = rng.random() ** 2 * settings.noise
        seen += np.float32(grain) * rng.standard_normal(seen.shape, np.float32)
        # what lies beyond a scene is no specimen: nothing happens to it
        nothing = (picture == scenes.BEYOND).all(axis=2, keepdims=True)
        out[i] = np.where(nothing, picture, np.clip(seen, 0, 255)).transpose(2, 0, 1)
    return torch.from_numpy(out)


def tensors(batch: Patches) -> dict[str, Tensor]:
    """The targets of a batch."""
    return {name: torch.from_numpy(value) for name, value in vars(batch).items() if name != "pixels"}


def _settle(settings: Settings, out: Path) -> None:
    """Write the settings down, or make sure that the run has the same."""
    text, path = json.dumps(asdict(settings), indent=1) + "\n", out / "settings.json"
    if path.is_file() and path.read_text() != text:
        raise SegmenterError(f"run {out}: was started with other settings; choose another --out or remove it")
    path.write_text(text)
