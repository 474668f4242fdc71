"""Sticks for the guest: its kernel plays a USB host with sockets, and what is plugged into them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from service_guest import ran

GADGETS = Path("/sys/kernel/config/usb_gadget")
IMAGES = Path("/root/sticks")
SOCKETS = 3
SIZE = 48 << 20
ALIGNED = 1 << 20
FAT, LINUX, EFI = "c", "83", "ef"

MAKERS = {
    "vfat": ("mkfs.vfat", "-n"),
    "exfat": ("mkfs.exfat", "-L"),
    "ext4": ("mkfs.ext4", "-q", "-L"),
    "ntfs": ("mkntfs", "-q", "-F", "-L"),
    "swap": ("mkswap", "-L"),
}


def sockets() -> None:
    """Have sockets, with a stick at each that is not plugged in."""
    ran("modprobe", "-a", "dummy_hcd", "libcomposite", "usb_f_mass_storage")
    if len(list(Path("/sys/class/udc").iterdir())) < SOCKETS:
        ran("modprobe", "--remove", "dummy_hcd")
        ran("modprobe", "dummy_hcd", f"num={SOCKETS}")
    IMAGES.mkdir()
    for socket in range(SOCKETS):
        gadget = GADGETS / str(socket)
        for folder in ("strings/0x409", "configs/c.1", "functions/mass_storage.0"):
            (gadget / folder).mkdir(parents=True)
        (gadget / "idVendor").write_text("0x1d6b")
        (gadget / "idProduct").write_text("0x0104")
        (gadget / "strings/0x409/serialnumber").write_text(f"stick{socket}")
        (gadget / "configs/c.1/mass_storage.0").symlink_to(gadget / "functions/mass_storage.0")


def plug(socket: int, image: Path, *, read_only: bool = False, reader: bool = False) -> None:
    """Plug in a stick, or a reader with a card, which can be taken out alone."""
    pull(socket)
    lun = _lun(socket)
    (lun / "file").write_text("\n")
    (lun / "removable").write_text(f"{int(reader)}")
    (lun / "ro").write_text(f"{int(read_only)}")
    insert(socket, image)
    (GADGETS / str(socket) / "UDC").write_text(f"dummy_udc.{socket}")


def pull(socket: int) -> None:
    """Pull it out, whatever is at work in it."""
    socket_ = GADGETS / str(socket) / "UDC"
    if socket_.read_text().strip():
        socket_.write_text("\n")


def insert(socket: int, image: Path) -> None:
    """Put a card into the reader."""
    (_lun(socket) / "file").write_text(str(image))


def take_out(socket: int) -> None:
    """Take the card out of the reader, whatever is at work in it."""
    (_lun(socket) / "forced_eject").write_text("1")


def _lun(socket: int) -> Path:
    return GADGETS / str(socket) / "functions/mass_storage.0/lun.0"


def image(kind: str, label: str, *options: str) -> Path:
    """A file with a file system, or what else people have on sticks."""
    path = _empty(SIZE)
    ran(*MAKERS[kind], label, *options, str(path))
    return path


def encrypted() -> Path:
    path = _empty(SIZE)
    key = IMAGES / "key"
    key.write_bytes(b"key")
    ran("cryptsetup", "luksFormat", "--batch-mode", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
        str(path), str(key))  # fmt: skip
    return path


def disk(*parts: tuple[str, Path]) -> Path:
    """A disk with a table and these partitions: the type of each, and what is in it."""
    path = _empty(ALIGNED + len(parts) * SIZE)
    table = [
        f"start={_start(i) // 512}, size={SIZE // 512}, type={kind}" for i, (kind, _) in enumerate(parts)
    ]
    _tabled(path, table)
    with path.open("r+b") as whole:
        for number, (_, part) in enumerate(parts):
            whole.seek(_start(number))
            with part.open("rb") as content:
                shutil.copyfileobj(content, whole, 1 << 20)
    return path


def _start(number: int) -> int:
    return ALIGNED + number * SIZE


def _tabled(path: Path, table: Sequence[str]) -> None:
    command = ["sfdisk", "--quiet", "--label", "dos", str(path)]
    subprocess.run(command, input="\n".join(table), text=True, check=True)


def _empty(size: int) -> Path:
    path = IMAGES / f"{len(list(IMAGES.iterdir()))}.img"
    with path.open("wb") as file:
        file.truncate(size)
    return path
