"""Which files of a run are complete on this machine, so that the next call does not fetch them again.

A line of JSON per file: a process that is killed loses the line that it was writing, and no other.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ._folder import OWN_FOLDER, Folder

_PATH: Final = f"{OWN_FOLDER}/journal.jsonl"
_LINE: Final = {"path": str, "stamp": dict, "size": int}
_TYPES: Final = ({**_LINE, "rows": int}, {**_LINE, "rows": type(None)})
Stamp = Mapping[str, Any]
"""What a server says of a file, such as size and md5. Another stamp means another content."""


class Journal:
    """The journal of one folder; a thread may write while others do.

    Args:
        folder: The folder, claimed.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        # Two threads must not write into one line.
        self._lock = threading.Lock()
        self._lines = {line["path"]: line for line in _read_lines(folder)}
        # Anew, because a half line at its end would spoil the next one that is appended.
        folder.write(_PATH, b"".join(map(_format_line, self._lines.values())))

    def has(self, path: str, stamp: Stamp) -> bool:
        """Whether the file at `path` is complete, and still the one that the server has."""
        line = self._lines.get(path)
        return line is not None and line["stamp"] == dict(stamp) and line["size"] == self._folder.size(path)

    def size(self, path: str) -> int:
        """Return the bytes of a file that is complete."""
        return int(self._lines[path]["size"])

    def rows(self, path: str) -> int:
        """Return the rows of a file that is complete."""
        return int(self._lines[path]["rows"])

    def note(self, path: str, stamp: Stamp, rows: int | None = None) -> None:
        """Write down that the file at `path` is complete, and how many rows it has."""
        line = {"path": path, "stamp": dict(stamp), "size": self._folder.size(path), "rows": rows}
        with self._lock, (self._folder.root / _PATH).open("ab") as file:
            self._lines[path] = line
            file.write(_format_line(line))


def _format_line(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line).encode() + b"\n"


def _read_lines(folder: Folder) -> Iterator[dict[str, Any]]:
    """Read the lines of an earlier call. A line that was cut off by a kill, or that has another writer, is skipped."""
    if folder.size(_PATH) is None:
        return
    for text in (folder.root / _PATH).read_bytes().splitlines():
        try:
            line = json.loads(text)
        except (RecursionError, ValueError):
            continue
        if isinstance(line, dict) and {name: type(value) for name, value in line.items()} in _TYPES:
            yield line
