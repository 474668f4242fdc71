"""Who vouches for a bundle: signatures by trusted keys, unknown keys, and what was altered."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.bundle import archive, bundle, signature
from edge.bundle.bundle import BundleError
from edge.machine.profile import data_folder
from export.bundle.keys import KeyFileError, generate, sign
from tests.conftest import add_signature

Make = Callable[..., Path]


def _refusal(path: Path, *, allow_unsigned: bool = True) -> str:
    with pytest.raises(BundleError) as refused:
        bundle.load(path, allow_unsigned=allow_unsigned)
    message = str(refused.value)
    assert str(path) in message
    assert message.isprintable()
    return message


def test_a_signature_by_a_trusted_key(make_bundle: Make, key: Path) -> None:
    read = bundle.load(add_signature(make_bundle(), key))
    assert read.trusted
    fingerprint = json.loads(read.members[signature.MEMBER])["key"]
    assert read.signer == f"hospital ({fingerprint[:16]})"


def test_keys_of_the_machine_are_trusted_too(
    make_bundle: Make, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data_folder() / "keys" / "hospital.pub").rename(tmp_path / "ministry.pub")
    path = add_signature(make_bundle(), key)
    assert "does not trust" in _refusal(path, allow_unsigned=False)
    monkeypatch.setattr(signature, "SYSTEM_KEYS", tmp_path)
    assert str(bundle.load(path).signer).startswith("ministry (")


def test_a_wrong_signature_is_refused_whatever_the_flag(make_bundle: Make, key: Path) -> None:
    path = add_signature(make_bundle(), key, change=lambda manifest: manifest + b" ")
    for allowed in (False, True):
        line = _refusal(path, allow_unsigned=allowed)
        assert "its signature does not fit the manifest and key hospital" in line
        assert "it was altered: do not use it" in line


def test_a_member_changed_after_signing(make_bundle: Make, key: Path, tmp_path: Path) -> None:
    good = archive.members(add_signature(make_bundle(), key).read_bytes())
    good["golden.json"] = b"{}"
    changed = tmp_path / "changed.bundle"
    with zipfile.ZipFile(changed, "w") as made:
        for name, content in good.items():
            made.writestr(name, content)
    assert "member golden.json does not match its sha256" in _refusal(changed)


def test_a_signature_by_an_unknown_key(make_bundle: Make, key: Path, tmp_path: Path) -> None:
    (data_folder() / "keys" / "hospital.pub").write_text("no key\n")
    path = add_signature(make_bundle(), key)
    line = _refusal(path, allow_unsigned=False)
    assert "signed by a key that this machine does not trust" in line
    assert "hospital.pub holds no Ed25519 public key" in line
    assert str(data_folder() / "keys") in line
    read = bundle.load(path, allow_unsigned=True)
    assert (read.trusted, read.signer) == (False, None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"[]", "must be an object"),
        (b"{}", "key is missing"),
        (json.dumps({"key": 7, "ed25519": ""}).encode(), "key is 7"),
        (json.dumps({"key": "a", "ed25519": "ä!"}).encode(), "ed25519 is not base64"),
        (json.dumps({"key": "a", "ed25519": "abc"}).encode(), "ed25519 is not base64"),
    ],
)
def test_something_else_for_a_signature(make_bundle: Make, content: bytes, words: str) -> None:
    path = make_bundle()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(signature.MEMBER, content)
    line = _refusal(path)
    assert "its signature" in line
    assert words in line


def test_a_signature_of_another_length(make_bundle: Make, key: Path) -> None:
    path = make_bundle()
    fingerprint = json.loads(sign(b"", key))["key"]
    short = {"key": fingerprint, "ed25519": base64.b64encode(b"short").decode()}
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(signature.MEMBER, json.dumps(short))
    assert "does not fit" in _refusal(path)


def test_key_pairs(tmp_path: Path) -> None:
    private, public, fingerprint = generate(tmp_path / "new", "lab")
    assert private.stat().st_mode & 0o777 == 0o600
    assert signature.read_public(public).fingerprint == fingerprint
    assert signature.read_public(public).name == "lab"
    before = private.read_bytes()
    with pytest.raises(KeyFileError, match=r"lab\.key: is there already"):
        generate(tmp_path / "new", "lab")
    private.unlink()
    with pytest.raises(KeyFileError, match=r"lab\.pub: is there already"):
        generate(tmp_path / "new", "lab")
    assert not private.exists()
    for path, words in ((private, "cannot be read"), (public, "is not a private Ed25519 key")):
        with pytest.raises(KeyFileError, match=words):
            sign(before, path)
