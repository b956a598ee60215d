"""Folders on this machine and in Flyte's storage, under one interface. Every call blocks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Protocol

import flyte.storage


class Storage(Protocol):
    """A folder somewhere.

    Attributes:
        place: Its path or address.
    """

    place: str

    def below(self, name: str) -> Storage:
        """Return a folder in it."""

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each file in and below it, by its name relative to this one."""

    def read(self, name: str) -> bytes:
        """Return a file's content."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file."""

    def put(self, source: Path, name: str) -> None:
        """Copy a file of this machine into it."""

    def fetch(self, name: str, target: Path) -> None:
        """Copy a file of it to this machine; the target's folder is there."""

    def is_link(self, name: str) -> bool:
        """Whether a file is kept elsewhere."""


def open_storage(place: str) -> Storage:
    """Return the folder at a path or address.

    Args:
        place: Such as ``./wandb``, ``file:///data/raw`` or ``s3://bucket/raw``.
    """
    return _Remote(place) if flyte.storage.is_remote(place) else _Local(place)


class _Local:
    """A folder of this machine. What is written is readable by its owner alone."""

    def __init__(self, place: str) -> None:
        self._root = Path(place.removeprefix("file://")).expanduser().resolve()
        self.place = str(self._root)

    def below(self, name: str) -> Storage:
        return _Local(str(self._root / name))

    def sizes(self) -> dict[str, int]:
        found = (Path(folder, name) for folder, _, names in os.walk(self._root) for name in names)
        return {path.relative_to(self._root).as_posix(): path.stat().st_size for path in found if path.is_file()}

    def read(self, name: str) -> bytes:
        return (self._root / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        with os.fdopen(self._create_parent(name), "wb") as file:
            file.write(content)

    def put(self, source: Path, name: str) -> None:
        with source.open("rb") as content, os.fdopen(self._create_parent(name), "wb") as file:
            shutil.copyfileobj(content, file)

    def fetch(self, name: str, target: Path) -> None:
        shutil.copyfile(self._root / name, target)

    def is_link(self, name: str) -> bool:
        path = self._root / name
        return path.resolve() != path

    def _create_parent(self, name: str) -> int:
        path = self._root / name
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)


class _Remote:
    """A folder in a storage that Flyte knows."""

    def __init__(self, place: str) -> None:
        self.place = place.rstrip("/")
        self._system: Any = flyte.storage.get_underlying_filesystem(path=place)

    def below(self, name: str) -> Storage:
        return _Remote(f"{self.place}/{name}")

    def sizes(self) -> dict[str, int]:
        self._system.invalidate_cache()
        root = f"{self._system._strip_protocol(self.place)}/"
        found: dict[str, Any] = self._system.find(self.place, detail=True)
        return {path.removeprefix(root): int(about["size"] or 0) for path, about in found.items()}

    def read(self, name: str) -> bytes:
        return bytes(self._system.cat_file(self._address_of(name)))

    def write(self, name: str, content: bytes) -> None:
        self._system.pipe_file(self._address_of(name), content)

    def put(self, source: Path, name: str) -> None:
        self._system.put_file(str(source), self._address_of(name))

    def fetch(self, name: str, target: Path) -> None:
        self._system.get_file(self._address_of(name), str(target))

    def is_link(self, name: str) -> bool:
        return False

    def _address_of(self, name: str) -> str:
        return f"{self.place}/{name}"
