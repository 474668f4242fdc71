"""Inside the guest: the service that writes to sticks, and what is seen of them."""

from __future__ import annotations

import json
from pathlib import Path
from time import monotonic

from service_guest import PROGRAM, STATE, ran, until
from usb_sticks import pull

PLACES = Path("/run/media/leukoscope")

IN_THE_SERVICE = f"""#!{PROGRAM}/python3
import json, subprocess, time
from pathlib import Path
from edge.machine.systemd import ServiceNotifier
notifier, asked = ServiceNotifier(), Path("{STATE}/asked")
while True:
    notifier.waiting(None)
    if asked.exists():
        done = subprocess.run(["sh", "-c", asked.read_text()], capture_output=True, text=True)
        Path("{STATE}/told").write_text(json.dumps([done.returncode, done.stdout + done.stderr]))
        asked.unlink()
    time.sleep(0.3)
"""

DELIVER = """
import sys
from pathlib import Path
from edge.files import mounts
from edge.files.delivery import Delivery
place, count = Path(sys.argv[1]), int(sys.argv[2])
with Delivery(place / "leukoscope") as delivery:
    for number in range(count):
        delivery.deliver(f"Bêta Müller {number}.html", b"%8d" % number * 5000)
print(delivery.safe_to_pull_out, *[mount.point for mount in mounts.carried() if not mount.read_only], sep="|")
"""


def stand_in() -> None:
    """Have a program in the place of the screening that does what it is asked to."""
    (PROGRAM / "edge-run").write_text(IN_THE_SERVICE)
    Path("/opt/deliver.py").write_text(DELIVER)


def inside(command: str, *, fails: bool = False) -> str:
    """What a command says that the service runs."""
    half = STATE / "asked.part"
    half.write_text(command)
    half.chmod(0o644)
    half.rename(STATE / "asked")
    until(lambda: not (STATE / "asked").exists(), f"the service has run {command}")
    status, said_ = json.loads((STATE / "told").read_text())
    assert bool(status) == fails, f"{command}: {status}: {said_}"
    return str(said_)


def deliver(place: Path) -> None:
    """The service delivers reports there, and says that it is safe to pull it out."""
    safe, *carried = inside(f"{PROGRAM}/python3 /opt/deliver.py {place} 3").strip().split("|")
    assert "safe to pull out" in safe, safe
    assert any(place.is_relative_to(point) for point in carried), carried
    assert len(list((place / "leukoscope").glob("B*.html"))) >= 3


def mounted(name: str) -> float:
    began = monotonic()
    until((PLACES / name).is_mount, f"{name} is mounted")
    return monotonic() - began


def pulled(socket: int, name: str) -> None:
    """Pull it out; it is gone for everybody, the service too."""
    pull(socket)
    until(lambda: not (PLACES / name).exists(), f"{name} is gone")
    assert f"{PLACES}/{name} " not in inside("cat /proc/self/mountinfo")


def settled() -> None:
    ran("udevadm", "settle")
    until(lambda: not ran("systemctl", "list-jobs", "--no-legend").count("stick"), "systemd is done with it")


def options_of(place: Path) -> set[str]:
    """Those of the mount and of its file system."""
    (found,) = json.loads(ran("findmnt", "--json", "--output", "OPTIONS", str(place)))["filesystems"]
    return set(found["options"].split(","))
