"""The folder of a run on this machine: nothing is written outside of it, and no half file has its final name."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final

from filelock import FileLock, Timeout

from ..._errors import DownloadError

OWN_FOLDER: Final = ".flyte-wandb-download"
"""What a run's folder has beside the run: the journal, the lock, and files that are being written."""

_STAGING: Final = f"{OWN_FOLDER}/staging"
_CHUNK: Final = 1 << 20
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)


class Folder:
    """A folder that one download fills at a time.

    Args:
        root: Its path, which may lead through links; no link below it is followed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._numbers = itertools.count()

    @contextmanager
    def claim(self) -> Iterator[Folder]:
        """Make the folder, and keep other downloads out of it until the block ends. What one that died left is removed.

        Raises:
            DownloadError: Another download fills it, or what is there is no folder.
        """
        self._make_root()
        self._make_subfolder(PurePosixPath(OWN_FOLDER))
        with _lock_folder(self.root / OWN_FOLDER / "lock", self.root):
            self._make_subfolder(PurePosixPath(_STAGING))
            for left in (self.root / _STAGING).iterdir():
                left.unlink()
            yield self

    @contextmanager
    def stage_file(self) -> Iterator[tuple[IO[bytes], Path]]:
        """Give a new file to write, and its path, from which `place` moves it; else it is removed."""
        path = self.root / _STAGING / str(next(self._numbers))
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | _NO_LINK, 0o666)
        with os.fdopen(descriptor, "w+b") as file:
            try:
                yield file, path
            finally:
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()

    def place_file(self, file: IO[bytes], staged: Path, path: str) -> None:
        """Give a complete file its final name, over what has it.

        Args:
            file: The file, which is closed.
            staged: Where it is.
            path: The final path below the root.

        Raises:
            DownloadError: Something that is no folder is in the way, such as a symbolic link.
        """
        file.close()
        self._make_subfolder(PurePosixPath(path).parent)
        os.replace(staged, self.root / path)

    def write(self, path: str, content: bytes) -> None:
        """Write a whole file."""
        with self.stage_file() as (file, staged):
            file.write(content)
            self.place_file(file, staged, path)

    def size(self, path: str) -> int | None:
        """Return the bytes of a plain file below the root, or None where there is none."""
        try:
            found = (self.root / path).lstat()
        except OSError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def md5(self, path: str) -> bytes:
        """Return the hash of a plain file below the root."""
        digest = hashlib.md5(usedforsecurity=False)
        with (self.root / path).open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.digest()

    def remove(self, path: str) -> None:
        """Remove a file, where it is there."""
        with contextlib.suppress(FileNotFoundError):
            (self.root / path).unlink()

    def _make_root(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DownloadError(f"{self.root} cannot be made a folder for a download: {error}; name another") from error

    def _make_subfolder(self, folder: PurePosixPath) -> None:
        """Make a folder below the root, and see of each part of its path that it is one."""
        for part in (*reversed(folder.parents[:-1]), folder) if folder.parts else ():
            here = self.root / part
            with contextlib.suppress(FileExistsError):
                here.mkdir()
            if not stat.S_ISDIR(here.lstat().st_mode):
                raise DownloadError(f"{here} is in the way: it is no folder, and links are not followed; remove it")


@contextmanager
def _lock_folder(lock: Path, root: Path) -> Iterator[None]:
    held = FileLock(lock, blocking=False)
    try:
        held.acquire()
    except Timeout as error:
        raise DownloadError(
            f"another download fills {root} at the moment; wait for its end, or name another folder"
        ) from error
    try:
        yield
    finally:
        held.release()
