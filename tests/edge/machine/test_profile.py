from __future__ import annotations

import platform
import re
from importlib import resources
from pathlib import Path

import pytest

from edge.machine import profile as config
from edge.machine.profile import ConfigError, Profile, data_folder, device_model, load_profile

SHIPPED = sorted(
    file.name.removesuffix(".toml")
    for file in (resources.files("firmware_config") / "profiles").iterdir()
    if file.name.endswith(".toml")
)


def text_of(name: str = "generic-x86-64") -> str:
    return (resources.files("firmware_config") / "profiles" / f"{name}.toml").read_text("utf-8")


def refusal(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_profile(str(path))
    message = str(raised.value)
    assert message.startswith(f"profile {path}: ")
    assert "\n" not in message
    return message


def test_the_devices_that_are_named_have_profiles() -> None:
    named = {"generic-x86-64", "generic-aarch64", "raspberry-pi-4", "raspberry-pi-5", "jetson-orin-nano"}
    assert named <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_profile_loads_and_explains_each_value(name: str) -> None:
    profile = load_profile(name)
    assert isinstance(profile, Profile)
    assert profile.name == name
    lines = [line for line in text_of(name).splitlines() if "=" in line]
    commented = [line for line in lines if "#" in line]
    assert set(lines) - set(commented) <= {f'name = "{name}"'}


@pytest.mark.parametrize(
    ("architecture", "model", "name"),
    [
        ("x86_64", "", "generic-x86-64"),
        ("AMD64", "", "generic-x86-64"),
        ("aarch64", "Raspberry Pi 5 Model B Rev 1.0", "raspberry-pi-5"),
        ("aarch64", "Raspberry Pi Compute Module 5 Rev 1.0", "raspberry-pi-5"),
        ("aarch64", "Raspberry Pi 500 Rev 1.0", "raspberry-pi-5"),
        ("aarch64", "Raspberry Pi 4 Model B Rev 1.5", "raspberry-pi-4"),
        ("aarch64", "Raspberry Pi 400 Rev 1.0", "raspberry-pi-4"),
        ("aarch64", "Raspberry Pi Compute Module 4 Rev 1.1", "raspberry-pi-4"),
        ("aarch64", "Raspberry Pi 3 Model B Plus Rev 1.3", "generic-aarch64"),
        ("aarch64", "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super", "jetson-orin-nano"),
        ("aarch64", "NVIDIA Jetson AGX Orin Developer Kit", "jetson-orin-nano"),
        ("aarch64", "", "generic-aarch64"),
        ("arm64", "", "generic-aarch64"),
        ("riscv64", "", "generic-x86-64"),
    ],
)
def test_the_machine_is_recognised(
    architecture: str, model: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: architecture)
    monkeypatch.setattr(config, "device_model", lambda: model)
    assert load_profile().name == load_profile("auto").name == name


def test_this_machine_has_a_profile() -> None:
    assert load_profile().machine.fits(platform.machine(), device_model())


def test_an_own_profile_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text_of().replace("width = 1920", "width = 2592").replace("= 0.1 ", "= 1 "))
    profile = load_profile(str(path))
    assert profile.camera.width == 2592
    assert profile.camera.nominal_um_per_px == 1.0
    assert isinstance(profile.camera.nominal_um_per_px, float)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"profile 'pi6': there is none .* jetson-orin-nano.* raspberry-pi-5"
    ):
        load_profile("pi6")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("width =", "widht =", r"unknown key 'widht' in \[camera\]; known are width, height, fps"),
        ("[display]", "[screen]", "unknown key 'screen'; known are name, machine, camera"),
        ("height = 1080", "", r"key 'height' is missing in \[camera\]"),
        ("height = 1080", "height = -3", "camera.height is -3; it must lie between 64 and 16384"),
        ("height = 1080", 'height = "big"', "camera.height is 'big'; it must be a whole number"),
        ("height = 1080", "height = true", "camera.height is True; it must be a whole number"),
        ("fps = 30", "fps = 29.97", "camera.fps is 29.97; it must be a whole number"),
        ("= 0.1 ", "= 0 ", "camera.nominal_um_per_px is 0.0; it must lie between"),
        ("= 0.1 ", "= nan ", "camera.nominal_um_per_px is nan; it must lie between"),
        ('kind = "auto"', 'kind = "cuda"', "runtime.kind is 'cuda'; choose 'auto', 'ort', 'trt'"),
        ('model = ""', 'model = "("', "machine.model is not a regular expression"),
        ("[camera]", "[camera", "not valid TOML"),
        ("settle_s = 2.0", "settle_s = -1", "camera.settle_s is -1.0; it must lie between 0 and 60"),
        ('precision = "auto"', 'precision = "int4"', "runtime.precision is 'int4'; choose 'auto', 'int8'"),
        ("steps_fps = [", "steps_fps = [0.5, ", r"thermal.steps_fps is \[0.5, .*; it must fall"),
        ("steps_fps = [", 'steps_fps = ["fast", ', r"thermal.steps_fps\[0\] is 'fast'; it must be a number"),
        ("recover_below_c = ", "recover_below_c = 1", r"thermal.recover_below_c is 1\d\d"),
        ("parts = [", 'parts = "all" # [', "box.parts is 'all'; it must be a list in brackets"),
    ],
)
def test_a_wrong_profile_is_one_clear_line(tmp_path: Path, old: str, new: str, problem: str) -> None:
    text = text_of()
    assert old in text
    assert re.search(problem, refusal(tmp_path / "mine.toml", text.replace(old, new, 1)))


def test_a_section_written_as_a_value(tmp_path: Path) -> None:
    assert "camera is a section: write it as [camera]" in refusal(
        tmp_path / "mine.toml", 'name = "mine"\ncamera = 3\n[machine]\narchitecture = ""\nmodel = ""\n'
    )


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"cannot be read: (No such file or directory|not a text file)"):
        load_profile(str(path))


def test_where_records_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LEUKOSCOPE_HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", "/somebody")
    assert data_folder() == Path("/somebody/.local/share/leukoscope")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert data_folder() == tmp_path / "leukoscope"
    monkeypatch.setenv("LEUKOSCOPE_HOME", str(tmp_path / "stick"))
    assert data_folder() == tmp_path / "stick"
