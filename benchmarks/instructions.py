"""What each graph of a bundle says of the golden cases on processors that this machine is not: emulated.

Tells of every graph, as ONNX Runtime computes it there, by how much a probability differs from FP32's,
whether the golden cases are found again, how many of its layers are computed in whole numbers, and in how
many of them products could leave 16 bits (`export.graph.saturation`). Nothing can be said of speed. What this
machine has itself is not emulated; what QEMU cannot emulate is told so: AVX-512, with VNNI or without, as of
QEMU 7.2.

    apt install --no-install-recommends qemu-user mmdebstrap arch-test
    python benchmarks/instructions.py --aarch64 ROOT

ROOT is an arm64 system with Python and what the device needs:

    mmdebstrap --variant=minbase --architectures=arm64 --include=python3 bookworm ROOT
    pip install --target ROOT/opt/site --only-binary :all: --python-version 3.11 \\
        --platform manylinux_2_28_aarch64 numpy opencv-python-headless onnxruntime

Its `proc/cpuinfo` is written here: ONNX Runtime ends where it reads that of another kind of processor.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime as ort
from results import ROOT, Results, parser_of

from edge.bundle import bundle
from edge.bundle.bundle import Bundle
from edge.cells.classify import Classifier
from edge.machine import processor
from edge.selftest.golden import Golden

LONGEST_S = 900.0
_ARM = "processor\t: {}\nFeatures\t: {}\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: {}\n\n"
_SINCE_V8 = "fp asimd evtstrm crc32 cpuid"


@dataclass(frozen=True)
class Processor:
    """A processor to emulate.

    Attributes
    ----------
    called : what a person calls it. emulator, model : QEMU's, and its name there.
    instructions : what whole numbers run on there, of `edge.machine.processor.INSTRUCTIONS`.
    features, part : what an Arm processor says of itself in `/proc/cpuinfo`.
    """

    called: str
    emulator: str
    model: str
    instructions: str
    features: str = ""
    part: str = ""


PROCESSORS = (
    Processor("AVX2", "qemu-x86_64", "Haswell", "avx2"),
    Processor("AVX-512 without VNNI", "qemu-x86_64", "Skylake-Server", "avx512bw"),
    Processor("VNNI", "qemu-x86_64", "Cascadelake-Server", "avx512_vnni"),
    Processor("NEON", "qemu-aarch64", "cortex-a72", "asimd", _SINCE_V8, "0xd08"),
    Processor(
        "NEON with dot products", "qemu-aarch64", "cortex-a76", "asimddp", f"{_SINCE_V8} asimddp", "0xd0b"
    ),
)
# as Linux names them, and as NumPy does, which asks the processor: QEMU shows this machine's cpuinfo
_NAMED = {
    "avx512_vnni": "AVX512VNNI",
    "avx512bw": "AVX512BW",
    "avx2": "AVX2",
    "asimddp": "ASIMDDP",
    "asimd": "ASIMD",
}


class NotEmulatedError(Exception):
    """Why a processor could not be tried, in words."""


def main() -> None:
    """Try them one after the other, and show and write what each said."""
    parser = parser_of(__doc__)
    parser.add_argument("--bundle", type=Path, default=bundle.shipped_path(), help="default: the shipped one")
    parser.add_argument("--aarch64", type=Path, metavar="ROOT", help="an arm64 system, for NEON")
    parser.add_argument("--only", metavar="MODEL", help="only this of QEMU's processors, such as Haswell")
    parser.add_argument(
        "--here", action="store_true", help="only this processor, and print what it says as JSON"
    )
    arguments = parser.parse_args()
    if arguments.here:
        print(json.dumps(here(bundle.load(arguments.bundle, allow_unsigned=True))))
        return
    results = Results("instructions", parser, arguments)
    saturating = saturating_layers(arguments.bundle)
    told: dict[str, Any] = {"saturating": saturating, "processors": {}}
    for each in PROCESSORS:
        if arguments.only not in (None, each.model):
            continue
        try:
            found = on(each, arguments.bundle, arguments.aarch64)
        except NotEmulatedError as reason:
            found = {"not_emulated": str(reason)}
            print(f"{each.called}: not tried: {reason}")
        told["processors"][each.called] = found
        for variant, said in found.get("graphs", {}).items():
            print(f"{each.called}: {variant}: {_in_words(said, saturating[variant])}")
            what = f"{each.called}: {variant}"
            results.add("largest change of a probability against FP32", said["largest"], what=what,
                        n=found["cells"], of="golden cells")  # fmt: skip
            results.add(
                "differences from what it must say", len(said["differences"]), what=what, wanted="≤ 0"
            )
    results.write(told)


def _in_words(said: Mapping[str, Any], saturating: int) -> str:
    passes = f"does not pass ({said['differences'][0]})" if said["differences"] else "passes"
    return (
        f"off by {said['largest']:.5f} at most, {said['mean']:.5f} in the mean, {passes}; "
        f"{said['whole_numbers']} of {said['layers']} layers in whole numbers, {saturating} could saturate"
    )


def saturating_layers(path: Path) -> dict[str, int]:
    """Layers of each graph in which two products could leave 16 bits."""
    asked = (
        "import json, sys; from pathlib import Path; from edge.bundle import bundle; "
        "from export.graph.saturation import saturating; "
        "opened = bundle.load(Path(sys.argv[1]), allow_unsigned=True); print(json.dumps("
        "{v: len(saturating(opened.members[m])) for v, m in opened.manifest.graphs.items()}))"
    )
    # in a process of its own: a benchmark beside this one is called `export` too
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    found: dict[str, int] = json.loads(_last_line([sys.executable, "-c", asked, str(path)], environment))
    return found


def on(wanted: Processor, path: Path, aarch64: Path | None) -> dict[str, Any]:
    """What `here` says on another processor.

    Raises
    ------
    NotEmulatedError : it cannot be had here.
    """
    command, environment = [sys.executable], dict(os.environ, PYTHONPATH=str(ROOT), PYTHONWARNINGS="ignore")
    if processor.instructions() != wanted.instructions:
        if (emulator := which(wanted.emulator)) is None:
            raise NotEmulatedError(f"no {wanted.emulator}; apt install qemu-user")
        command = [emulator, "-cpu", wanted.model, sys.executable]
        if wanted.part:
            if aarch64 is None:
                raise NotEmulatedError("needs an arm64 system: --aarch64")
            _say_in_cpuinfo(wanted, aarch64)
            command[-1:] = ["-L", str(aarch64), str(aarch64 / "usr/bin/python3")]
            environment["PYTHONPATH"] += f":{aarch64 / 'opt/site'}"
    asked = [*command, "-c", f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r}); "
             "import instructions; print(instructions.has())"]  # fmt: skip
    has = _last_line(asked, environment)
    if has != wanted.instructions:
        version = _last_line([command[0], "--version"], environment, line=0)
        raise NotEmulatedError(
            f"{version} gives {has or 'nothing of the kind'} where {wanted.instructions} is asked for"
        )
    script = [*command, str(ROOT / "benchmarks/instructions.py"), "--here", "--bundle", str(path)]
    found: dict[str, Any] = json.loads(_last_line(script, environment))
    return found | {"emulated": len(command) > 1}


def _say_in_cpuinfo(wanted: Processor, aarch64: Path) -> None:
    lines = [_ARM.format(core, wanted.features, wanted.part) for core in range(os.cpu_count() or 1)]
    (aarch64 / "proc/cpuinfo").write_text("".join(lines), encoding="utf-8")


def _last_line(command: list[str], environment: Mapping[str, str], line: int = -1) -> str:
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, encoding="utf-8", timeout=LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotEmulatedError(f"took more than {LONGEST_S:g} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise NotEmulatedError(f"ended with {done.returncode}: {last}")
    return (done.stdout.strip().splitlines() or [""])[line]


def has() -> str:
    """What this processor itself says that it has, of `edge.machine.processor.INSTRUCTIONS`."""
    from numpy._core._multiarray_umath import __cpu_features__

    return next((name for name, numpys in _NAMED.items() if __cpu_features__.get(numpys)), "")


def here(opened: Bundle) -> dict[str, Any]:
    """What every graph says of the golden cases here, computed by ONNX Runtime, whatever it was made for.

    Returns
    -------
    `unlike`, what is found otherwise before any graph runs; `cells`; and `graphs`: {variant: `largest` and
    `mean` change against FP32, `differences` from what it must say, `layers`, `whole_numbers` of them}.
    """
    graphs = _graphs(opened)
    on_ort = {f"ort-{variant.removeprefix('ort-')}": member for variant, member in graphs.items()}
    opened = replace(opened, manifest=replace(opened.manifest, graphs=on_ort))
    golden = Golden(opened)
    found: dict[str, Any] = {}
    for variant, name in zip(graphs, on_ort, strict=True):
        classifier = Classifier(opened, variant=name)
        largest, mean = golden.change(classifier)
        layers, whole = _layers(opened.members[graphs[variant]], opened.manifest.size_px)
        found[variant] = {
            "largest": largest, "mean": mean, "differences": golden.differences(classifier),
            "layers": layers, "whole_numbers": whole,
        }  # fmt: skip
        classifier.close()
    return {
        "unlike": golden.unlike(),
        "cells": sum(len(case.classes) for case in golden.cases),
        "graphs": found,
    }


def _graphs(opened: Bundle) -> dict[str, str]:
    """Variant -> member, each member once."""
    first: dict[str, str] = {}
    for variant, member in opened.manifest.graphs.items():
        first.setdefault(member, variant)
    return {variant: member for member, variant in first.items()}


def _layers(graph: bytes, size_px: int) -> tuple[int, int]:
    """Convolutions that ONNX Runtime computes, and those of them that it computes in whole numbers."""
    with TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.enable_profiling, options.profile_file_prefix = True, f"{folder}/run"
        options.log_severity_level = 3
        session = ort.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"], disabled_optimizers=["WeightBiasQuantization"]
        )
        session.run(None, {"crops": np.zeros((1, size_px, size_px, 3), np.uint8)})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    run = [event["args"]["op_name"] for event in events if event["name"].endswith("_kernel_time")]
    return sum("Conv" in name for name in run), sum(name == "QLinearConv" for name in run)


if __name__ == "__main__":
    main()
