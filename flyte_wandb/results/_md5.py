"""The hash by which W&B knows files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_CHUNK: Final = 1 << 20
"""Bytes that are hashed at a time."""


def md5_of_file(path: Path) -> bytes:
    """Return the md5 of a file's bytes, 16 bytes."""
    digest = new_md5()
    for chunk in read_chunks(path):
        digest.update(chunk)
    return digest.digest()


def new_md5() -> hashlib._Hash:
    """Return an md5 to be updated."""
    # Without the flag, a machine in FIPS mode refuses md5.
    return hashlib.md5(usedforsecurity=False)


def read_chunks(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, a piece at a time."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
