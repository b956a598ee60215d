"""Folders on this machine and in Flyte's storage, under one interface. Every call blocks."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, Protocol

import flyte.storage

_CHUNK: Final = 1 << 20
_RESERVE: Final = 1 << 28
"""Bytes that stay free on the disk to which files are copied, for those who work there."""

_MOST_FILES: Final = 500_000
"""Names of a listing; a kept run has about ten. Each costs some hundred bytes of memory."""
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""No link is followed, and a pipe that has taken a file's name keeps nobody waiting."""


class LeadsOutError(Exception):
    """A file is not taken: its name leads out of its folder, or it is none that can be copied; the message is how."""


class TooManyFilesError(Exception):
    """There are more files below a place than are listed."""

    def __init__(self) -> None:
        super().__init__(f"there are more than {_MOST_FILES:,} files below it")


class Storage(Protocol):
    """A folder somewhere.

    Attributes:
        place: Its path or address.
    """

    place: str

    def below(self, name: str) -> Storage:
        """Return a folder in it."""

    def is_written_by_user(self, name: str) -> bool:
        """Whether the user of this process has written a file, and nobody else can."""

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each file in and below it, by its name relative to this one.

        Raises:
            TooManyFilesError: There are more than half a million.
        """

    def read(self, name: str, most: int) -> bytes:
        """Return the first `most` bytes of a file.

        Raises:
            LeadsOutError: See `fetch`.
        """

    def write(self, name: str, content: bytes) -> None:
        """Write a file.

        Raises:
            LeadsOutError: See `fetch`.
        """

    def put(self, source: Path, name: str) -> None:
        """Copy a file of this machine into it."""

    def fetch(self, name: str, target: Path) -> None:
        """Copy a file of it to this machine; the target's folder is there.

        Raises:
            LeadsOutError: The file is kept elsewhere: it, or a folder on the way to it, is a link, or it has a second
                name somewhere (a hard link).
        """


def open_storage(place: str) -> Storage:
    """Return the folder at a path or address.

    Args:
        place: Such as ``./wandb``, ``file:///data/raw`` or ``s3://bucket/raw``.
    """
    if flyte.storage.is_remote(place):
        return _Remote(place)
    return _Local(Path(place.removeprefix("file://")).expanduser().resolve())


class _Local:
    """A folder of this machine. What is written is readable by its owner alone.

    Whoever else writes there may change a name between a look at it and its use, so every name is opened from the root
    down, component by component, and checks use the opened files.

    Args:
        root: The folder that the user has named. Links on the way to it are the user's own.
        inside: The path from there.
    """

    def __init__(self, root: Path, inside: str = "") -> None:
        self._root = root
        self._inside = PurePosixPath(inside)
        self._path = root / inside
        self.place = str(self._path)

    def below(self, name: str) -> Storage:
        return _Local(self._root, str(self._inside / name))

    def sizes(self) -> dict[str, int]:
        paths = (Path(folder, name) for folder, _, names in os.walk(self._path) for name in names)
        return _bounded((path.relative_to(self._path).as_posix(), _size(path)) for path in paths)

    def is_written_by_user(self, name: str) -> bool:
        with self._opened(name, os.O_RDONLY) as file:
            about = os.fstat(file.fileno())
        return about.st_uid == os.geteuid() and not about.st_mode & stat.S_IWOTH

    def read(self, name: str, most: int) -> bytes:
        with self._opened(name, os.O_RDONLY) as file:
            return file.read(most)

    def write(self, name: str, content: bytes) -> None:
        with self._create_parent(name) as file:
            file.write(content)

    def put(self, source: Path, name: str) -> None:
        with source.open("rb") as content, self._create_parent(name) as file:
            shutil.copyfileobj(content, file)

    def fetch(self, name: str, target: Path) -> None:
        with self._opened(name, os.O_RDONLY) as file, target.open("wb") as copy:
            _copy_bytes(file, copy, os.fstat(file.fileno()).st_size)  # of one that grows meanwhile, what was there

    @contextmanager
    def _create_parent(self, name: str) -> Iterator[IO[bytes]]:
        (self._path / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._opened(name, os.O_WRONLY | os.O_CREAT) as file:
            file.truncate()  # only now: what is emptied is a file of this folder
            yield file

    @contextmanager
    def _opened(self, name: str, flags: int) -> Iterator[IO[bytes]]:
        *folders, last = (self._inside / name).parts
        above = os.open(self._root, _FOLDER & ~os.O_NOFOLLOW)
        try:
            for part in folders:
                below = _open(part, _FOLDER, above)
                os.close(above)
                above = below
            opened = _open(last, flags | _OPEN, above)
        finally:
            os.close(above)
        with os.fdopen(opened, "wb" if flags & os.O_WRONLY else "rb") as file:
            about = os.fstat(opened)
            if not stat.S_ISREG(about.st_mode):
                raise LeadsOutError("it is not a plain file")
            if about.st_nlink > 1:
                raise LeadsOutError("it has a second name elsewhere (a hard link)")
            yield file


def _bounded(sizes: Iterable[tuple[str, int | None]]) -> dict[str, int]:
    """Return the sizes that there are, or refuse to where there are too many."""
    known: dict[str, int] = {}
    for name, size in sizes:
        if len(known) == _MOST_FILES:
            raise TooManyFilesError
        if size is not None:
            known[name] = size
    return known


def _copy_bytes(source: IO[bytes], target: IO[bytes], size: int) -> None:
    """Copy no more bytes than there are said to be, and none where there is no room: a hole of terabytes costs nobody.

    Raises:
        LeadsOutError: There is no room.
    """
    room = shutil.disk_usage(os.path.dirname(target.name)).free - _RESERVE
    if size > room:
        raise LeadsOutError(f"it has {size:,} bytes, and there is room for {max(0, room):,} here")
    while size > 0 and (chunk := source.read(min(size, _CHUNK))):
        target.write(chunk)
        size -= len(chunk)


def _size(path: Path) -> int | None:
    """Return the bytes of a file or link, or None where it is something else or gone."""
    try:
        about = path.lstat()
    except OSError:
        return None
    return about.st_size if stat.S_ISREG(about.st_mode) or stat.S_ISLNK(about.st_mode) else None


def _open(name: str, flags: int, folder: int) -> int:
    """Open a name in a folder that is open. With a link, Linux and macOS report ELOOP or ENOTDIR for these flags."""
    if name == "..":
        raise LeadsOutError("its name leads upwards")
    try:
        return os.open(name, flags, 0o600, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
            raise LeadsOutError("it, or a folder on the way to it, is a link") from error
        raise


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
        return _bounded((path.removeprefix(root), int(about["size"] or 0)) for path, about in found.items())

    def is_written_by_user(self, name: str) -> bool:
        return False

    def read(self, name: str, most: int) -> bytes:
        return bytes(self._system.cat_file(self._address_of(name), start=0, end=most))

    def write(self, name: str, content: bytes) -> None:
        self._system.pipe_file(self._address_of(name), content)

    def put(self, source: Path, name: str) -> None:
        self._system.put_file(str(source), self._address_of(name))

    def fetch(self, name: str, target: Path) -> None:
        address = self._address_of(name)
        with self._system.open(address, "rb") as file, target.open("wb") as copy:
            _copy_bytes(file, copy, int(self._system.size(address) or 0))

    def _address_of(self, name: str) -> str:
        return f"{self.place}/{name}"
