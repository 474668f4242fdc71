"""The parts of a box: each loads, and what it writes is what the programs that read it understand."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from edge.machine.profile import Profile, load_profile
from edge.setup import parts as parts_
from edge.setup.parts import Part, SetupError

PROFILES = sorted(
    path.stem for path in (Path(__file__).parents[2] / "firmware_config/profiles").glob("*.toml")
)
SCREENING = ["service", "kiosk"]
PROGRAM = "/opt/leukoscope/bin"
EXPOSURE = 3.0
"""What `systemd-analyze security` may say at most."""


@cache
def profile(name: str) -> Profile:
    return load_profile(name)


def part(name: str, of: str = "raspberry-pi-5") -> Part:
    return parts_.load(name, parts_.values(profile(of), PROGRAM))


def written(folder: Path, parts: list[Part]) -> Path:
    """The parts' files below this folder, and an executable for each program that they name."""
    for each in parts:
        for file in each.files:
            path = folder / file.path[1:]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
    return folder / "etc/systemd/system"


def program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not on this machine")
    return path


def ran(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_COLORS": "0", "LC_ALL": "C"},
    )  # fmt: skip


@pytest.mark.parametrize("name", parts_.names())
def test_a_part_loads_and_nothing_in_it_is_left_to_fill_in(name: str) -> None:
    loaded = part(name)
    assert loaded.about.endswith(".")
    assert loaded.files or loaded.blocks or loaded.words
    for file in loaded.files:
        assert file.path.startswith("/etc/")
        assert b"{{" not in file.content
        assert all(len(line) <= 180 for line in file.content.decode().splitlines())
    for command in loaded.commands:
        assert command.run
        assert not Path(command.run[0]).is_absolute()  # looked for where the machine keeps it
    for companion in loaded.companions:
        assert companion in parts_.names()


def test_every_file_of_a_part_is_used_and_installed_with_the_package() -> None:
    folder = Path(__file__).parents[2] / "firmware_config/parts"
    for each in folder.glob("*/*"):
        if each.name == "part.toml":
            continue
        users = [toml for toml in folder.glob("*/part.toml") if f'"{each.name}"' in toml.read_text()]
        includes = [
            file
            for file in folder.glob("*/*")
            if f"{{{{{each.parent.name}/{each.name}}}}}" in file.read_text()
        ]
        assert users or includes, f"{each} is named nowhere"
    assert '"parts/*/*"' in (Path(__file__).parents[2] / "pyproject.toml").read_text()


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("more", [[], *[[name] for name in SCREENING]])
def test_a_profiles_parts_go_together(name: str, more: list[str]) -> None:
    chosen = parts_.chosen(profile(name).box.parts, more, [], parts_.values(profile(name), PROGRAM))
    names = [each.name for each in chosen]
    assert len(names) == len(set(names))
    assert [each.name for each in chosen if each.role == "screening"] == (more or [names[-1]])
    assert names.index("user") < len(names) - 1  # before what needs it
    paths = [file.path for each in chosen for file in each.files]
    assert len(paths) == len(set(paths))


def test_two_that_take_each_others_place_are_refused() -> None:
    with pytest.raises(SetupError, match=r"parts kiosk and service.*--without kiosk"):
        parts_.chosen(["service", "kiosk"], [], [], parts_.values(profile("raspberry-pi-5"), PROGRAM))


@pytest.mark.parametrize("name", PROFILES)
def test_the_units_say_what_the_profile_says(name: str) -> None:
    for unit in SCREENING:
        text = part(unit, name).files[0].content.decode()
        assert re.search(rf"^ExecStart=.*{PROGRAM}/edge-run --camera \${{CAMERA}} --wait", text, re.MULTILINE)
        assert f"--profile {name} $ARGUMENTS" in text
        assert f"WatchdogSec={profile(name).service.watchdog_s}\n" in text
        assert f"MemoryMax={profile(name).memory.max_mb}M\n" in text
        assert ("--headless" in text) == (unit == "service")


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("screening", SCREENING)
def test_systemd_accepts_the_units_and_calls_them_safe(tmp_path: Path, name: str, screening: str) -> None:
    analyze = program("systemd-analyze")
    values = parts_.values(profile(name), str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/edge-run").symlink_to("/bin/true")
    units = written(tmp_path, parts_.chosen(profile(name).box.parts, [screening], [], values))
    unit = units / ("leukoscope.service" if screening == "service" else "leukoscope-kiosk.service")
    said = ran(analyze, "verify", "--man=no", unit).stderr
    # programs of other packages, which need not be on the machine that runs the tests
    lines = [line for line in said.splitlines() if not re.search(r"Command /usr/\S+ is not executable", line)]
    assert lines == []
    judged = ran(analyze, "security", "--offline=true", "--no-pager", unit)
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", judged.stdout)
    assert exposure, judged.stdout + judged.stderr
    assert float(exposure[1]) <= EXPOSURE


@pytest.mark.parametrize("name", ["network", "jetson", "raspberry-pi", "read-only", "sticks"])
def test_systemd_accepts_what_other_parts_add(tmp_path: Path, name: str) -> None:
    analyze = program("systemd-analyze")
    values = parts_.values(profile("jetson-orin-nano"), str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/edge-run").symlink_to("/bin/true")
    units = written(tmp_path, parts_.chosen(["service", name], [], [], values))
    said = ran(analyze, "verify", "--man=no", *sorted(p for p in units.iterdir() if p.is_file())).stderr
    lines = [line for line in said.splitlines() if not re.search(r"Command /usr/\S+ is not executable", line)]
    assert lines == []
    policy = ran(analyze, "security", "--offline=true", "--no-pager", units / "leukoscope.service").stdout
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", policy)
    assert exposure
    assert float(exposure[1]) <= EXPOSURE


def test_a_misspelt_setting_would_be_noticed(tmp_path: Path) -> None:
    """The tests above can fail."""
    analyze = program("systemd-analyze")
    unit = tmp_path / "a.service"
    unit.write_text("[Service]\nExecStart=/bin/true\nProtectHonk=yes\n")
    assert "ProtectHonk" in ran(analyze, "verify", "--man=no", unit).stderr


@pytest.mark.parametrize("name", ["udev", "sticks"])
def test_udev_accepts_the_rules(tmp_path: Path, name: str) -> None:
    udevadm = program("udevadm")
    if int(ran(udevadm, "--version").stdout.split()[0]) < 254:
        pytest.skip("udevadm verify came with systemd 254")
    written(tmp_path, [part(name)])
    (rules,) = (tmp_path / "etc/udev/rules.d").iterdir()
    verified = ran(udevadm, "verify", rules)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_usb_camera_keeps_its_name_in_the_rules() -> None:
    """What 60-persistent-v4l.rules has found out must be there to build a name from."""
    (file,) = part("udev").files
    assert Path(file.path).name > "60-persistent-v4l.rules"
    labels = set(re.findall(rb'LABEL="(\w+)"', file.content))
    assert set(re.findall(rb'GOTO="(\w+)"', file.content)) <= labels


def test_every_sysctl_is_one_the_kernel_knows() -> None:
    (file,) = part("sysctl").files
    lines = [line for line in file.content.decode().splitlines() if line and not line.startswith("#")]
    for line in lines:
        name, _, value = line.partition(" = ")
        assert re.fullmatch(r"-?\d+", value), line
        known = Path("/proc/sys") / name.replace(".", "/")
        assert not Path("/proc/sys/vm").exists() or known.exists(), name


@pytest.mark.parametrize(("name", "section"), [("journald", "Journal"), ("watchdog", "Manager")])
def test_settings_of_systemd_are_in_its_manual_form(name: str, section: str) -> None:
    (file,) = part(name).files
    lines = [line for line in file.content.decode().splitlines() if not line.startswith("#")]
    assert lines[0] == f"[{section}]"
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+=\w+", line) for line in lines[1:])


def test_journald_has_the_last_word() -> None:
    """Files of one name are read in the order of their names, whatever folder they are in."""
    (file,) = part("journald").files
    others = ["40-rpi-volatile-storage.conf", "syslog.conf"]  # of Raspberry Pi OS and of Debian 13
    assert all(Path(file.path).name > other for other in others)


def test_sysusers_accepts_the_user(tmp_path: Path) -> None:
    sysusers = program("systemd-sysusers")
    written(tmp_path, [part("user")])
    (tmp_path / "etc/group").write_text("video:x:44:\n")
    done = ran(sysusers, f"--root={tmp_path}", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "leukoscope" in done.stderr


def test_the_boot_settings_of_a_raspberry_pi() -> None:
    found = part("raspberry-pi")
    (block,) = found.blocks
    lines = [line for line in block.text.splitlines() if not line.startswith("#")]
    assert lines[0] == "[all]"  # else the section that ends the file would hold for them too
    assert all(re.fullmatch(r"[a-z_]+=[\w=,]+", line) and len(line) < 98 for line in lines[1:])
    assert block.paths == ("/boot/firmware/config.txt", "/boot/config.txt")
    (words,) = found.words
    assert words.words == ("cgroup_enable=memory",)


def test_the_records_partition_is_found_by_its_label_and_mounted_where_the_records_are() -> None:
    files = {Path(file.path).name: file.content.decode() for file in part("read-only").files}
    mount = files["var-lib-leukoscope.mount"]
    assert "What=/dev/disk/by-label/LEUKOSCOPE\n" in mount
    assert "Where=/var/lib/leukoscope\n" in mount  # a mount unit must have the name of its place
    assert "recurse=0" in files["overlayroot.local.conf"]


def test_setup_describes_itself_as_json_for_every_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from edge import device

    (tmp_path / "boot/firmware").mkdir(parents=True)
    (tmp_path / "boot/firmware/config.txt").touch()
    (tmp_path / "boot/firmware/cmdline.txt").write_text("rootwait\n")
    for name in PROFILES:
        arguments = [
            "setup",
            "--profile",
            name,
            "--root",
            str(tmp_path),
            "--program",
            PROGRAM,
            "--dry-run",
            "--json",
        ]
        assert device.main(arguments) == 0
        files = {file["path"]: file["state"] for file in json.loads(capsys.readouterr().out)["files"]}
        assert "/etc/sysusers.d/leukoscope.conf" in files
