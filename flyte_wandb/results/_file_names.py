"""Where a run's files go: names come from a server and may be anything, paths stay inside one folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

MOST_BYTES: Final = 255
"""Bytes of one component of a path that every usual file system takes."""

_LONGEST: Final = 1024
"""Bytes of a path below the folder, which needs some of the 4096 that Linux takes."""

_UNSAFE: Final = dict.fromkeys((*map(chr, range(32)), "\x7f", "\\", ":"), "_")
"""Characters that end a line, or that Windows reads as part of a path."""

_DEVICE: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)", re.IGNORECASE)
"""Names that are devices on Windows in any folder, also with an ending: what is written to them is in no file."""

_FIRST_DIGITS: Final = 8
"""Digits of a hash that tell names apart; more are taken only where two names share these."""


def assign_local_paths(names: Iterable[str]) -> dict[str, str]:
    """Map names of a run's files to relative paths, every name to a different path.

    A name that is a safe path stays as it is. A name is unsafe if it is absolute or leads upwards, has a drive, a
    device, a control character or a backslash, is too long, or is the folder of another file. Its path is as near to
    the name as it can be, with ``~`` and a hash of the name before the ending.

    >>> assign_local_paths(["media/a.png", "../../.ssh/id"])
    {'media/a.png': 'media/a.png', '../../.ssh/id': '__/__/.ssh/id~c1e5a43e'}
    """
    distinct = list(dict.fromkeys(names))
    folders = {folder for name in distinct for folder in _parent_folders(_safe_path(name))}
    paths = {name: name for name in distinct if _safe_path(name) == name and name not in folders}
    taken = {*paths, *folders}
    # Sorted, so that a name has the same path in the next call, in whatever order the server lists them.
    for name in sorted(set(distinct) - paths.keys()):
        paths[name] = next(path for path in _paths_with_hash(name) if path not in taken)
        taken.add(paths[name])
    return {name: paths[name] for name in distinct}


def _safe_path(name: str) -> str:
    """Return the name if it is a safe path, else the nearest one."""
    components = [_safe_component(part) for part in name.split("/") if part not in ("", ".")]
    path = "/".join(components) or "_"
    return path if len(path.encode()) <= _LONGEST else components[-1]


def _safe_component(part: str) -> str:
    safe = "__" if part == ".." else "".join(_UNSAFE.get(letter, letter) for letter in part)
    safe = _DEVICE.sub(r"\1_", safe, count=1) if _DEVICE.match(safe) else safe
    # JSON can bring half a surrogate pair, which no file name can hold.
    return _cut_text(safe.encode("utf-8", "replace").decode(), MOST_BYTES)


def _paths_with_hash(name: str) -> Iterable[str]:
    """Yield the nearest safe path with more and more digits of the name's hash."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    folder, slash, last = _safe_path(name).rpartition("/")
    # A dot at the start is no ending: ".bashrc" has none.
    stem, dot, ending = last.rpartition(".") if "." in last[1:] else (last, "", "")
    for digits in range(_FIRST_DIGITS, len(digest) + 1):
        mark = f"~{digest[:digits]}{_cut_text(dot + ending, MOST_BYTES // 4)}"
        yield f"{folder}{slash}{_cut_text(stem, MOST_BYTES - len(mark.encode()))}{mark}"


def _parent_folders(path: str) -> Iterable[str]:
    parts = path.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts)))


def _cut_text(text: str, most: int) -> str:
    # In bytes, as file systems count; half a character at the end is dropped.
    return text if len(text.encode()) <= most else text.encode()[:most].decode(errors="ignore")
