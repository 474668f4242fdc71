"""The cameras of a guest, with every fault that the kernel's test drivers know.

    python tests/system/cameras.py                            every case, each fault 20 times
    python tests/system/cameras.py --strikes 2 contract freeze
    python tests/system/cameras.py --minutes 30 endurance     half an hour with a fault every 30 s

Boots the guest of `vm-camera.sh` (found in the folder that LEUKOSCOPE_TOOLS names, ../shared/tools without
it; where it is not there, nothing is tested) with a copy of this source tree and runs the cases in it, each
a process of its own. Standard output gets JSON lines: an object with the figures of each fault, and
{"case", "passed", "detail"} of each case. Exit status 0: every case passed; 3: one did not. The guest is
emulated and several times slower than what it runs on.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.cameras import Camera
    from tests.system.watch import Outcome

ROOT = Path(__file__).resolve().parents[2]
TOLD_S, BACK_S, ENDED_S = 2.0, 3.0, 3.0
"""What is asked: word of a fault, pictures after its end, an error message of `edge-run`."""

EVERY_S = 30.0
GROWTH_KB = 4096
"""Of the resident memory over a long run; one picture is 900 kB."""

IN_THE_GUEST = """\
cp -r /mnt/host /tmp/leukoscope && cd /tmp/leukoscope && python3 -m compileall -q . &&
exec python3 tests/system/cameras.py --inside """
"""What the guest does; reading Python from the share is slow."""

ONE = "vivid n_devs=1 node_types=0x1"
LOOPBACK = "v4l2loopback devices=1 video_nr=0"
"""Without exclusive_caps, with which version 0.12 cannot be fed again once a reader closed it unfed."""
TWO = "vivid n_devs=2 node_types=0x1,0x1"


def main() -> int:
    """Boot the guest, or in it run the cases."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--strikes", type=int, default=20, metavar="N", help="times that each fault happens")
    parser.add_argument("--minutes", type=float, default=3, metavar="M", help="length of the long run")
    parser.add_argument("--timeout", type=int, default=7200, metavar="S", help="for the guest as a whole")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"only these: {', '.join(CASES)}")
    arguments = parser.parse_args()
    if unknown := set(arguments.cases) - set(CASES):
        parser.error(f"no such case: {', '.join(unknown)}; choose from {', '.join(CASES)}")
    if arguments.case:
        return _run(arguments.case, arguments)
    if arguments.inside:
        return _run_all(arguments)
    return _boot(arguments)


def _boot(arguments: argparse.Namespace) -> int:
    script = Path(os.environ.get("LEUKOSCOPE_TOOLS") or ROOT.parent / "shared/tools") / "vm-camera.sh"
    if not script.exists():
        print(f"skipped: there is no {script}; name its folder in LEUKOSCOPE_TOOLS", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        _pack(Path(folder))
        words = ["--strikes", str(arguments.strikes), "--minutes", str(arguments.minutes), *arguments.cases]
        inside = IN_THE_GUEST + shlex.join(words)
        command = [str(script), "-d", folder, "-t", str(arguments.timeout), "-M", "", "-c", inside]
        return subprocess.run(command, check=False).returncode


def _pack(folder: Path) -> None:
    """What the guest needs: the program, these tests, and what those are run with."""
    without = shutil.ignore_patterns("__pycache__")
    for part in ("edge", "firmware_config", "tests/edge/cameras", "tests/system"):
        shutil.copytree(ROOT / part, folder / part, ignore=without)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in ("pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging", "pygments", "psutil"):
        spec = find_spec(package)
        assert spec is not None, f"{package} is not installed"
        assert spec.origin is not None
        source = Path(spec.origin)
        if source.name == "__init__.py":
            shutil.copytree(source.parent, folder / package, ignore=without)
        else:
            shutil.copy(source, folder)


def _run_all(arguments: argparse.Namespace) -> int:
    failed = []
    for name in arguments.cases or CASES:
        command = [
            sys.executable, __file__, "--case", name, "--strikes", str(arguments.strikes),
            "--minutes", str(arguments.minutes),
        ]  # fmt: skip
        if subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all passed", file=sys.stderr, flush=True)
    return 3 if failed else 0


def _run(name: str, arguments: argparse.Namespace) -> int:
    began_s = monotonic()
    try:
        detail, passed = CASES[name](arguments), True
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        detail, passed = f"{type(error).__name__}: {error}", False
    _write(case=name, passed=passed, detail=detail, took_s=round(monotonic() - began_s, 1))
    return 0 if passed else 3


def _write(**figures: object) -> None:
    print(json.dumps(figures), flush=True)


# --- the cases ---


def contract(arguments: argparse.Namespace) -> str:
    """What every camera promises, and this kind's own tests, with the kernel's driver."""
    from tests.system.vivid import loaded

    with loaded(ONE):
        tests = ["tests/edge/cameras/test_contract.py", "tests/edge/cameras/test_uvc_opening.py"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", "real", *tests],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout.strip().splitlines()[-1]


def fault(name: str, arguments: argparse.Namespace) -> str:
    """One fault, many times: told in time, back in time, no picture twice."""
    from tests.system.vivid import FAULTS, loaded, show_noise
    from tests.system.watch import Watch

    with loaded(ONE), Watch(_camera) as watch:
        show_noise()
        outcomes = []
        for n in range(arguments.strikes):
            outcomes.append(watch.during(FAULTS[name].strike))
            _write(fault=name, n=n, **asdict(outcomes[-1]))
    # a driver that was bound again shows the same pictures again
    repeated = [] if name == "unbind" else watch.repeated
    return _judged(outcomes, [*watch.disordered, *repeated], outage=FAULTS[name].outage)


def mjpeg(arguments: argparse.Namespace) -> str:
    """Motion JPEG through the kernel gives the same pictures as uncompressed."""
    from tests.system.vivid import feeder, loaded

    pictures = []
    for coding in ("-pix_fmt yuyv422", "-c:v mjpeg -pix_fmt yuvj420p -q:v 2"):
        with loaded(LOOPBACK), feeder(coding), closing(_camera()) as camera:
            camera.open()
            frames = [frame for _ in range(10) if (frame := camera.read())]
            pictures.append(frames[-1].pixels.astype(int))
    difference = sorted(abs(pictures[0] - pictures[1]).ravel()[::101])
    typical = difference[len(difference) // 2]
    assert typical <= 3, f"colours differ by {typical} grey levels"
    return f"colours differ by {typical} grey levels"


def feeder_killed(arguments: argparse.Namespace) -> str:
    """The program that feeds v4l2loopback dies and is started again."""
    from tests.system.vivid import feeder, loaded
    from tests.system.watch import Watch

    with loaded(LOOPBACK), feeder() as kill, Watch(_camera) as watch:
        outcomes = []
        for n in range(arguments.strikes):
            outcomes.append(watch.during(kill))
            _write(fault="feeder-killed", n=n, **asdict(outcomes[-1]))
    # ffmpeg's test picture begins again with each start, so that repeats say nothing here
    return _judged(outcomes, [*watch.disordered], outage=True)


def two(arguments: argparse.Namespace) -> str:
    """Two cameras, one of them busy; one that is not there; a list of all."""
    from tests.system.vivid import held, loaded

    with loaded(TWO), held("/dev/video1"):
        before_s = _loading_s()
        listed = _edge("device", "cameras", "--json", "-")
        states = [camera["problem"] for camera in json.loads(listed.stdout)]
        assert states[0] is None, states
        assert "used by another program" in states[1], states
        took = [
            _ends("1", "camera 1: /dev/video1 is used by another program; close it or choose another"),
            _ends("/dev/video1", "/dev/video1 is used by another program"),
            _ends("2", "camera 2: there is no such camera; attached: /dev/video0 (vivid"),
            _ends("/dev/video7", "there is no /dev/video7; attached: /dev/video0 (vivid"),
        ]
        loading_s = max(before_s, _loading_s())
    detail = f"ended after {min(took):.1f} to {max(took):.1f} s; OpenCV alone takes {loading_s:.1f} s to load"
    assert max(took) < ENDED_S * max(loading_s, 1), detail
    return detail


def endurance(arguments: argparse.Namespace) -> str:
    """Long, with a fault every half minute: nothing grows."""
    from tests.system.vivid import FAULTS, loaded
    from tests.system.watch import Watch, usage

    order = random.Random(1)
    with loaded(ONE), Watch(_camera) as watch:
        seen: list[dict[str, int]] = []
        outcomes: list[Outcome] = []
        began_s = monotonic()
        for n, name in enumerate(cycle(sorted(FAULTS, key=lambda _: order.random()))):
            due_s = began_s + n * EVERY_S
            if due_s > began_s + 60 * arguments.minutes:
                break
            sleep(max(due_s - monotonic(), 0))
            seen.append(usage())
            outcomes.append(watch.during(FAULTS[name].strike))
            _write(fault=name, n=n, t_s=round(monotonic() - began_s, 1), **seen[-1], **asdict(outcomes[-1]))
    # the first round of all faults loads what each needs
    settled = seen[min(len(FAULTS), len(seen) // 2) :]
    half = len(settled) // 2
    growth_kb = max(u["resident_kb"] for u in settled[half:]) - max(u["resident_kb"] for u in settled[:half])
    for what in ("threads", "files"):
        counts = [each[what] for each in settled]
        assert max(counts[half:]) <= max(counts[:half]), f"{what} grow: {counts}"
    assert growth_kb < GROWTH_KB, f"memory grows by {growth_kb} kB: {[u['resident_kb'] for u in seen]}"
    assert not watch.disordered, watch.disordered[0]
    return (
        f"{len(outcomes)} faults in {arguments.minutes:g} min; second half against first: memory "
        f"{growth_kb:+d} kB of {settled[-1]['resident_kb']}, {settled[-1]['threads']} threads, "
        f"{settled[-1]['files']} files"
    )


VIVID_FAULTS = (
    "disconnect", "unbind", "freeze", "fatal", "no-start", "no-buffers", "flag-error", "qbuf-error",
)  # fmt: skip

CASES: dict[str, Callable[[argparse.Namespace], str]] = {
    "contract": contract,
    "two": two,
    **{name: partial(fault, name) for name in VIVID_FAULTS},
    "mjpeg": mjpeg,
    "feeder-killed": feeder_killed,
    "endurance": endurance,
}


# --- what they share ---


def _camera() -> Camera:
    from edge.cameras.selection import camera_for
    from edge.machine.profile import CameraSettings

    return camera_for("0", CameraSettings(width=640, height=480, fps=25, nominal_um_per_px=0.1, settle_s=1))


def _judged(outcomes: list[Outcome], wrong: list[str], *, outage: bool) -> str:
    told = [each.told_s for each in outcomes if each.told_s is not None]
    back = sorted(each.back_s for each in outcomes)
    detail = (
        f"{len(outcomes)} times; told {len(told)} times, after {max(told, default=0):.1f} s at most; "
        f"back after {back[len(back) // 2]:.1f} s (median), {back[-1]:.1f} s at most"
    )
    assert not wrong, wrong[:5]
    assert not outage or len(told) == len(outcomes), detail
    assert max(told, default=0) <= TOLD_S, detail
    assert back[-1] <= BACK_S, detail
    return detail


def _edge(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"edge.{command}", *arguments], capture_output=True, text=True, check=False
    )


def _loading_s() -> float:
    """What this machine takes to load OpenCV: no more than a second on any that is no emulation."""
    began_s = monotonic()
    subprocess.run([sys.executable, "-c", "import cv2"], check=True)
    return monotonic() - began_s


def _ends(camera: str, message: str) -> float:
    """How long `edge-run` with this camera takes to say what is wrong."""
    began_s = monotonic()
    done = _edge("cli", "--camera", camera, "--headless", "--no-records", "--max-frames", "1")
    took_s = monotonic() - began_s
    assert done.returncode == 1, (done.returncode, done.stderr)
    (line,) = done.stderr.strip().splitlines()
    assert message in line, line
    _write(camera=camera, message=line, took_s=round(took_s, 1))
    return took_s


if __name__ == "__main__":
    sys.exit(main())
