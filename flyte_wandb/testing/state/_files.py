"""Files of runs and artifacts: small ones in memory, large ones on the disk under no name, so that none is left."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from tempfile import TemporaryFile
from typing import IO, Any, Final

_IN_MEMORY: Final = 2**20
_CHUNK: Final = 2**20


class File:
    """A file that does not change any more.

    Attributes:
        size: Its bytes.
        md5: Their MD5 digest in base64, as W&B tells it.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        digest = hashlib.md5(usedforsecurity=False)
        self.size = 0
        self._memory = bytearray()
        self._disk: IO[bytes] | None = None
        for chunk in chunks:
            digest.update(chunk)
            self._append(chunk)
        self.md5 = base64.b64encode(digest.digest()).decode()

    @property
    def content(self) -> bytes:
        """All of its bytes."""
        return b"".join(self.chunks())

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield its bytes from one to another, some at a time."""
        end = self.size if stop is None else min(stop, self.size)
        for first in range(start, end, _CHUNK):
            length = min(_CHUNK, end - first)
            if self._disk is None:
                yield bytes(self._memory[first : first + length])
            else:
                yield os.pread(self._disk.fileno(), length, first)

    def _append(self, chunk: bytes) -> None:
        if self._disk is None and self.size + len(chunk) > _IN_MEMORY:
            self._disk = TemporaryFile(buffering=0)  # noqa: SIM115 - it is closed when nobody has the file any more
            self._disk.write(self._memory)
            self._memory.clear()
        if self._disk is None:
            self._memory += chunk
        elif chunk.count(0) == len(chunk):
            self._disk.truncate(self.size + len(chunk))  # a hole: a sparse checkpoint takes no more room here
        else:
            os.pwrite(self._disk.fileno(), chunk, self.size)
        self.size += len(chunk)


class JoinedFile(File):
    """Files one after the other as one file. Nothing is copied or read, for that takes long where they are large."""

    def __init__(self, parts: Sequence[File], md5: str) -> None:
        self._parts = parts
        self.size = sum(part.size for part in parts)
        self.md5 = md5

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield its bytes from one to another, some at a time."""
        end, before = self.size if stop is None else stop, 0
        for part in self._parts:
            yield from part.chunks(max(start - before, 0), max(end - before, 0))
            before += part.size


class Contents(Mapping[str, bytes]):
    """Contents of files by name, each read when it is asked for.

    >>> contents = Contents({"a.txt": File([b"a", b"b"])})
    >>> contents["a.txt"], contents == {"a.txt": b"ab"}
    (b'ab', True)
    """

    def __init__(self, files: Mapping[str, File]) -> None:
        self._files = files

    def __getitem__(self, name: str) -> bytes:
        return self._files[name].content

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __repr__(self) -> str:
        return f"Contents({', '.join(self._files)})"


def describe_files(files: Mapping[str, File]) -> dict[str, Any]:
    """Return what a record says of files, which later changes leave alone."""
    return {"files": Contents(dict(files)), "file_sizes": {name: file.size for name, file in files.items()}}
