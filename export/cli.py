"""edge-export: from a training run to a bundle, checking one, and what becomes of it on a Jetson."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge import command
from edge.bundle.archive import is_member_name
from edge.command import CHECK_FAILED, DONE

if TYPE_CHECKING:
    from export.bundle.archive import Signer
    from export.bundle.source import Source
    from export.bundle.verify import Verification


def main(argv: Sequence[str] | None = None) -> int:
    """Run `edge-export`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    return command.run("edge-export", lambda: int(arguments.run(arguments)), extras="train,export")


def _parser() -> command.Parser:
    parser = command.Parser(
        prog="edge-export",
        description="Make and check model bundles, and engines from them. For research use only.",
        example="example: edge-export bundle --run runs/leukocytes --out leukocytes.bundle",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    _add_bundle(commands)
    _add_amend(commands)
    _add_compare(commands)

    _add_verify(commands)

    summary = "build the TensorRT engine of a bundle, on the machine that will run it"
    tensorrt = command.add(
        commands, "tensorrt", summary, "edge-export tensorrt leukocytes.bundle --out int8.engine", _tensorrt
    )
    add = tensorrt.add_argument
    add("bundle", type=Path, metavar="NAME.bundle")
    command.add_large(tensorrt)
    add("--out", required=True, type=Path, metavar="ENGINE", help="the engine to write")
    add(
        "--precision",
        choices=("int8", "fp16", "fp32"),
        help="default: the first of these that the bundle calls usable",
    )

    summary = "make an Ed25519 key pair, to sign bundles with and for devices to trust"
    keygen = command.add(
        commands, "keygen", summary, "edge-export keygen --out keys --name hospital", _keygen
    )
    keygen.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the two files")
    keygen.add_argument(
        "--name",
        type=_name,
        default="leukoscope",
        help="what devices call the key, and the files (default: leukoscope)",
    )
    return parser


def _add_bundle(commands: command.Commands[command.Parser]) -> None:
    summary = (
        "make a bundle of a finished run, whose evaluation-*.json and notes.md go into its model card, "
        "or of a network from elsewhere"
    )
    example = (
        "edge-export bundle --run runs/a --out a.bundle --quantize int8 --calibrate ../data\n"
        "a rehearsal: edge-export bundle --run runs/a --out a.bundle --quantize int8 --calibrate ../data "
        "--limit 300 --even-so\n"
        "edge-export bundle --onnx ours.onnx --manifest ours.toml --out ours.bundle --calibrate ../data"
    )
    build = command.add(commands, "bundle", summary, example, _bundle)
    add = build.add_argument
    of = build.add_mutually_exclusive_group(required=True).add_argument
    of("--run", type=Path, metavar="RUN_DIR", dest="folder", help="a finished run")
    of("--onnx", type=Path, metavar="FILE", help="a network from elsewhere; needs --manifest")
    of(
        "--torch",
        metavar="MODULE:FUNCTION",
        help="one that a function gives as a torch.nn.Module; needs --manifest, takes --weights",
    )
    add("--weights", type=Path, metavar="FILE", help="with --torch: what torch.save or safetensors wrote")
    add("--manifest", type=Path, metavar="TOML", help="what a network from elsewhere is; see docs/bundles.md")
    add("--out", required=True, type=Path, metavar="NAME.bundle", help="the bundle to write")
    add("--quantize", choices=("int8",), help="add INT8 graphs; needs --calibrate")
    add(
        "--calibrate",
        type=Path,
        metavar="DIR",
        help="folder with its data sets: training cells calibrate, validation cells judge, and choose the "
        "operating point of a network from elsewhere",
    )
    add(
        "--limit",
        type=command.whole(1),
        default=0,
        metavar="N",
        help="a rehearsal: at most N pictures of each data set, with --calibrate",
    )
    add("--cells", type=int, default=2048, metavar="N", help="cells to calibrate on (default: 2048)")
    add("--finetune", action="store_true", help="fine-tune for INT8 even where it passes without")
    add(
        "--cache",
        type=Path,
        metavar="DIR",
        help="of cut cells (default: RUN_DIR/cache, or cache beside --out)",
    )
    command.add_large(build, "write")
    add(
        "--even-so",
        action="store_true",
        help="make a bundle of a run with fewer than 30 positive or 30 other validation cells, or a ROC area "
        "that chance may reach; every device will say so",
    )
    add("--sign", type=Path, metavar="KEY", help="private key made by edge-export keygen")
    add("--json", type=Path, metavar="FIGURES", help="write what was measured as JSON")


def _add_amend(commands: command.Commands[command.Parser]) -> None:
    summary = "copy a bundle with what was measured of it since, and the rules of findings as they are now"
    example = "edge-export amend leukocytes.bundle --operation operation.json --out new.bundle"
    amend = command.add(commands, "amend", summary, example, _amend)
    add = amend.add_argument
    add("bundle", type=Path, metavar="NAME.bundle")
    add("--out", required=True, type=Path, metavar="NEW.bundle", help="the bundle to write")
    add(
        "--operation",
        type=Path,
        metavar="FILE",
        help="how often it errs elsewhere, from edge-train operation --json FILE",
    )
    add("--apl", type=Path, metavar="FILE", help="how it tells APL, from edge-train apl --json FILE")
    add(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder with the data sets it was trained on: adds reference cells, and what slides of its "
        "laboratories look like",
    )
    add("--cache", type=Path, metavar="DIR", help="of cut cells, with --data (default: cache beside --out)")
    command.add_large(amend)
    add("--sign", type=Path, metavar="KEY", help="private key made by edge-export keygen")


def _add_compare(commands: command.Commands[command.Parser]) -> None:
    summary = "edge-train compare of two bundles, or two precisions of one, on their validation cells"
    example = "edge-export compare old.bundle new.bundle --data ../data --variant ort-fp32,ort-int8"
    compare = command.add(commands, "compare", summary, example, _compare)
    add = compare.add_argument
    add("bundles", nargs=2, type=Path, metavar="NAME.bundle")
    add("--data", type=Path, default=Path("."), metavar="DIR", help="folder with the data sets (default: .)")
    add("--variant", default="ort-fp32", metavar="A[,B]", help="of both or of each (default: ort-fp32)")
    add("--dataset", nargs="+", default=[], metavar="NAME", help="instead of the bundle's own")
    add("--limit", type=int, default=0, metavar="N", help="at most N pictures of each data set")
    command.add_large(compare)
    add("--json", metavar="OUT", help="write the figures as JSON; - for standard output")


def _add_verify(commands: command.Commands[command.Parser]) -> None:
    summary = "check a bundle's hashes, who vouches for it, and its golden cases on this machine"
    example = (
        "edge-export verify leukocytes.bundle --json here.json\n"
        "on another machine: edge-export verify leukocytes.bundle --against here.json"
    )
    check = command.add(commands, "verify", summary, example, _verify)
    add = check.add_argument
    add("bundle", type=Path, metavar="NAME.bundle")
    command.add_large(check)
    add("--json", metavar="OUT", help="write what this machine finds as JSON; - for standard output")
    add(
        "--against",
        type=Path,
        metavar="OTHER.json",
        help="what another machine found of it with --json; status 3 where the two do not say the same",
    )


def _notice(message: str) -> None:
    command.say("edge-export", message)


def _signer(key: Path | None) -> Signer | None:
    """What signs with this key; a wrong one is told now, not after the long work."""
    from export.bundle import keys

    if key is None:
        return None
    keys.sign(b"", key)
    return lambda manifest: keys.sign(manifest, key)


def _bundle(arguments: argparse.Namespace) -> int:
    from export.bundle.bundle import Options, build

    _check_elsewhere(arguments)
    options = Options(
        int8=arguments.quantize == "int8",
        data=arguments.calibrate,
        limit=arguments.limit,
        cache=arguments.cache,
        calibration_cells=arguments.cells,
        finetune=arguments.finetune,
        large=arguments.large,
        signer=_signer(arguments.sign),
        even_so=arguments.even_so,
    )
    built = build(arguments.folder or _elsewhere(arguments), options, notice=_notice)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    partial = arguments.out.with_name(arguments.out.name + ".part")
    partial.write_bytes(built.content)
    partial.replace(arguments.out)
    command.put("\n".join(built.lines()))
    if arguments.json:
        command.write("--json", arguments.json, json.dumps(built.as_json(), indent=1) + "\n")
    digest = hashlib.sha256(built.content).hexdigest()
    command.put(f"{arguments.out}: {len(built.content) / 1e6:.2f} MB, sha256 {digest}")
    return DONE


def _elsewhere(arguments: argparse.Namespace) -> Source:
    """The network from elsewhere that the arguments name."""
    from export.foreign.source import Elsewhere, of

    given = Elsewhere(arguments.onnx, arguments.torch or "", arguments.weights)
    cache = arguments.cache or arguments.out.parent / "cache"
    return of(given, arguments.manifest, arguments.calibrate, cache, _notice, arguments.limit)


def _check_elsewhere(arguments: argparse.Namespace) -> None:
    """Refuse flags that do not go together before anything is read."""
    from export.graph.graph import ExportError

    own = arguments.folder is None
    for flag, given, fits, why in (
        ("--manifest", arguments.manifest, own, "is for --onnx and --torch"),
        ("--weights", arguments.weights, bool(arguments.torch), "is for --torch"),
        ("--finetune", arguments.finetune, not own, "is for networks of ours; leave it out"),
    ):
        if given and not fits:
            raise ExportError(f"{flag}: {why}")
    if own and arguments.manifest is None:
        raise ExportError("--manifest is missing: what the network is shown and what its answers mean")


def _amend(arguments: argparse.Namespace) -> int:
    from edge.bundle import bundle
    from export.bundle import amend

    tables, members = {}, {}
    signer = _signer(arguments.sign)
    if arguments.operation is not None:
        tables["operation"] = amend.operation(arguments.operation)
    if arguments.data is not None or arguments.apl is not None:
        old = bundle.load(arguments.bundle, allow_unsigned=True, large=arguments.large)
    if arguments.apl is not None:
        tables["apl"] = amend.apl(arguments.apl, old.manifest)
    if arguments.data is not None:
        from export.bundle import comparison

        cache = arguments.cache or arguments.out.parent / "cache"
        added = comparison.of_bundle(old, arguments.data, cache, _notice)
        tables, members = tables | dict(added.tables), dict(added.members)
    new = amend.amend(arguments.bundle, arguments.out, tables, members, signer, large=arguments.large)
    command.put(f"{new.path}: {new.path.stat().st_size / 1e6:.2f} MB, sha256 {new.sha256}")
    return DONE


def _compare(arguments: argparse.Namespace) -> int:
    from export.compare import as_json, compare
    from train.judging import report

    variants = arguments.variant.split(",", 1)
    found = compare(
        tuple(arguments.bundles),
        (variants[0], variants[-1]),
        arguments.data,
        _notice,
        datasets=tuple(arguments.dataset),
        limit=arguments.limit,
        large=arguments.large,
    )
    if arguments.json:
        command.write("--json", arguments.json, json.dumps(as_json(found), indent=1) + "\n")
    if arguments.json != "-":
        command.put("\n".join(report.of_comparison(found)))
    return DONE


def _verify(arguments: argparse.Namespace) -> int:
    from export.bundle import agreement
    from export.bundle.verify import verify

    verdict = verify(arguments.bundle, large=arguments.large)
    found = agreement.findings(verdict)
    problems = list(verdict.problems)
    lines = _verified(verdict)
    if arguments.against is not None:
        both = agreement.against(found, arguments.against)
        lines += both.lines
        problems += both.problems
    if arguments.json:
        command.write("--json", arguments.json, json.dumps(found, indent=1) + "\n")
    if arguments.json != "-":
        command.put("\n".join(lines))
    for problem in problems:
        _notice(f"{arguments.bundle}: {problem}")
    return CHECK_FAILED if problems else DONE


def _verified(verdict: Verification) -> list[str]:
    """What was checked of a bundle by itself, as far as all is well."""
    bundle = verdict.bundle
    trusted = f"signed by {bundle.signer}" if bundle.signer else "ships with this program"
    lines = [
        f"{bundle.manifest.name} {bundle.manifest.version}, sha256 {bundle.sha256}",
        "hashes: every member is as the manifest says",
        f"trust: {trusted if bundle.trusted else 'nobody vouches for it'}",
        *(f"caveat: {caveat}" for caveat in bundle.caveats),
    ]
    if not verdict.problems:
        lines.append(f"golden cases: found again on this machine by {', '.join(verdict.variants)}")
    return lines


def _tensorrt(arguments: argparse.Namespace) -> int:
    from export.graph.to_tensorrt import convert

    made = convert(arguments.bundle, arguments.precision, arguments.out, _notice, large=arguments.large)
    command.put(str(made))
    return DONE


def _name(text: str) -> str:
    if not is_member_name(text) or "/" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a file; use letters, digits, - and _")
    return text


def _keygen(arguments: argparse.Namespace) -> int:
    from edge.bundle.signature import key_folders
    from export.bundle.keys import generate

    private, public, fingerprint = generate(arguments.out, arguments.name)
    command.put(
        f"{private}: sign with it (edge-export bundle --sign {private}); show it to nobody and keep a copy"
    )
    command.put(f"{public}: copy it to each device, into {' or '.join(map(str, key_folders()))}")
    command.put(f"fingerprint: {fingerprint}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
