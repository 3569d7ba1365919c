"""The one folder in which `serve` keeps what it writes, and who may use it now."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

from xmppconf.errors import SettingsError


class InUse(SettingsError):
    """Another `serve` runs on this folder."""


def default_folder() -> Path:
    """`$XDG_STATE_HOME/xmppconf`, by default `~/.local/state/xmppconf`."""
    base = os.environ.get("XDG_STATE_HOME", "")
    home = Path(base) if base.startswith("/") else Path.home() / ".local/state"
    return home / "xmppconf"


def random_secret() -> str:
    """192 random bits as text."""
    return secrets.token_urlsafe(24)


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; it is never readable by others, not even for a moment."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


class StateFolder:
    """The folder, made with mode 0700 and locked while this object is open.

    The lock is the kernel's: it goes with the process, so a killed `serve` leaves none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)
            self._lock = os.open(
                path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except OSError as exc:
            raise SettingsError(
                f"the state folder {path} cannot be used ({exc.strerror}); "
                "choose another with --state"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise InUse(
                f"another xmppconf serve runs on {path}; "
                "stop it, or choose another with --state"
            ) from None

    @property
    def run_file(self) -> Path:
        """The settings of this run, secrets and ports included."""
        return self.path / "run.toml"

    def close(self) -> None:
        self.run_file.unlink(missing_ok=True)
        os.close(self._lock)
