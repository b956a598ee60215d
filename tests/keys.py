"""Keys in what the tests write: none may be in a log, folder, context, pickle or page, nor in W&B's debug logs."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from flyte_wandb.testing.http._http import KEY

DOUBLES_KEY: Final = KEY

UNKNOWN_KEY: Final = "".join(["5ec2e7"] * 6) + "5ec2"
"""A key that looks like one, and that no server knows. Joined, so that the byte code of this file does not hold it."""

HOLDS_KEYS: Final = (".netrc", "wandb.env")
"""Files that are there to hold a key: that of a login, and what `flyte-wandb server` writes for other processes."""

_MOST: Final = 50 << 20
"""Bytes of a file that is read; a larger one is a test's own ballast."""


def find_keys(folder: Path, keys: Collection[str] = (DOUBLES_KEY, UNKNOWN_KEY)) -> list[str]:
    """Return each file in and below a folder that has a key in it, and where, but for those that are there for that.

    Args:
        folder: The folder. No link in it is followed.
        keys: The keys, which are looked for as they are and as W&B's client sends them.
    """
    # One after the other: `re` with alternatives looks at each byte, and is many times slower.
    needles = [needle for key in keys for needle in (key.encode(), _as_sent(key))]
    return [
        f"{path} at byte {content.index(needle)}"
        for path, content in _contents(folder)
        for needle in needles
        if needle in content
    ]


def _as_sent(key: str) -> bytes:
    """Return the part of the header ``Authorization`` that no other key has."""
    return base64.b64encode(f"api:{key}".encode()).rstrip(b"=")[:-1]


def _contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for above, _, names in os.walk(folder):
        for path in (Path(above, name) for name in names if name not in HOLDS_KEYS):
            try:
                about = path.lstat()
                if stat.S_ISREG(about.st_mode) and about.st_size <= _MOST:
                    yield path, path.read_bytes()
            except OSError:  # a process that ends removes its own, and a test may make a file unreadable
                continue
