"""edge-export: from a training run to a bundle, and checking one."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edge.types import LeukoscopeError

DONE, FAILED, CHECK_FAILED = 0, 1, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run `edge-export`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except LeukoscopeError as error:
        print(f"edge-export: {error}", file=sys.stderr)
        return FAILED
    except ImportError as error:
        print(
            f"edge-export: {error}; install it with: pip install 'leukoscope[train,export]'", file=sys.stderr
        )
        return FAILED
    except OSError as error:
        print(f"edge-export: {error.filename or 'file'}: {error.strerror or error}", file=sys.stderr)
        return FAILED
    return status


def _version() -> str:
    try:
        return version("leukoscope")
    except PackageNotFoundError:
        return "not installed"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge-export",
        description="Make and check model bundles. For research use only.",
        epilog="example: edge-export bundle --run runs/leukocytes --out leukocytes.bundle",
    )
    parser.add_argument("--version", action="version", version=f"edge-export {_version()}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    summary = "make a bundle from a finished run"
    build = commands.add_parser(
        "bundle",
        help=summary,
        description=f"{summary}; figures in RUN_DIR/evaluation-*.json go into the model card",
        epilog="example: edge-export bundle --run runs/leukocytes --out leukocytes.bundle",
    )
    build.add_argument(
        "--run", required=True, type=Path, metavar="RUN_DIR", dest="folder", help="a finished run"
    )
    build.add_argument("--out", required=True, type=Path, metavar="NAME.bundle", help="the bundle to write")
    build.set_defaults(run=_bundle)

    summary = "check a bundle's hashes, who vouches for it, and its golden cases on this machine"
    check = commands.add_parser(
        "verify", help=summary, description=summary, epilog="example: edge-export verify leukocytes.bundle"
    )
    check.add_argument("bundle", type=Path, metavar="NAME.bundle")
    check.set_defaults(run=_verify)
    return parser


def _bundle(arguments: argparse.Namespace) -> int:
    from export.bundle import build

    content = build(arguments.folder)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    partial = arguments.out.with_name(arguments.out.name + ".part")
    partial.write_bytes(content)
    partial.replace(arguments.out)
    print(f"{arguments.out}: {len(content) / 1e6:.2f} MB, sha256 {hashlib.sha256(content).hexdigest()}")
    return DONE


def _verify(arguments: argparse.Namespace) -> int:
    from export.verify import verify

    verdict = verify(arguments.bundle)
    print(f"{verdict.name} {verdict.version}, sha256 {verdict.sha256}")
    print("hashes: every member is as the manifest says")
    print(f"trust: {'ships with this program' if verdict.trusted else 'nobody vouches for it'}")
    for problem in verdict.problems:
        print(f"edge-export: {arguments.bundle}: {problem}", file=sys.stderr)
    if verdict.problems:
        return CHECK_FAILED
    print("golden cases: found again on this machine")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
