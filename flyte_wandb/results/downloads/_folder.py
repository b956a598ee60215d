"""The folder of a run on this machine. Nothing is written outside of it, and no half file has its final name.

File names come from a server, and other users may write to the folder. So no link below it is followed.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final

from filelock import FileLock, Timeout

from ..._errors import DownloadError
from .._md5 import md5_of_file, new_md5, read_chunks

OWN_FOLDER: Final = ".flyte-wandb-download"
"""What a run's folder has beside the run: the journal, the lock, and files that are being written."""

# In the run's folder, because `os.replace` works within one file system only.
_STAGING: Final = f"{OWN_FOLDER}/staging"
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
"""Windows has no such flag."""


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
        """Make the folder, and keep other downloads out of it until the block ends.

        Half files of a download that was killed are removed.

        Raises:
            DownloadError: Another download fills it, or what is there is no folder.
        """
        self._make_root()
        self._make_subfolder(PurePosixPath(OWN_FOLDER))
        with _lock_folder(self.root / OWN_FOLDER / "lock", self.root):
            self._make_subfolder(PurePosixPath(_STAGING))
            # Under the lock, so these are nobody's.
            for half_file in (self.root / _STAGING).iterdir():
                half_file.unlink()
            yield self

    @contextmanager
    def stage_file(self) -> Iterator[tuple[IO[bytes], Path]]:
        """Give a new file to write, and its path. It is removed when the block ends, unless `place_file` moved it."""
        # `next` of a count is atomic, so threads get numbers of their own.
        path = self.root / _STAGING / str(next(self._numbers))
        # The mode that `open` uses; the user's umask takes away from it.
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | _NO_LINK, 0o666)
        with os.fdopen(descriptor, "w+b") as file:
            try:
                yield file, path
            finally:
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()

    def place_file(self, file: IO[bytes], staged: Path, path: str) -> None:
        """Give a complete file its final name, replacing an older file of that name.

        Args:
            file: The file. It is closed.
            staged: Its path.
            path: The final path below the root.

        Raises:
            DownloadError: Something other than a folder is in the way, such as a symbolic link.
        """
        file.close()  # Windows moves no file that is open
        self._make_subfolder(PurePosixPath(path).parent)
        os.replace(staged, self.root / path)  # atomic: readers see the old file or the new one, and never a part

    def write(self, path: str, content: bytes) -> None:
        """Write a whole file."""
        with self.stage_file() as (file, staged):
            file.write(content)
            self.place_file(file, staged, path)

    def size(self, path: str) -> int | None:
        """Return the bytes of a plain file below the root, or None if there is none."""
        try:
            status = (self.root / path).lstat()
        except OSError:
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def md5(self, path: str) -> bytes:
        """Return the hash of a plain file below the root."""
        return md5_of_file(self.root / path)

    def copy(self, path: str, into: IO[bytes]) -> bytes:
        """Write the bytes of a plain file below the root into a file, and return their hash."""
        digest = new_md5()
        for chunk in read_chunks(self.root / path):
            into.write(chunk)
            digest.update(chunk)
        return digest.digest()

    def remove(self, path: str) -> None:
        """Remove a file, if it exists."""
        with contextlib.suppress(FileNotFoundError):
            (self.root / path).unlink()

    def _make_root(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DownloadError(
                f"{self.root} cannot be used as a folder for a download: {error}; use another one"
            ) from error

    def _make_subfolder(self, folder: PurePosixPath) -> None:
        """Make a folder below the root, and check that each part of its path is a folder and no link."""
        for part in (*reversed(folder.parents[:-1]), folder) if folder.parts else ():
            path = self.root / part
            # One by one: `mkdir(parents=True)` would follow a link on the way.
            with contextlib.suppress(FileExistsError):
                path.mkdir()
            if not stat.S_ISDIR(path.lstat().st_mode):
                raise DownloadError(f"{path} is in the way: it is not a folder, and links are not followed; remove it")


@contextmanager
def _lock_folder(path: Path, root: Path) -> Iterator[None]:
    # The system drops the lock of a process that is killed. Without blocking: nobody knows how long the other takes.
    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise DownloadError(
            f"another download is writing to {root}; wait until it ends, or use another folder"
        ) from error
    try:
        yield
    finally:
        lock.release()
