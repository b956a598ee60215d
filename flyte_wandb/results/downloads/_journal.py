"""What of a run is complete on this machine, line by line, so that the next call need not fetch it again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ._folder import OWN_FOLDER, Folder

_PATH: Final = f"{OWN_FOLDER}/journal.jsonl"
Stamp = Mapping[str, Any]
"""What a server says of something, such that it has changed where the stamp has."""


class Journal:
    """The journal of one folder; a thread may write while others do.

    Args:
        folder: The folder, claimed.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._lines = {line["path"]: line for line in _read_lines(folder)}
        folder.write(_PATH, b"".join(map(_format_line, self._lines.values())))

    def has(self, path: str, stamp: Stamp) -> bool:
        """Whether the file at `path` is complete, and what the server says of it now."""
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
    """Read the lines of an earlier call, but for the one that it was killed in."""
    if folder.size(_PATH) is None:
        return
    for text in (folder.root / _PATH).read_bytes().splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and {"path", "stamp", "size", "rows"} <= line.keys():
            yield line
