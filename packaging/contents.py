"""What lies in a Debian package beside the wheels: the program, the box's files, documents, control files."""

from __future__ import annotations

import email
import gzip
import hashlib
import re
import shutil
import tomllib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import native
from wheels import ARCHITECTURES, HERE, ROOT, Target, glibc

from edge import __version__
from edge.machine.profile import AUTO, load_profile
from edge.setup import parts

LIBRARY = "usr/lib/leukoscope"
DOCUMENTS = "usr/share/doc/leukoscope"
MAINTAINER = "The Leukoscope project <leukoscope@leukoscope.invalid>"
RECOMMENDS = "console-setup-linux, kbd"
"""The kiosk's font, and what loads it."""

SUGGESTS = "python3-picamera2, python3-gi, gir1.2-gst-plugins-base-1.0, cage, foot, seatd"
"""For cameras on a ribbon cable: picamera2 on a Raspberry Pi, GStreamer on a Jetson. The last three for a
screen with all colours; recommended, they would keep a box without a network from installing the package."""

PARTS = ("user", "service", "kiosk", "udev")
"""Parts of a box (`firmware_config/parts`) that suit every machine and change nothing of the system."""

SCRIPTS = ("postinst", "prerm", "postrm")


def project() -> Mapping[str, Any]:
    """`[project]` of pyproject.toml."""
    table: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return table


def version(target: Target) -> str:
    """The package's version, such as '0.1.0+trixie': suites have packages of their own."""
    return f"{__version__}+{target.suite}"


def commands() -> dict[str, str]:
    """The device's commands, module:function by name; a workstation's and a cluster's are no part of it."""
    scripts = project()["scripts"].items()
    return {
        name: place for name, place in scripts if place.startswith("edge.") and "edge.archive" not in place
    }


def filled(name: str, values: Mapping[str, object]) -> str:
    """A file of packaging/debian with each @NAME@ replaced; KeyError where one has no value."""
    text = (HERE / "debian" / name).read_text("utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda found: str(values[found[1]]), text)


def write(path: Path, text: str) -> None:
    """Write a file into the tree, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def add_program(tree: Path, core: bytes) -> None:
    """The packages of the device, its commands, and what tells importlib.metadata their version.

    `core` is compiled for the device's processor; what was compiled in the source tree is for this machine's.
    """
    for package in ("edge", "firmware_config"):
        ignored = shutil.ignore_patterns("__pycache__", ".*", "*~", "*.so", "c")
        shutil.copytree(ROOT / package, tree / LIBRARY / package, ignore=ignored)
    (tree / LIBRARY / native.LIBRARY).write_bytes(core)
    about = project()
    write(
        tree / LIBRARY / f"leukoscope-{__version__}.dist-info" / "METADATA",
        f"Metadata-Version: 2.4\nName: leukoscope\nVersion: {__version__}\n"
        f"Summary: {about['description']}\nLicense-Expression: {about['license']}\n",
    )
    for name, place in commands().items():
        module, function = place.split(":")
        write(tree / "usr/bin" / name, filled("command", {"MODULE": module, "FUNCTION": function}))


def add_box(tree: Path, target: Target) -> None:
    """The service, its user and the rules for cameras, in /usr/lib where a package has them.

    They suit any machine. `edge-device setup` writes those for one machine to /etc, and they go before these.
    """
    (tree / "etc/leukoscope/keys").mkdir(parents=True)
    profile = load_profile(f"generic-{ARCHITECTURES[target.arch]}".replace("_", "-"))
    filled = parts.values(profile, "/usr/bin", AUTO, etc="/usr/lib")
    for name in PARTS:
        for file in parts.load(name, filled).files:
            path = tree / "usr/lib" / Path(file.path).relative_to("/etc")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)


def units(tree: Path) -> list[str]:
    """Names of the services in the tree."""
    return sorted(path.name for path in (tree / "usr/lib/systemd/system").glob("*.service"))


def add_documents(tree: Path, target: Target, wheels: Sequence[Path], moment: int) -> None:
    """Licences, what changed, which wheels these are; `moment` is the date of the release, Unix seconds."""
    folder = tree / DOCUMENTS
    write(folder / "copyright", filled("copyright", {"WHEELS": "".join(map(_licence, wheels))}))
    checksums = (f"{hashlib.sha256(wheel.read_bytes()).hexdigest()}  {wheel.name}\n" for wheel in wheels)
    write(folder / "wheels.sha256", "".join(checksums))
    write(
        tree / "usr/share/lintian/overrides/leukoscope",
        filled("lintian-overrides", {}),
    )
    date = format_datetime(datetime.fromtimestamp(moment, UTC))
    entry = (
        f"leukoscope ({version(target)}) {target.suite}; urgency=medium\n\n"
        f"  * What changed is in NEWS.gz.\n\n -- {MAINTAINER}  {date}\n"
    )
    for name, text in ("changelog", entry), ("NEWS", (ROOT / "CHANGELOG.md").read_text("utf-8")):
        # neither a name nor a date in it, so that the same text gives the same bytes
        (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def add_control(tree: Path, target: Target, wheels: Sequence[Path]) -> None:
    """The folder DEBIAN, from what lies in the tree."""
    files = list(_files(tree))
    values = {
        "VERSION": version(target),
        "ARCH": target.arch,
        "MAINTAINER": MAINTAINER,
        "SUITE": target.suite.capitalize(),
        "INSTALLED_SIZE": installed_size(tree),
        "DEPENDS": ", ".join(depends(target, [wheel.name for wheel in wheels])),
        "RECOMMENDS": RECOMMENDS,
        "SUGGESTS": SUGGESTS,
        "UNITS": " ".join(units(tree)),
    }
    write(tree / "DEBIAN/control", filled("control", values))
    for script in SCRIPTS:
        write(tree / "DEBIAN" / script, filled(script, values))
    sums = (f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(tree)}\n" for path in files)
    write(tree / "DEBIAN/md5sums", "".join(sums))
    if settings := [f"/{path.relative_to(tree)}\n" for path in files if path.is_relative_to(tree / "etc")]:
        write(tree / "DEBIAN/conffiles", "".join(settings))


def depends(target: Target, wheels: Sequence[str]) -> list[str]:
    """The Python that the wheels are for, and the system's libraries that they (PEP 600) and the core use."""
    major, minor = map(int, target.python.split("."))
    return [
        f"python3 (>= {target.python}~)",
        f"python3 (<< {major}.{minor + 1}~)",
        f"libc6 (>= 2.{max(glibc(wheels), native.GLIBC)})",
        "libgcc-s1",
        "libstdc++6",
        "zlib1g",
    ]


def installed_size(tree: Path) -> int:
    """KiB that the files take, folders as one each (Debian policy 5.6.20, as dpkg-gencontrol counts)."""
    return sum(-(-path.stat().st_size // 1024) if path.is_file() else 1 for path in tree.rglob("*"))


def _files(tree: Path) -> Iterator[Path]:
    """The tree's files in an order that is the same everywhere."""
    return (path for path in sorted(tree.rglob("*")) if path.is_file())


def _licence(wheel: Path) -> str:
    """A line on a wheel: name, version, licence, as its metadata has them."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
        about = email.message_from_bytes(archive.read(name))
    classified = [
        c.rpartition(" :: ")[2] for c in about.get_all("Classifier", []) if c.startswith("License ")
    ]
    licence = about["License-Expression"] or about["License"] or ", ".join(classified) or "see its files"
    return f" {about['Name']} {about['Version']}: {licence.splitlines()[0]}\n"
