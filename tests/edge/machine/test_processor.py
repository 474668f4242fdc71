"""Which instructions a processor says it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.machine.processor import INSTRUCTIONS, called, instructions


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ("flags\t\t: fpu sse4_2 avx avx2 bmi2", "avx2"),
        ("flags\t\t: fpu avx2 avx512f avx512bw avx512vl", "avx512bw"),
        ("flags\t\t: fpu avx2 avx512f avx512bw avx512_vnni", "avx512_vnni"),
        ("flags\t\t: fpu avx2 avx_vnni", "avx_vnni"),
        ("Features\t: fp asimd evtstrm crc32 cpuid", "asimd"),
        ("Features\t: fp asimd asimddp", "asimddp"),
        ("model name\t: avx2 of its kind", ""),
        ("", ""),
    ],
)
def test_the_best_instructions(tmp_path: Path, told: str, wanted: str) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{told}\n")
    assert instructions(tmp_path / "cpuinfo") == wanted


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    assert instructions(tmp_path / "none") == ""


def test_this_machine() -> None:
    assert instructions() in ("", *INSTRUCTIONS)
    assert isinstance(called(), str)
