"""Settings: what the program remembers between runs, in one readable file of the user."""

from __future__ import annotations

from math import isfinite
from pathlib import Path

import platformdirs
from PySide6.QtCore import QByteArray, QSettings


def settings_file() -> Path:
    """Return the file of the settings."""
    return platformdirs.user_config_path("rfstudio", appauthor=False) / "settings.ini"


class Settings:
    """Reads and writes remembered values; a value of the wrong type counts as missing.

    Parameters
    ----------
    path
        The file; the user's own if None.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._store = QSettings(str(path or settings_file()), QSettings.Format.IniFormat)

    def text(self, key: str, default: str = "") -> str:
        """Return a remembered text."""
        value = self._store.value(key, default)
        return value if isinstance(value, str) else default

    def texts(self, key: str) -> list[str]:
        """Return a remembered list of texts."""
        value = self._store.value(key, [])
        if isinstance(value, str):
            return [value] if value else []
        if not isinstance(value, list):
            return []
        return [x for x in value if isinstance(x, str)]

    def flag(self, key: str, default: bool) -> bool:
        """Return a remembered switch."""
        value = self._store.value(key, default)
        if isinstance(value, bool):
            return value
        return {"true": True, "false": False}.get(str(value).lower(), default)

    def number(self, key: str, default: float) -> float:
        """Return a remembered number; neither infinity nor NaN is one."""
        try:
            number = float(str(self._store.value(key, default)))
        except ValueError:
            return default
        return number if isfinite(number) else default

    def bytes(self, key: str) -> QByteArray:
        """Return remembered bytes, such as the state of a window; empty if there are none."""
        value = self._store.value(key)
        return value if isinstance(value, QByteArray) else QByteArray()

    def set(self, key: str, value: object) -> None:
        """Remember a value."""
        self._store.setValue(key, value)

    def forget(self, key: str) -> None:
        """Forget a value and all below it."""
        self._store.remove(key)

    def sync(self) -> None:
        """Write to the file now."""
        self._store.sync()
