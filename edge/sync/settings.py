"""What a device is told once about its server: `sync.toml` in the data folder, by which a timer sends."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.files import atomic, stricttoml
from edge.sync.pace import KBIT_PER_S
from edge.sync.server import Server
from edge.types import LeukoscopeError

FILE = "sync.toml"


class SettingsError(LeukoscopeError):
    """`sync.toml` cannot be read or written; says why and what to do."""


@dataclass(frozen=True)
class Settings:
    """Where slides are sent, and how; keys of the file.

    Attributes
    ----------
    to : the server's base URL. certificates, token_file : paths, empty without (`edge.sync.server.Server`).
    insecure : plain HTTP to another machine is meant.
    pictures, without_patient : see `edge.sync.message.message`.
    kbit_per_s : sent at most; 0 for no limit.
    """

    to: str
    certificates: str = ""
    token_file: str = ""
    insecure: bool = False
    pictures: bool = False
    without_patient: bool = False
    kbit_per_s: float = KBIT_PER_S

    def __post_init__(self) -> None:
        stricttoml.within("kbit_per_s", self.kbit_per_s, 0, 1e9)

    def server(self) -> Server:
        """The server.

        Raises
        ------
        edge.sync.server.ServerError : the address is none.
        """
        folder, file = self.certificates, self.token_file
        return Server.of(
            self.to, Path(folder) if folder else None, Path(file) if file else None, insecure=self.insecure
        )


def read(path: Path) -> Settings | None:
    """The settings in this file; None where there is none.

    Raises
    ------
    SettingsError : it cannot be read, or something in it is wrong.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        told = getattr(error, "strerror", None) or "is no text"
        raise SettingsError(
            f"{path}: cannot be read ({told}); write it with edge-device sync --save"
        ) from None
    try:
        return stricttoml.build(Settings, tomllib.loads(content))
    except ValueError as error:
        raise SettingsError(f"{path}: {error}; mend it, or write it with edge-device sync --save") from None


def write(path: Path, settings: Settings) -> None:
    """Keep the settings in this file, for its owner alone.

    Raises
    ------
    SettingsError : it cannot be written.
    """
    # a TOML string is a JSON one, but for what is no character of a path or an address
    lines = [
        f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in asdict(settings).items()
    ]
    if not all(line[:-1].isprintable() for line in lines):
        raise SettingsError(f"{path}: a path that cannot be shown cannot be kept; give another")
    try:
        with atomic.as_owner(path):
            atomic.make_folder(path.parent)
            atomic.write(path, "".join(lines).encode())
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written ({error.strerror}); use sudo") from None
