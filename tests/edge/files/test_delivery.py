"""Files onto a medium: whole or not at all, whatever happens to the medium or the program."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.files import medium, mounts
from edge.files.delivery import Delivery, DeliveryError

ROOT = Path(__file__).parents[3]


def _left(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_files_and_folders_arrive_for_their_owner_alone(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    source = tmp_path / "source"
    source.write_bytes(b"y" * 3_000_000)
    out = tmp_path / "new" / "stick"
    with Delivery(out, needs=3_000_004, tell=lambda done, of: told.append((done, of))) as delivery:
        assert delivery.deliver("a.csv", b"one") == out / "a.csv"
        assert delivery.deliver_file("b.bin", source).read_bytes() == source.read_bytes()
        delivery.deliver("S1.dcm/0001.dcm", b"d")
        with delivery.deliver_folder("whole") as inside:
            inside.deliver("x/y", b"z")
            assert not (out / "whole").exists()
    assert _left(out) == ["S1.dcm/0001.dcm", "a.csv", "b.bin", "whole/x/y"]
    assert {path.stat().st_mode & 0o777 for path in out.rglob("*")} == {0o600, 0o700}
    assert told == sorted(told)
    assert told[-1] == (3_000_005, 3_000_005)
    assert delivery.safe_to_pull_out == ""


def test_what_is_there_is_replaced_whole(tmp_path: Path) -> None:
    for content in (b"old and longer", b"new"):
        with Delivery(tmp_path) as delivery:
            delivery.deliver("a", content)
            with delivery.deliver_folder("f") as inside:
                inside.deliver(content.decode(), content)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert _left(tmp_path) == ["a", "f/new"]


def test_rests_of_an_earlier_run_are_cleared_away_but_not_what_is_written_now(tmp_path: Path) -> None:
    (tmp_path / ".a.part").write_bytes(b"half")
    (tmp_path / ".f.part").mkdir()
    (tmp_path / ".f.part" / "x").write_bytes(b"half")
    (tmp_path / ".g.before.part").mkdir()  # killed between two names: the old folder comes back
    (tmp_path / ".g.before.part" / "x").write_bytes(b"whole")
    (tmp_path / "mine.part").write_bytes(b"of another program")
    with Delivery(tmp_path) as one, one.deliver_folder("slow") as inside:
        inside.deliver("x", b"1")
        with Delivery(tmp_path) as other:
            other.deliver("y", b"2")
            with pytest.raises(DeliveryError, match="another program writes it now"):  # noqa: SIM117
                with other.deliver_folder("slow"):
                    pass
    assert _left(tmp_path) == ["g/x", "mine.part", "slow/x", "y"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full; free some space or choose another folder"),
        (errno.EROFS, "is read-only; make it writable"),
        (errno.EIO, "the medium was pulled out, or fails; put it back and do it again"),
        (errno.ENODEV, "the medium was pulled out"),
        (errno.EACCES, "no permission to write there; choose another folder"),
    ],
)
def test_a_medium_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str) -> None:
    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    with Delivery(tmp_path) as delivery:
        delivery.deliver("a", b"old")
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(DeliveryError, match=words):
            delivery.deliver("a", b"new")
        with pytest.raises(DeliveryError, match=words), delivery.deliver_folder("f") as inside:
            inside.deliver("b", b"new")
    assert _left(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_medium_that_gives_back_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(medium, "digest_of", lambda _: "0" * 64)
    with (
        Delivery(tmp_path) as delivery,
        pytest.raises(DeliveryError, match="came out otherwise than it was written; the medium fails"),
    ):
        delivery.deliver("a", b"x")
    assert _left(tmp_path) == []


def test_a_medium_that_is_gone_while_its_folder_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a lazy unmount: what was below the mount would take the files."""
    with Delivery(tmp_path) as delivery:
        delivery._device = -1
        with pytest.raises(DeliveryError, match="the medium was pulled out"):
            delivery.deliver("a", b"x")
    assert _left(tmp_path) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DeliveryError, match="file/x: there is a file where a folder is needed"):
        Delivery(tmp_path / "file" / "x").__enter__()


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    with Delivery(tmp_path) as delivery:
        for name in ("../x", "/etc/x", ""):
            with pytest.raises(ValueError, match="leads out of the folder"):
                delivery.deliver(name, b"x")


def test_too_little_space_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(medium.shutil, "disk_usage", lambda _: usage(10**8, 10**8, 5_000_000))
    told = r"120\.0 MB are needed, 5\.0 MB are free; free some space or choose another folder"
    with pytest.raises(DeliveryError, match=told):
        Delivery(tmp_path, needs=120_000_000).__enter__()
    with Delivery(tmp_path) as delivery, pytest.raises(DeliveryError, match="free some space"):
        delivery.deliver("a", b"x" * 5_000_000)
    assert _left(tmp_path) == []


def test_fat_holds_no_file_of_4_gib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stick = mounts.Mount(str(tmp_path), "vfat", "8:1", "/dev/sda1", ("rw",))
    monkeypatch.setattr(mounts, "mount_of", lambda _: stick)
    Delivery(tmp_path, largest=2**32 - 1).__enter__()
    with pytest.raises(DeliveryError, match=r"a file of 4\.3 GB is more than the 4\.3 GB that FAT32 holds"):
        Delivery(tmp_path, largest=2**32).__enter__()


def test_a_medium_that_takes_two_names_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAT finds A.csv where a.csv lies; a link stands for that here."""
    listdir = os.listdir
    with Delivery(tmp_path) as delivery:
        delivery.deliver("a.csv", b"small")
        (tmp_path / "A.csv").symlink_to("a.csv")
        monkeypatch.setattr(os, "listdir", lambda folder: [n for n in listdir(folder) if n != "A.csv"])
        for content in (b"large", b"again"):
            found = delivery.deliver("A.csv", content)
    assert found.name == "A~559aead0.csv"
    assert (tmp_path / "a.csv").read_bytes() == b"small"
    assert found.read_bytes() == b"again"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=2m tmpfs {disk} 2>/dev/null"):
        pytest.skip("mounting is not allowed here")
    yield disk
    os.system(f"umount -l {disk} 2>/dev/null")


def test_a_real_disk_that_is_full(small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Delivery(small_disk) as delivery:
        delivery.deliver("a", b"old")
        with pytest.raises(DeliveryError, match=r"5\.0 MB are needed, 2\.\d MB are free"):
            delivery.deliver("a", b"x" * 5_000_000)
        monkeypatch.setattr(delivery, "_fits", lambda *_: None)
        with pytest.raises(DeliveryError, match="disk/a: the disk is full"):
            delivery.deliver("a", b"x" * 5_000_000)
        os.system(f"mount -o remount,ro {small_disk}")
        with pytest.raises(DeliveryError, match="is read-only"):
            delivery.deliver("b", b"x")
        os.system(f"umount -l {small_disk}")
        with pytest.raises(DeliveryError, match="the medium was pulled out"):
            delivery.deliver("b", b"x")
    assert _left(small_disk) == []  # nothing went to what was below


def test_a_file_larger_than_may_be(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with Delivery(tmp_path) as delivery:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
            with pytest.raises(DeliveryError, match="is larger than files may be there"):
                delivery.deliver("a", b"x" * 200_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)
    assert _left(tmp_path) == []


def test_kill_leaves_nothing_half_written_under_a_final_name(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom edge.files.delivery import Delivery\n"
        "with Delivery(Path(sys.argv[1])) as delivery:\n"
        "    print('on', flush=True)\n"
        "    i = 0\n"
        "    while True:\n"
        "        i += 1\n"
        "        delivery.deliver(f'{i % 3}', bytes([i % 256]) * 4_000_000)\n"
    )
    for wait_s in (0.05, 0.2, 0.35):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(wait_s)
        process.kill()
        process.wait()
        process.stdout.close()
        for path in tmp_path.glob("[0-9]"):
            content = path.read_bytes()
            assert len(content) == 4_000_000
            assert len(set(content)) == 1
    with Delivery(tmp_path) as delivery:
        delivery.deliver("last", b"")
    assert not list(tmp_path.glob(".*"))


def test_a_folder_that_never_could_be_written_was_not_pulled_out() -> None:
    with (
        pytest.raises(DeliveryError, match=r"^/proc: (cannot be written|no permission)"),
        Delivery(Path("/proc")),
    ):
        pass
