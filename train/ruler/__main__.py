"""Fit the network that reads how large red cells are; see `edge.optics.ruler`.

    python -m train.ruler --data DATA --photographs PICTURES --out runs/ruler.pt
    python -m export.ruler runs/ruler.pt --out edge/bundles/ruler.onnx

To see how it does in a laboratory that it never saw, leave that out with `--without` and give the graph to
`benchmarks/scale.py --ruler`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import torch

from train.ruler.fit import Progress, fit
from train.ruler.pictures import LABORATORIES, WITHOUT, laboratories, negatives


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m train.ruler",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets")
    parser.add_argument("--photographs", type=Path, help="folder of pictures of anything but blood")
    parser.add_argument("--without", default="", help=f"of {', '.join([*LABORATORIES, *WITHOUT])}, by comma")
    parser.add_argument("--steps", type=int, default=3600, help="of 32 tiles (default 3600)")
    parser.add_argument("--out", type=Path, required=True, help="where the weights go")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    without = tuple(name for name in arguments.without.split(",") if name)
    if unknown := set(without) - {*LABORATORIES, *WITHOUT}:
        parser.error(f"--without {min(unknown)}: not one of {', '.join([*LABORATORIES, *WITHOUT])}")
    labs = laboratories(arguments.data, without)
    if not labs:
        parser.error(f"--data {arguments.data}: none of the data sets lies there")
    network = fit(
        labs, negatives(arguments.data, arguments.photographs, without), arguments.steps, tell=_tell
    )
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), arguments.out)
    return 0


def _tell(progress: Progress) -> None:
    print(f"step {progress.step}: loss {progress.loss:.3f}, median error {progress.error:.1%}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
