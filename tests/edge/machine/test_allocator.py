"""Memory of pictures goes back to the system, and no threads are woken for small matrices."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

HOARD = """
import sys
import numpy as np, psutil
from edge.machine.allocator import give_back_pictures
if sys.argv[1] == "give back":
    give_back_pictures()
np.ones(4_000_000, np.uint8)  # its end raises the threshold of a C library left to itself
resident = psutil.Process().memory_info().rss
frames, kept = [], []
for _ in range(30):
    frames.append(np.ones(3_900_000, np.uint8))
    kept.append(np.ones(50_000, np.uint8))
frames.clear()
print((psutil.Process().memory_info().rss - resident) // 1_000_000)
"""

REST = """
import numpy as np, psutil
from edge.machine.allocator import give_back_pictures, give_back_rest
give_back_pictures()
parts = [np.ones(50_000, np.uint8) for _ in range(1000)]
last = parts[-1]
parts.clear()
resident = psutil.Process().memory_info().rss
give_back_rest()
print((resident - psutil.Process().memory_info().rss) // 1_000_000)
"""


def hoarded_mb(how: str) -> int:
    out = subprocess.run([sys.executable, "-c", HOARD, how], check=True, capture_output=True, text=True)
    return int(out.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library is left as it is")
def test_frames_are_given_back_to_the_system() -> None:
    assert hoarded_mb("give back") < 10
    assert hoarded_mb("hoard") > 50, "the C library gives back by itself; the allocator is not needed"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library is left as it is")
def test_what_lies_free_below_something_that_is_kept_is_given_back_when_asked() -> None:
    out = subprocess.run([sys.executable, "-c", REST], check=True, capture_output=True, text=True)
    assert int(out.stdout) > 30


@pytest.mark.parametrize(("given", "taken"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")])
def test_matrices_are_multiplied_by_one_thread_unless_asked(given: dict[str, str], taken: str) -> None:
    plain = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    code = "import edge.types, os; print(os.environ['OPENBLAS_NUM_THREADS'])"
    out = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=plain | given
    )
    assert out.stdout.strip() == taken
