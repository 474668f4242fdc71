"""A package built from made-up wheels: what it says of itself, what lies in it, what its scripts do."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import contents
import deb
import pytest
from wheels import ROOT, PackagingError, Target

from edge import __version__

TRIXIE = Target("trixie", "arm64")
CORE = b"machine code for arm64"
LIBRARY = "usr/lib/leukoscope"

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")


def dpkg_deb(*arguments: object) -> str:
    return subprocess.run(
        ["dpkg-deb", *map(str, arguments)], capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture
def package(tmp_path: Path, wheels: list[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    return deb.build(TRIXIE, wheels, CORE, tmp_path / "dist")


@pytest.fixture
def unpacked(package: Path, tmp_path: Path) -> Path:
    dpkg_deb("--raw-extract", package, tmp_path / "unpacked")
    return tmp_path / "unpacked"


def test_the_control_file_says_what_it_is_and_needs(package: Path) -> None:
    fields = {
        name: dpkg_deb("--field", package, name).strip()
        for name in ("Package", "Version", "Architecture", "Depends", "Installed-Size", "Maintainer")
    }
    assert package.name == f"leukoscope_{__version__}+trixie_arm64.deb"
    assert fields["Package"] == "leukoscope"
    assert fields["Version"] == f"{__version__}+trixie"
    assert fields["Architecture"] == "arm64"
    needed = fields["Depends"].split(", ")
    # the wheels of one Python are of no use to another; one runs with glibc 2.17, the core from 2.28 on
    assert {"python3 (>= 3.13~)", "python3 (<< 3.14~)", "libc6 (>= 2.28)"} <= set(needed)
    assert int(fields["Installed-Size"]) > 1000


def test_everything_belongs_to_root_and_only_commands_are_executable(package: Path) -> None:
    listed = [line.split(maxsplit=5) for line in dpkg_deb("--contents", package).splitlines()]
    assert {line[1] for line in listed} == {"root/root"}
    assert {line[0] for line in listed} == {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x"}
    runnable = {line[5] for line in listed if line[0] == "-rwxr-xr-x"}
    assert runnable == {"./usr/bin/edge-run", "./usr/bin/edge-device", "./usr/bin/edge-slides"}
    assert {" ".join(line[3:5]) for line in listed} == {listed[0][3] + " " + listed[0][4]}


def test_the_device_is_in_it_and_the_workstation_is_not(unpacked: Path) -> None:
    library = unpacked / LIBRARY
    for there in ("edge/cli.py", "edge/bundles/TRUSTED", "firmware_config/profiles/raspberry-pi-5.toml"):
        assert (library / there).read_bytes() == (ROOT / there).read_bytes()
    for absent in ("train", "export", "tests"):
        assert not (library / absent).exists()
    assert not list(unpacked.rglob("__pycache__"))


def test_the_core_is_the_device_s_and_not_the_builder_s(unpacked: Path) -> None:
    folder = unpacked / LIBRARY / "edge" / "native"
    assert (folder / "core.abi3.so").read_bytes() == CORE
    names = {path.name for path in folder.iterdir()}
    assert {name for name in names if not name.endswith(".py")} == {"core.abi3.so"}


def test_of_the_wheels_a_device_gets_what_it_runs(unpacked: Path) -> None:
    library = unpacked / LIBRARY
    for there in (
        "tiny/core.cpython-313-aarch64-linux-gnu.so", "tiny.libs/libtiny.so.1", "other/__init__.py",
        "third.py", "tiny-1.0.dist-info/METADATA", "tiny-1.0.dist-info/licenses/LICENSE",
    ):  # fmt: skip
        assert (library / there).is_file(), there
    for absent in ("tiny/tests", "tiny/__init__.pyi", "tiny-1.0.dist-info/RECORD", "other-2.0.data"):
        assert not (library / absent).exists(), absent


def test_checksums_of_files_and_wheels(unpacked: Path, wheels: list[Path]) -> None:
    sums = dict(reversed(line.split("  ")) for line in (unpacked / "DEBIAN/md5sums").read_text().splitlines())
    files = {path for path in unpacked.rglob("*") if path.is_file() and "DEBIAN" not in path.parts}
    assert {unpacked / name for name in sums} == files
    for name, md5 in sums.items():
        assert hashlib.md5((unpacked / name).read_bytes()).hexdigest() == md5
    listed = (unpacked / contents.DOCUMENTS / "wheels.sha256").read_text()
    assert listed == "".join(f"{hashlib.sha256(w.read_bytes()).hexdigest()}  {w.name}\n" for w in wheels)


def test_licences_are_named(unpacked: Path) -> None:
    text = (unpacked / contents.DOCUMENTS / "copyright").read_text()
    assert "/usr/share/common-licenses/Apache-2.0" in text
    assert " tiny 1.0: BSD-3-Clause\n other 2.0" not in text
    assert {" tiny 1.0: BSD-3-Clause", " other 2.0: MIT License"} <= set(text.splitlines())


def test_the_box_is_in_it_filled_in(unpacked: Path) -> None:
    units = sorted((unpacked / "usr/lib/systemd/system").iterdir())
    assert [unit.name for unit in units] == ["leukoscope-kiosk.service", "leukoscope.service"]
    for unit in units:
        text = unit.read_text()
        assert re.search(r"^ExecStart=.*/usr/bin/edge-run ", text, re.MULTILINE)
        for path in re.findall(r"/usr/lib/leukoscope\S+", text):
            assert (unpacked / path[1:]).exists()
        assert "--profile auto" in text
        assert "{{" not in text
    assert (unpacked / "usr/lib/udev/rules.d/70-leukoscope.rules").is_file()
    assert (unpacked / "usr/lib/sysusers.d/leukoscope.conf").is_file()
    assert (unpacked / "etc/leukoscope/keys").is_dir()
    # nothing that an administrator may have edited
    assert not [path for path in (unpacked / "etc").rglob("*") if path.is_file()]


def test_the_same_sources_give_the_same_bytes(
    package: Path, wheels: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = package.read_bytes()
    before = os.umask(0o077)
    try:
        again = deb.build(TRIXIE, wheels, CORE, tmp_path / "elsewhere")
    finally:
        os.umask(before)
    assert again.read_bytes() == first
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000001")
    assert deb.build(TRIXIE, wheels, CORE, tmp_path / "elsewhere").read_bytes() != first


def test_nothing_half_made_is_left(package: Path) -> None:
    assert [path.name for path in package.parent.iterdir()] == [package.name]


@pytest.mark.parametrize("script", contents.SCRIPTS)
def test_scripts_are_good_shell_with_nothing_left_to_fill_in(script: str, unpacked: Path) -> None:
    path = unpacked / "DEBIAN" / script
    assert os.access(path, os.X_OK)
    text = path.read_text()
    assert text.startswith("#!/bin/sh\nset -e\n")
    assert not re.search(r"@[A-Z_]+@", text)
    subprocess.run(["sh", "-n", str(path)], check=True)


@pytest.mark.parametrize(("script", "action", "wanted"), [
    ("postinst", "configure", ["py3compile -p leukoscope /usr/lib/leukoscope",
                               "systemd-sysusers leukoscope.conf",
                               "systemctl --system daemon-reload",
                               "deb-systemd-invoke start leukoscope-kiosk.service",
                               "deb-systemd-invoke start leukoscope.service"]),
    ("prerm", "upgrade", ["deb-systemd-invoke stop leukoscope-kiosk.service",
                          "deb-systemd-invoke stop leukoscope.service", "py3clean -p leukoscope"]),
    ("prerm", "remove", ["deb-systemd-invoke stop leukoscope-kiosk.service",
                         "deb-systemd-invoke stop leukoscope.service", "edge-device setup --undo --yes",
                         "py3clean -p leukoscope"]),
])  # fmt: skip
def test_the_service_rests_while_its_files_change_and_setup_is_undone_before_they_go(
    script: str, action: str, wanted: list[str], unpacked: Path, tmp_path: Path
) -> None:
    stubs, said = tmp_path / "stubs", tmp_path / "said"
    stubs.mkdir()
    for name in (
        "py3compile",
        "py3clean",
        "systemd-sysusers",
        "systemctl",
        "deb-systemd-invoke",
        "edge-device",
    ):
        (stubs / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {said}\n')
        (stubs / name).chmod(0o755)
    (stubs / "getent").symlink_to("/bin/false")  # there is no such user yet
    ledger = tmp_path / "ledger.json"
    ledger.touch()
    text = (unpacked / "DEBIAN" / script).read_text()
    for path, here in [
        ("/run/systemd/system", tmp_path),
        ("/run/udev/control", tmp_path / "no-udev"),
        ("/var/lib/leukoscope-setup/ledger.json", ledger),
    ]:
        text = text.replace(path, str(here))
    environment = {"PATH": f"{stubs}:/usr/bin:/bin"}
    subprocess.run(["sh", "-c", text, script, action], env=environment, check=True)
    assert said.read_text().splitlines() == wanted


@pytest.mark.parametrize(("action", "files", "stays"), [
    ("remove", ["calibrations.json"], True),
    ("purge", ["calibrations.json"], False),
    ("purge", ["calibrations.json", "records.db"], True),
])  # fmt: skip
def test_records_outlive_the_package(
    action: str, files: list[str], stays: bool, unpacked: Path, tmp_path: Path
) -> None:
    state, system = tmp_path / "state", tmp_path / "system"
    state.mkdir()
    for name in files:
        (state / name).touch()
    text = (unpacked / "DEBIAN/postrm").read_text()
    assert "/var/lib/leukoscope" in text
    text = text.replace("/var/lib/leukoscope", str(state)).replace("/etc/systemd/system", str(system))
    text = text.replace("/run/systemd/system", str(tmp_path / "no-systemd"))
    text = text.replace("/usr/lib/leukoscope", str(tmp_path / "library"))
    done = subprocess.run(["sh", "-c", text, "postrm", action], capture_output=True, text=True, check=True)
    assert state.exists() == stays
    assert (f"records are kept in {state}" in done.stdout) == (action == "purge" and stays)


def test_a_command_finds_its_own_libraries_first_and_the_system_after(tmp_path: Path) -> None:
    library = tmp_path / "library"
    for name in ("numpy", "tiny"):
        (library / name).mkdir(parents=True)
        (library / name / "__init__.py").touch()
    (library / "tiny" / "cli.py").write_text(
        "import numpy, pytest\ndef main() -> int:\n    print(numpy.__file__, pytest.__name__)\n    return 3\n"
    )
    command = contents.filled("command", {"MODULE": "tiny.cli", "FUNCTION": "main"})
    assert command.startswith("#!/usr/bin/python3 -I\n")
    path = tmp_path / "command"
    path.write_text(command.replace("/usr/lib/leukoscope", str(library)))
    environment = {"PYTHONPATH": str(tmp_path / "astray"), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-I", str(path)], capture_output=True, text=True, env=environment)
    assert done.stdout.split() == [str(library / "numpy/__init__.py"), "pytest"]
    assert done.returncode == 3


def test_a_failing_dpkg_deb_is_one_line(
    tmp_path: Path, wheels: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "version", lambda _target: "of_no_sense")
    with pytest.raises(PackagingError, match=r"^dpkg-deb: error: .*version number"):
        deb.build(TRIXIE, wheels, CORE, tmp_path / "dist")
    assert not list((tmp_path / "dist").iterdir())


def test_without_dpkg_deb(
    make_wheel: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(PackagingError, match="dpkg-deb: not found; install the package dpkg"):
        deb.build(TRIXIE, [], CORE, tmp_path)
