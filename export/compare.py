"""Two bundles, or two precisions of one, side by side: `edge-train compare` on what a bundle was tuned on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge.bundle import bundle
from export.graph.graph import ExportError
from train.data.dataset import Notice
from train.data.registry import dataset
from train.judging import compare as judging
from train.judging.compare import Comparison
from train.judging.sources import owned, recipes_of

SPLIT = "validation"


def compare(
    bundles: tuple[Path, Path],
    variants: tuple[str, str],
    data: Path,
    notice: Notice,
    *,
    datasets: tuple[str, ...] = (),
    limit: int = 0,
    large: bool = False,
) -> Comparison:
    """Ask both about the validation cells of data sets.

    Parameters
    ----------
    variants : runtime and precision of each, such as 'ort-int8'.
    datasets : names; none takes those that the first bundle's operating point was chosen on.
    limit : at most so many pictures of each; 0 takes all. large : open bundles of more than 64 MiB too.

    Raises
    ------
    ExportError : the first bundle does not tell its data sets. Else as `train.judging.compare.compare`.
    """
    chosen = datasets or _datasets(bundles[0], large)
    known = recipes_of(bundles, large=large)
    sources = [owned(name, known) or dataset(name) for name in chosen]
    paths = [Path(f"{path}:{variant}") for path, variant in zip(bundles, variants, strict=True)]
    return judging.compare(paths, sources, data, split=SPLIT, limit=limit, large=large, notice=notice)


def as_json(found: Comparison) -> dict[str, Any]:
    """What `edge-train compare` writes, and beside it the short form that this command has always written."""
    said = found.as_json()
    first, second = said["contestants"]
    sides = [
        {
            "bundle": side["path"],
            "variant": side["runtime"],
            "bytes": side["file_bytes"],
            "milliseconds": side["ms_per_cell"],
            "figures": {name: figure["value"] for name, figure in side["figures"].items()},
        }
        for side in (first, second)
    ]
    agreement = dict(second["agreement_with_first"])
    return {
        "sides": sides,
        "data": f"{found.split} part of {', '.join(source.name for source in found.sources)}",
        "agreement": agreement.pop("same_class"),
        **agreement,
        **said,
    }


def _datasets(path: Path, large: bool) -> tuple[str, ...]:
    """The data sets that a bundle's thresholds were chosen on, as its manifest tells."""
    opened = bundle.load(path, allow_unsigned=True, large=large)
    try:
        recipe = opened.manifest.everything["training"]["recipe"]
        return tuple(recipe["operation"]["datasets"] or recipe["shares"])
    except (KeyError, TypeError):
        raise ExportError(
            f"bundle {path}: does not tell what its thresholds were chosen on; name it with --dataset"
        ) from None
