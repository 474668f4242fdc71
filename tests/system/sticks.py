"""Sticks in a guest with systemd: mounted when they are plugged in, gone when they are pulled out.

    python tests/system/sticks.py --vm PATH/vm-camera.sh     boots the guest and runs every case in it

The kernel of the guest plays USB sticks. In the place of the screening runs a program that does what the
cases ask, as the service's user and in the service's own view of the file system.
Exit status 0: every case passed; 3: one did not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from guest import run
from service_guest import PROGRAM, device, prepare, ran, said, settings, unlike, until
from stick_guest import PLACES, deliver, inside, mounted, options_of, pulled, settled, stand_in
from usb_sticks import (
    EFI,
    FAT,
    IMAGES,
    LINUX,
    disk,
    encrypted,
    image,
    insert,
    plug,
    pull,
    sockets,
    take_out,
)

PACKAGES = "dosfstools e2fsprogs exfatprogs ntfs-3g fdisk cryptsetup-bin procps"
BEFORE: dict[str, str] = {}
"""The files of /etc before setup."""


def main() -> int:
    """Boot the guest, or in it run the cases."""
    return run(__file__, __doc__, CASES, _begin, packages=PACKAGES, timeout_s=3600)


def _begin() -> None:
    prepare()
    stand_in()
    sockets()
    BEFORE.update(settings())


# --- the cases, in this order -------------------------------------------------------------------------------


def installs() -> str:
    """Setup installs it, and a stick that was plugged in before is there afterwards."""
    plug(0, image("vfat", "EARLY"))
    until(lambda: "EARLY" in ran("lsblk", "--output", "LABEL"), "the stick is recognised")
    setup = ("setup", "--profile", "/opt/guest.toml", "--with", "sticks", "--yes")
    device(*setup)
    until((PLACES / "EARLY").is_mount, "the stick is mounted")
    told = inside(f"id; ls -d {PLACES}/EARLY")
    assert "nothing to do" in device(*setup)
    pulled(0, "EARLY")
    return " ".join(told.split())


def writes() -> str:
    """FAT: the service's user alone has it, writes reports to it, and finds it again after a new start."""
    plug(0, image("vfat", "MY STICK"))
    took = mounted("MY_STICK")
    place = PLACES / "MY_STICK"
    status = place.stat()
    user, group = (int(ran("id", option, "leukoscope")) for option in ("-u", "-g"))
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (user, group, 0o700), status
    options = options_of(place)
    assert options >= {"rw", "nosuid", "nodev", "noexec", "nosymfollow", "dirsync", "flush", "utf8"}, options
    deliver(place)
    refused = inside(f"cp /bin/true {place} && {place}/true", fails=True)
    ran("systemctl", "restart", "leukoscope.service")
    deliver(place)
    pulled(0, "MY_STICK")
    return f"mounted after {took:.0f} s, {','.join(sorted(options))}; a program on it: {refused.strip()}"


def kinds() -> str:
    """exFAT, NTFS and ext4 in partitions: the first two are the service's user's, ext4 is as it is."""
    folder = IMAGES / "ext4"
    (folder / "theirs").mkdir(parents=True)
    ran("chown", "leukoscope:", str(folder / "theirs"))
    ran("cp", "/usr/bin/id", str(folder))
    (folder / "id").chmod(0o4755)
    (folder / "link").symlink_to("/var")
    for socket, kind, type_ in ((0, "exfat", "7"), (1, "ntfs", "7")):
        plug(socket, disk((type_, image(kind, f"{kind} s"))))
        mounted(f"{kind}_s")
        deliver(PLACES / f"{kind}_s")
    plug(2, disk((LINUX, image("ext4", "ext", "-d", str(folder)))))
    mounted("ext")
    place = PLACES / "ext"
    assert place.stat().st_uid == 0
    assert options_of(place) >= {"rw", "nosuid", "nodev", "noexec", "nosymfollow"}
    inside(f"touch {place}/file", fails=True)
    deliver(place / "theirs")
    assert (place / "id").stat().st_mode & 0o4000
    for command in (f"{place}/id", f"/lib64/ld-linux-x86-64.so.2 {place}/id", f"ls {place}/link/"):
        inside(command, fails=True)
    shown = {name: ",".join(sorted(options_of(PLACES / name))) for name in ("exfat_s", "ntfs_s", "ext")}
    for socket, name in enumerate(shown):
        pulled(socket, name)
    return str(shown)


def pulled_out() -> str:
    """Pulled out in the middle of a delivery: it is gone, and every file that has its name is whole."""
    whole = {}
    for kind in ("vfat", "exfat", "ntfs", "ext4"):
        stick = image(kind, "PULLED")
        plug(0, stick)
        mounted("PULLED")
        if kind == "ext4":
            ran("chown", "leukoscope:", str(PLACES / "PULLED"))
        inside(f"exec >/dev/null 2>&1; {PROGRAM}/python3 /opt/deliver.py {PLACES}/PULLED 100000 &")
        folder = PLACES / "PULLED/leukoscope"
        until(lambda: len(list(folder.glob("B*"))) > 3, "files are delivered")  # noqa: B023
        pulled(0, "PULLED")
        until(lambda: "deliver.py" not in ran("ps", "ax"), "the delivery has ended")
        plug(0, stick)
        mounted("PULLED")
        files = list(folder.glob("B*"))
        assert all(file.stat().st_size == 40000 for file in files), files
        assert len({file.read_bytes() for file in files}) == len(files)
        # NTFS may be left as only Windows can mend it, and is then only read
        assert kind == "ntfs" or (files and "rw" in options_of(PLACES / "PULLED")), f"{kind}: {files}"
        if "rw" in options_of(PLACES / "PULLED"):
            deliver(PLACES / "PULLED")
        whole[kind] = f"{len(files)} {'rw' if 'rw' in options_of(PLACES / 'PULLED') else 'ro'}"
        pulled(0, "PULLED")
    return f"whole files: {whole}"


def labels() -> str:
    """Whatever is in a label, the place has a plain name of its own, below the one folder."""
    odd = ["../../../etc", "..", "a b'c\"d", "$(reboot);", "-rf *", "Отчёты", "x/y\\z", "", "`id`\n%n%s"]
    places = {}
    for label in odd:
        plug(0, image("ext4", label))
        until(lambda: len(list(PLACES.iterdir())) == 1 and next(PLACES.iterdir()).is_mount(), "it is mounted")
        (place,) = PLACES.iterdir()
        places[label] = place.name
        pull(0)
        until(lambda: not list(PLACES.iterdir()), "it is gone")
    assert all(name.replace("_", "").replace("-", "").isalnum() for name in places.values()), places
    assert places[""] == places[".."] == "stick"
    return str(places)


def twins() -> str:
    """Two of the same name at once have two places, and each goes alone."""
    stick = image("vfat", "TWIN")
    other = IMAGES / "twin.img"
    other.write_bytes(stick.read_bytes())
    plug(0, stick)
    plug(1, other)
    until(lambda: len([place for place in PLACES.glob("TWIN*") if place.is_mount()]) == 2, "both are mounted")
    names = sorted(place.name for place in PLACES.iterdir())
    for name in names:
        deliver(PLACES / name)
    pull(0)
    until(lambda: len(list(PLACES.iterdir())) == 1, "one is gone")
    (left,) = PLACES.iterdir()
    deliver(left)
    pulled(1, left.name)
    return str(names)


def at_once() -> str:
    """One pulled out and another plugged in without a pause: it is there, and not the one before."""
    sticks = {name: image("vfat", name) for name in ("ONE", "OTHER")}
    took = []
    for name in [*sticks] * 2:
        plug(0, sticks[name])
        took.append(f"{mounted(name):.0f} s")
        assert [place.name for place in PLACES.iterdir()] == [name]
    pulled(0, "OTHER")
    return ", ".join(took)


def locked() -> str:
    """One whose switch says so is only read, and one that cannot be read leaves nothing behind."""
    plug(0, image("vfat", "LOCKED"), read_only=True)
    mounted("LOCKED")
    assert "ro" in options_of(PLACES / "LOCKED")
    inside(f"ls {PLACES}/LOCKED")
    refused = inside(f"touch {PLACES}/LOCKED/file", fails=True)
    broken = image("ext4", "BROKEN")
    with broken.open("r+b") as file:
        file.truncate(4 << 20)
    plug(1, broken)
    until(lambda: "BROKEN" in said("leukoscope-stick@*"), "it was tried")
    until(lambda: not (PLACES / "BROKEN").exists(), "nothing is left of it")
    pull(1)
    pulled(0, "LOCKED")
    return refused.strip()


def left_alone() -> str:
    """Records, encrypted ones, swap, start-up loaders and what fstab names are not mounted."""
    cases = {
        "records": image("ext4", "LEUKOSCOPE"),
        "the records' disk": disk((FAT, image("vfat", "BESIDE")), (LINUX, image("ext4", "LEUKOSCOPE"))),
        "encrypted": disk((LINUX, encrypted())),
        "swap": image("swap", "SWAP"),
        "a loader": disk((EFI, image("vfat", "EFI"))),
        "named": image("vfat", "NAMED"),
    }
    witness = image("vfat", "WITNESS")
    fstab = Path("/etc/fstab")
    before = fstab.read_text()
    fstab.write_text(before + "LABEL=NAMED /mnt/named vfat noauto 0 0\n")
    try:
        for name, stick in cases.items():
            plug(0, stick)
            settled()
            plug(1, witness)  # had the other one been mounted, it would be by now
            mounted("WITNESS")
            assert [place.name for place in PLACES.iterdir()] == ["WITNESS"], name
            pull(0)
            pulled(1, "WITNESS")
    finally:
        fstab.write_text(before)
    return ", ".join(cases)


def reader() -> str:
    """A card taken out of a reader that stays is gone, and so is the next; with and without partitions."""
    took = []
    for card in (image("vfat", "CARD"), disk((FAT, image("vfat", "CARD")))):
        plug(0, card, reader=True)
        for _ in range(2):
            mounted("CARD")
            deliver(PLACES / "CARD")
            began = monotonic()
            take_out(0)
            until(lambda: not (PLACES / "CARD").exists(), "the card is gone")
            took.append(f"{monotonic() - began:.0f} s")
            insert(0, card)
        mounted("CARD")
        pulled(0, "CARD")
    return f"gone after {', '.join(took)}"


def undone() -> str:
    """Undo lets go of the stick that is plugged in and gives back everything; no other is mounted then."""
    plug(0, image("vfat", "LAST"))
    mounted("LAST")
    device("setup", "--undo", "--yes")
    assert not PLACES.exists()
    after = settings()
    assert not unlike(BEFORE, after), unlike(BEFORE, after)
    pull(0)
    plug(1, image("vfat", "LATER"))
    until(lambda: "LATER" in ran("lsblk", "--output", "LABEL"), "it is recognised")
    settled()
    assert "LATER" not in Path("/proc/self/mountinfo").read_text()
    assert "leukoscope-stick@" not in ran("systemctl", "list-units", "--all", "--plain", "--no-legend")
    return f"{len(after)} files of /etc as before"


CASES: dict[str, Callable[[], str]] = {
    case.__name__: case
    for case in (
        *(installs, writes, kinds, pulled_out, labels, twins, at_once, locked, left_alone, reader),
        undone,
    )
}


if __name__ == "__main__":
    sys.exit(main())
