"""What the kernel shows of the cameras of a made-up machine, as files in a folder."""

from __future__ import annotations

from pathlib import Path


def plug_in(
    root: Path,
    number: int = 0,
    *,
    model: str = "Microscope",
    port: str = "usb1/1-1",
    serial: str = "",
    ids: str = "1234:5678",
    removable: str = "removable",
    index: int = 0,
) -> str:
    """Lay out in `root` what the kernel shows of a camera; the path of its node."""
    place = root / "sys/devices" / port
    interface = place / f"{place.name}:1.0"
    interface.mkdir(parents=True, exist_ok=True)
    if port.startswith("usb"):
        vendor, product = ids.split(":")
        for name, text in (
            ("idVendor", vendor), ("idProduct", product), ("serial", serial), ("removable", removable),
        ):  # fmt: skip
            (place / name).write_text(f"{text}\n")
    entry = root / f"sys/class/video4linux/video{number}"
    entry.mkdir(parents=True)
    (entry / "index").write_text(f"{index}\n")
    (entry / "name").write_text(f"{model}\n")
    (entry / "device").symlink_to(interface)
    node = root / f"dev/video{number}"
    node.parent.mkdir(exist_ok=True)
    node.write_text("")
    return str(node)


def pull_out(root: Path, number: int = 0) -> None:
    """Take away what `plug_in` laid out, but for the port."""
    entry = root / f"sys/class/video4linux/video{number}"
    for name in ("index", "name", "device"):
        (entry / name).unlink()
    entry.rmdir()
    (root / f"dev/video{number}").unlink()
