"""Every way a bundle can be bad gets its own clear line, and who vouches for a good one is told."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, load_from_string

from edge.bundle import bundle, installed
from edge.bundle.bundle import BundleError
from edge.machine.profile import data_folder
from tests.conftest import add_signature, graph, pack
from tests.conftest import manifest as about

Make = Callable[..., Path]

QUICK = settings(
    max_examples=60, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


def _refusal(path: Path | None, *, allow_unsigned: bool = True) -> str:
    with pytest.raises(BundleError) as refused:
        bundle.load(path, allow_unsigned=allow_unsigned)
    message = str(refused.value)
    assert str(path or "bundle") in message
    assert message.isprintable()
    return message


def test_a_good_bundle_is_read(make_bundle: Make) -> None:
    read = bundle.load(make_bundle(), allow_unsigned=True)
    assert read.manifest.classes[0] == "blast"
    assert (read.trusted, read.signer) == (False, None)
    assert len(read.sha256) == 64
    assert read.graph("ort-fp32") == graph()


def test_a_graph_that_it_does_not_have(make_bundle: Make) -> None:
    with pytest.raises(BundleError, match="no graph for trt-int8, only for ort-fp32"):
        bundle.load(make_bundle(), allow_unsigned=True).graph("trt-int8")


def test_a_foreign_bundle_needs_a_flag(make_bundle: Make) -> None:
    line = _refusal(make_bundle(), allow_unsigned=False)
    assert "neither shipped with this program nor signed by a trusted key" in line
    assert "--allow-unsigned" in line


def test_the_shipped_bundle_is_trusted() -> None:
    shipped = bundle.load()
    assert shipped.trusted
    assert shipped.signer is None
    assert shipped.manifest.name == "leukocytes"
    assert shipped.path.stat().st_size < 12e6


def test_bundles_that_ship_are_known_by_name() -> None:
    other = bundle.load(Path("cnmc-cnn"))
    assert other.trusted
    assert other.manifest.name == "cnmc-cnn"
    assert other.manifest.um_per_px == 0.06
    assert other.path.stat().st_size < 5e6


def test_a_file_goes_before_a_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cnmc-cnn").write_bytes(b"mine")
    monkeypatch.chdir(tmp_path)
    assert bundle.located(Path("cnmc-cnn")) == Path("cnmc-cnn")
    assert bundle.located(Path("nobody")) == Path("nobody")


# -- files that are none ---------------------------------------------------------------------------------


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    for name, words in (
        ("none", "no such file"), ("", "cannot be read (Is a directory)"), ("empty", "is empty; copy"),
        ("pipe", "is a device or a pipe, not a file"), ("empty/x", "cannot be read (Not a directory)"),
    ):  # fmt: skip
        assert words in _refusal(tmp_path / name), name
    assert "device" in _refusal(Path("/dev/zero"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(make_bundle: Make) -> None:
    path = make_bundle()
    path.chmod(0)
    assert "cannot be read (Permission denied)" in _refusal(path)


def test_a_file_that_fails_while_it_is_read(make_bundle: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", fail)
    assert "cannot be read (Permission denied)" in _refusal(make_bundle())


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as stream:
        stream.truncate(5000 * 2**20)
    assert "has 5,000.0 MiB, 64.0 MiB are allowed; not opened; --large opens it" in _refusal(huge)
    with pytest.raises(BundleError, match=r"has 5,000.0 MiB, 640.0 MiB are allowed; not opened$"):
        bundle.load(huge, allow_unsigned=True, large=True)


def test_a_large_one_is_opened_where_it_is_asked_for(make_bundle: Make) -> None:
    members = {"classifier.onnx": graph(), "more": os.urandom(2**20) * 65}
    path = make_bundle(members=members)
    packed = _refusal(path)
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(path.with_name("flat"), "w") as flat:
        for name in archive.namelist():
            flat.writestr(name, archive.read(name))
    for line in (packed, _refusal(path.with_name("flat"))):
        assert "65." in line
        assert "MiB, 64.0 MiB are allowed; not opened; --large opens it all the same" in line
    for large in (path, path.with_name("flat")):
        assert bundle.load(large, allow_unsigned=True, large=True).members["more"] == members["more"]


def test_not_a_zip(tmp_path: Path) -> None:
    (tmp_path / "text.bundle").write_text("not a zip at all")
    assert "damaged or not a bundle" in _refusal(tmp_path / "text.bundle")


# -- members: what a zip may hold is tested in test_archive.py -----------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_truncated(make_bundle: Make, share: float) -> None:
    path = make_bundle()
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "damaged or not a bundle" in _refusal(path)


def test_zip_slip(make_bundle: Make) -> None:
    assert "member '../classifier.onnx' points outside" in _refusal(
        make_bundle(members={"../classifier.onnx": b""})
    )


def test_a_zip_bomb(make_bundle: Make) -> None:
    assert "as a zip bomb does" in _refusal(make_bundle(graph=bytes(30_000_000)))


def test_wrong_hash(make_bundle: Make) -> None:
    line = _refusal(make_bundle(graph=graph(), files={"classifier.onnx": "0" * 64}))
    assert "member classifier.onnx does not match its sha256" in line


def test_missing_members(make_bundle: Make, tmp_path: Path) -> None:
    assert "classifier.onnx is missing" in _refusal(
        make_bundle(members={}, files={"classifier.onnx": "0" * 64})
    )
    assert "which files does not list" in _refusal(make_bundle(members={}))
    with zipfile.ZipFile(tmp_path / "bare", "w") as bare:
        bare.writestr("classifier.onnx", graph())
    assert "manifest.json is missing" in _refusal(tmp_path / "bare")


def test_stowaway(make_bundle: Make) -> None:
    known = {"classifier.onnx": hashlib.sha256(graph()).hexdigest()}
    path = make_bundle(members={"classifier.onnx": graph(), "extra": b"y"}, files=known)
    assert "member extra is not in its manifest" in _refusal(path)


def test_external_data(make_bundle: Make, tmp_path: Path) -> None:
    """The file exists and would be read from the working folder by a runtime that follows it."""
    (tmp_path / "weights").write_bytes(bytes(1000))
    model = load_from_string(graph())
    weights = model.graph.initializer[2]
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=str(tmp_path / "weights"))
    line = _refusal(make_bundle(graph=model.SerializeToString()))
    assert "member classifier.onnx keeps weights in another file (external data); not opened" in line


def test_not_a_graph(make_bundle: Make) -> None:
    assert "member classifier.onnx is not an ONNX graph" in _refusal(make_bundle(graph=b"no graph"))


def test_a_bad_manifest_is_named(make_bundle: Make) -> None:
    assert "manifest.json: format 1 is older" in _refusal(make_bundle(format=1))
    assert "manifest.json: thresholds is a list of 1; it must be an object" in _refusal(
        make_bundle(thresholds=[1])
    )


# -- which one is in use -------------------------------------------------------------------------------------


def _install(path: Path, key: Path) -> str:
    content = add_signature(path, key).read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    installed.folder().mkdir(parents=True)
    installed.path_of(sha256).write_bytes(content)
    installed.switch(installed.Installation(current=sha256))
    return sha256


def test_the_installed_bundle_goes_before_the_shipped(make_bundle: Make, key: Path) -> None:
    sha256 = _install(make_bundle(), key)
    assert bundle.load().sha256 == sha256
    installed.switch(installed.Installation(current="", previous=sha256))
    assert bundle.load().manifest.name == "leukocytes"


def test_an_installed_bundle_gone_bad_is_told_never_replaced_in_silence(make_bundle: Make, key: Path) -> None:
    path = installed.path_of(_install(make_bundle(), key))
    good = path.read_bytes()
    for content, words in (
        (good[:-9], "is not as it was installed"),
        (b"", "is empty"),
        (None, "no such file"),
    ):
        path.write_bytes(content) if content is not None else path.unlink()
        line = _refusal(None, allow_unsigned=True)
        assert words in line
        assert "edge-device update --rollback goes back to the model before" in line
    path.write_bytes(good)
    (data_folder() / "keys" / "hospital.pub").unlink()
    assert "does not trust" in _refusal(None)
    (installed.folder() / "current.json").write_text('{"current": ')
    line = _refusal(None)
    assert "current.json is damaged" in line
    assert "--rollback" in line


# -- anything at all -----------------------------------------------------------------------------------------


@QUICK
@given(st.data())
def test_only_bundle_errors_come_out(make_bundle: Make, data: st.DataObject) -> None:
    content = bytearray(_small())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        bundle.opened(Path("x.bundle"), bytes(content), allow_unsigned=True)
    except BundleError as error:
        line = str(error)
    else:
        line = ""
    assert not line or (line.startswith("bundle x.bundle: ") and line.isprintable())


def _small() -> bytes:
    path = data_folder().parent / "small.bundle"
    if not path.exists():
        pack(path, about(), {"classifier.onnx": graph()})
    return path.read_bytes()
