"""Installing a model from a stick: what is refused, and that nothing interrupted leaves a broken machine."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from edge import device, update
from edge.bundle import bundle, installed, sitefile
from edge.bundle.bundle import Bundle, BundleError
from edge.files import atomic
from edge.machine.profile import data_folder
from edge.selftest.selftest import SelftestError
from edge.types import LeukoscopeError
from edge.update import UpdateError, install, rollback
from tests.conftest import CLASSES, add_signature, golden, graph, manifest, pack
from tests.edge.bundle.sites import site

Signed = Callable[..., Path]


def _install(path: Path, test: Callable[[Bundle], None] = lambda _: None) -> Bundle:
    return install(path, test, lambda _: None, lambda _: None, even_so=True)


def _version() -> str:
    """Of the bundle that a screening would use."""
    return bundle.load().manifest.version


SHIPPED = bundle.load(bundle.shipped_path()).manifest.version


def test_install_and_go_back_once(signed: Signed) -> None:
    found = _install(signed("1"))
    assert found.path == installed.path_of(found.sha256)
    assert _version() == "1"
    _install(signed("2"))
    assert _version() == "2"
    assert rollback(pytest.fail).manifest.version == "1"
    for _ in range(2):
        with pytest.raises(UpdateError, match="nothing older than small 1, which is in use"):
            rollback(pytest.fail)
        assert _version() == "1"
        assert "before: nothing older" in update.status()
    _install(signed("3"))  # from now on there is something before again
    assert len(list(installed.folder().glob("*.bundle"))) == 2  # in use, and the one before
    rollback(pytest.fail)
    assert _version() == "1"


def test_back_to_the_shipped_bundle(signed: Signed) -> None:
    _install(signed("1"))
    rollback(pytest.fail)
    assert _version() == SHIPPED
    with pytest.raises(UpdateError, match="nothing older"):
        rollback(pytest.fail)
    _install(signed("1"))
    _install(bundle.shipped_path())
    assert _version() == SHIPPED
    assert installed.state().current == ""
    rollback(pytest.fail)
    assert _version() == "1"


def test_nothing_to_go_back_to() -> None:
    with pytest.raises(UpdateError, match=f"nothing older than leukocytes {SHIPPED}, which is in use"):
        rollback(pytest.fail)


def test_installing_the_same_again_repairs_it(signed: Signed) -> None:
    _install(signed("1"))
    path = _install(signed("2")).path
    path.write_bytes(b"gone bad")
    with pytest.raises(BundleError, match="is not as it was installed"):
        bundle.load()
    _install(signed("2"))
    assert _version() == "2"
    rollback(pytest.fail)
    assert _version() == "1"


# -- refusals ------------------------------------------------------------------------------------------------


def _untrusted(path: Path) -> Path:
    (data_folder() / "keys" / "hospital.pub").unlink()
    return path


def _cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-100])
    return path


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_untrusted, "does not trust"),
        (_cut, "damaged"),
        (lambda path: path.with_name("none"), "no such file"),
    ],
)
def test_a_bundle_that_is_refused_changes_nothing(
    signed: Signed, spoil: Callable[[Path], Path], words: str
) -> None:
    with pytest.raises(BundleError, match=words):
        _install(spoil(signed("2")))
    assert _version() == SHIPPED
    assert not installed.folder().exists()


def test_a_large_bundle_is_never_installed(signed: Signed) -> None:
    path = signed("2", more=os.urandom(2**20) * 65)
    with pytest.raises(BundleError, match=r"MiB, 64.0 MiB are allowed; .*edge-device update installs none"):
        _install(path)
    assert _version() == SHIPPED


def test_golden_cases_that_fail_change_nothing(signed: Signed) -> None:
    def fails(_: Bundle) -> None:
        raise SelftestError("self-test: fails")

    _install(signed("1"))
    with pytest.raises(SelftestError):
        _install(signed("2"), fails)
    assert _version() == "1"
    assert len(list(installed.folder().iterdir())) == 2


def test_too_little_space(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**7, 10**7, 2_000_000))
    with pytest.raises(UpdateError, match=r"MB do not fit, 2\.0 MB are free; free some space"):
        _install(signed("1"))
    assert _version() == SHIPPED


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_disk_that_fails(signed: Signed, monkeypatch: pytest.MonkeyPatch, code: int, call: str) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    _install(signed("1"))
    monkeypatch.setattr(*((os, "fsync", fail) if call == "fsync" else (Path, "replace", fail)))
    with pytest.raises(UpdateError, match=f"cannot be written .{os.strerror(code)}"):
        _install(signed("2"))
    monkeypatch.undo()
    assert not list(installed.folder().glob(".*.part"))


def test_a_disk_that_gives_back_something_else(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(signed("1"))
    write = atomic.write
    monkeypatch.setattr(atomic, "write", lambda path, content: write(path, content[:-1] + b"\\0"))
    with pytest.raises(LeukoscopeError):
        _install(signed("2"))
    assert _version() == "1"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount")
def test_a_small_disk(signed: Signed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real one, too small for the bundle, with the check for space taken away."""
    disk = installed.folder()
    disk.mkdir()
    if os.system(f"mount -t tmpfs -o size=64k tmpfs {disk} 2>/dev/null"):
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(UpdateError, match="do not fit"):
            _install(signed("1"))
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 0, 10**9))
        with pytest.raises(UpdateError, match="No space left on device"):
            _install(signed("1"))
        assert _version() == SHIPPED
        assert list(disk.iterdir()) == []
    finally:
        os.system(f"umount {disk}")


# -- one that is not what is in use --------------------------------------------------------------------------


def test_a_model_of_chance_needs_even_so_and_is_marked_for_good(
    signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    path = signed("1")
    assert device.main(["update", str(path)]) == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    assert error.startswith("edge-device: update stick-1.bundle: is hardly better than chance: it knows ")
    assert error.endswith(
        "what was in use still is. To use it all the same, marked in every record: --even-so\n"
    )
    assert _version() == SHIPPED
    assert [file for file in installed.folder().iterdir() if file.suffix == ".bundle"] == []

    assert device.main(["update", str(path), "--even-so"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("in use from the next start on: small 1, ")
    assert "\ncompared: knows 4 of 44 labelled cells, " in out
    assert "  caveat: installed even so: is hardly better than chance" in out
    caveats = bundle.load().caveats
    assert [caveat.split(":")[0] for caveat in caveats] == ["installed even so"] * 2
    assert caveats[1].startswith("installed even so: knows 4 of 44 labelled cells, the model before 4")
    device.main(["update", "--status"])
    assert f"  caveat: {caveats[0]}\n" in capsys.readouterr().out
    assert bundle.load(path).caveats == ()  # of how it was installed, not of the file

    _install_good(path)  # again: nothing to compare, and its caveats stay
    assert bundle.load().caveats == caveats
    _install_good(bundle.shipped_path())
    assert bundle.load().caveats == ()
    assert rollback(pytest.fail).caveats == caveats
    assert bundle.load().caveats == caveats


def _install_good(path: Path) -> Bundle:
    return install(path, lambda _: None, lambda _: None, pytest.fail)


def test_another_kind_is_refused_before_any_doubt(signed: Signed, key: Path) -> None:
    _install(signed("1"))
    fewer = manifest(classes=CLASSES[:-1], version="ten")
    members = {"classifier.onnx": graph(classes=10)}
    path = pack(signed("x"), fewer, members | golden(members, CLASSES[:-1]))
    with pytest.raises(
        UpdateError, match=r"names other classes than the one in use \(without artefact\); .*--even-so"
    ):
        _install_good(add_signature(path, key))
    assert _version() == "1"


def test_one_in_use_that_cannot_be_read_is_not_compared_with(signed: Signed) -> None:
    _install(signed("1")).path.write_bytes(b"bad")
    told: list[str] = []
    found = install(signed("2"), lambda _: None, lambda _: None, told.append, even_so=True)
    assert told[0].startswith("not compared with the model in use: bundle ")
    assert found.caveats[0].startswith("installed even so: is hardly better than chance")


@pytest.mark.parametrize("caveats", [[], "x", [1], ["a", "a"], ["two\nlines"], ["x" * 201]])
def test_damaged_caveats_are_a_damaged_state(signed: Signed, caveats: object) -> None:
    sha256 = _install(signed("1")).sha256
    state = {"current": sha256, "previous": "", "caveats": {sha256: caveats}}
    (installed.folder() / "current.json").write_text(json.dumps(state))
    with pytest.raises(BundleError, match=r"current\.json is damaged .*--rollback"):
        bundle.load()


# -- going back from something broken ------------------------------------------------------------------------


def test_back_from_a_bundle_gone_bad(signed: Signed) -> None:
    _install(signed("1"))
    path = _install(signed("2")).path
    path.write_bytes(b"bad")
    assert rollback(pytest.fail).manifest.version == "1"
    assert _version() == "1"
    with pytest.raises(UpdateError, match="nothing older"):
        rollback(pytest.fail)
    assert _version() == "1"
    installed.path_of(installed.state().current).write_bytes(
        b"bad"
    )  # then the shipped one is better than none
    told: list[str] = []
    assert rollback(told.append).manifest.version == SHIPPED
    assert "the shipped bundle is taken" in told[0]


def test_a_damaged_one_before_is_not_gone_back_to(signed: Signed) -> None:
    path = _install(signed("1")).path
    _install(signed("2"))
    path.write_bytes(b"bad")
    with pytest.raises(UpdateError, match="cannot go back"):
        rollback(pytest.fail)
    assert _version() == "2"


def test_when_both_are_bad_the_shipped_one_is_taken_and_said(signed: Signed) -> None:
    for version in ("1", "2"):
        _install(signed(version)).path.write_bytes(b"bad") if version == "2" else _install(signed(version))
    for path in installed.folder().glob("*.bundle"):
        path.write_bytes(b"bad")
    told: list[str] = []
    assert rollback(told.append).manifest.version == SHIPPED
    assert "the shipped bundle is taken" in told[0]
    assert _version() == SHIPPED


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"current": "../../x", "previous": ""}', '{"current": 1}']
)
def test_a_damaged_state(signed: Signed, content: str) -> None:
    _install(signed("1"))
    (installed.folder() / "current.json").write_text(content)
    with pytest.raises(BundleError, match=r"current\.json is damaged .*--rollback"):
        bundle.load()
    with pytest.raises(UpdateError, match=r"current\.json is damaged"):
        _install(signed("2"))
    told: list[str] = []
    assert rollback(told.append).manifest.version == SHIPPED
    assert "damaged" in told[0]
    assert _version() == SHIPPED


# -- the command ---------------------------------------------------------------------------------------------


def test_the_command(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: object) -> tuple[int, str, str]:
        status = device.main(["update", *map(str, arguments)])
        out, error = capsys.readouterr()
        return status, out, error

    status, out, error = run()
    assert (status, error) == (0, "")
    assert f"in use: leukocytes {SHIPPED}" in out
    assert "hospital (" in out
    status, out, error = run(signed("7"), "--even-so")
    assert (status, error) == (0, "")
    assert "in use from the next start on: small 7" in out
    assert "signed by hospital" in out
    kept = json.loads((data_folder() / "selftest.json").read_text())
    assert bundle.load().sha256 in next(iter(kept))  # edge-run need not run it again
    assert "before: leukocytes" in run("--status")[1]
    assert run("--rollback")[0] == 0
    assert f"in use: leukocytes {SHIPPED}" in run("--status")[1]


def test_the_command_refuses_with_one_line(
    signed: Signed, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (data_folder() / "keys" / "strange.pub").write_text("strange")
    bad = signed("8", **{"golden.json": b"{}"})
    for arguments, status, words in (
        (["none.bundle"], 1, "none.bundle: no such file"),
        ([str(bad)], 1, "golden.json: tolerance is missing"),
        (["--rollback"], 1, "nothing older"),
        (["a", "--rollback"], 2, "not allowed with argument"),
        (["a", "--runtime", "abacus"], 2, "abacus"),
    ):
        try:
            said = device.main(["update", *arguments])
        except SystemExit as wrong_usage:
            said = int(str(wrong_usage.code))
        error = capsys.readouterr().err.strip().splitlines()
        assert said == status
        assert len(error) == 1
        assert error[0].startswith("edge-device")
        assert words in error[0]
    assert _version() == SHIPPED
    device.main(["update"])
    assert "not an Ed25519 public key" in capsys.readouterr().out


def test_a_site_of_the_model_before_is_told(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    path = sitefile.own_path()
    sitefile.write(path, site(bundle.load().manifest.network))
    assert device.main(["update", str(signed("7")), "--even-so"]) == 0
    assert capsys.readouterr().err == (
        f"edge-device: site {path}: was measured with another model and no longer holds; measure it anew: "
        "edge-device adapt --healthy --camera 0\n"
    )
    assert device.main(["update", "--rollback"]) == 0
    assert capsys.readouterr().err == ""


def test_each_step_is_told(signed: Signed) -> None:
    steps: list[int] = []
    install(signed("1"), lambda _: None, steps.append, lambda _: None, even_so=True)
    assert steps == list(range(len(update._STEPS)))


def test_the_content_is_what_was_checked(signed: Signed) -> None:
    """A stick that changes between check and copy gains nothing: the bytes are read once."""
    path = signed("1")
    content = path.read_bytes()

    def spoil(step: int) -> None:
        path.write_bytes(b"x" if step else content)

    found = install(path, lambda _: None, spoil, lambda _: None, even_so=True)
    assert installed.path_of(found.sha256).read_bytes() == content
    assert found.sha256 == hashlib.sha256(content).hexdigest()
