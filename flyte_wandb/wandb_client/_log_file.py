"""W&B's log of a run on the disk: its records, read and written, and what it says of the run.

A log is a header of 7 bytes and blocks of 32 KiB, as LevelDB has them: each holds chunks of
``[crc32 u32][length u16][kind u8][payload]``, and one or more payloads are a record. A killed process leaves a torn
end.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

_HEADER: Final = b":W&B\xe1\xbe\x00"
BLOCK: Final = 32 * 1024
"""Bytes of a block."""

_CHUNK: Final = struct.Struct("<IHB")
_WHOLE, _FIRST, _MIDDLE, _LAST = range(1, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRun:
    """What the log of a run says.

    Attributes:
        run_id: The run's id; empty where the log ends before it.
        project: Its project, or None.
        entity: The owner of the project, or None.
        resumes: Whether it goes on with what the server has of the run, rather than starting the run over.
        rows: Rows of history.
        exit_code: With what the run was finished, or None where the log ends before that.
        intact: Whether the log ends with a whole record.
    """

    run_id: str = ""
    project: str | None = None
    entity: str | None = None
    resumes: bool = False
    rows: int = 0
    exit_code: int | None = None
    intact: bool = True

    @property
    def torn(self) -> bool:
        """Whether the process that wrote it was killed: the log ends before the run did."""
        return self.exit_code is None or not self.intact


def read_log(path: Path) -> LoggedRun:
    """Read a log, up to its tear where it has one.

    Args:
        path: A file ``run-ID.wandb``.

    Raises:
        OSError: It cannot be read.
    """
    run: Any = None
    rows, exit_code = 0, None
    with path.open("rb") as file:
        records = LogRecords(file)
        for record in records:
            kind = record.WhichOneof("record_type")
            run = run or (record.run if kind == "run" else None)
            rows += kind == "history"
            exit_code = record.exit.exit_code if kind == "exit" else exit_code
    end: Any = {"rows": rows, "exit_code": exit_code, "intact": records.intact}
    if run is None:
        return LoggedRun(**end)
    place: Any = {"project": run.project or None, "entity": run.entity or None}
    return LoggedRun(run_id=run.run_id, resumes=can_append() and run.resume, **place, **end)


def can_append() -> bool:
    """Whether this version of wandb can be told to append the rows of a log to those that a server has."""
    return "resume" in protocol().RunRecord.DESCRIPTOR.fields_by_name


def protocol() -> Any:
    """Return the module with W&B's messages."""
    from wandb.proto import wandb_internal_pb2

    return wandb_internal_pb2


class LogRecords:
    """The records of a log, or those that begin in a stretch of it.

    Args:
        file: The log.
        start: Where the stretch begins: 0, or a multiple of the size of a block.
        end: Where it ends; None for the end of the log.

    Attributes:
        intact: Whether no torn one has been met.
    """

    def __init__(self, file: IO[bytes], *, start: int = 0, end: int | None = None) -> None:
        self._file = file
        self._start, self._end = start, end
        file.seek(start)
        self.intact = start > 0 or file.read(len(_HEADER)) == _HEADER

    def __iter__(self) -> Iterator[Any]:
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

        message = protocol().Record
        try:
            for payload in self._read_payloads():
                yield message.FromString(payload)
        except DecodeError:
            self.intact = False

    def _read_payloads(self) -> Iterator[bytes]:
        parts: list[bytes] = []
        while self.intact and (parts or not self._passed) and (chunk := self._read_chunk()):
            kind, payload = chunk
            if self._start and not parts and kind in (_MIDDLE, _LAST):
                continue  # the rest of a record that begins before the stretch
            parts = [*parts, payload] if kind in (_MIDDLE, _LAST) else [payload]
            if kind in (_WHOLE, _LAST):
                yield b"".join(parts)
                parts = []
        self.intact = self.intact and not parts

    @property
    def _passed(self) -> bool:
        return self._end is not None and self._file.tell() >= self._end

    def _read_chunk(self) -> tuple[int, bytes] | None:
        """Return kind and payload of the next chunk, or None at the end."""
        self._file.seek(_count_padding(self._file.tell()), 1)
        header = self._file.read(_CHUNK.size)
        if len(header) < _CHUNK.size:
            self.intact = not header
            return None
        crc, length, kind = _CHUNK.unpack(header)
        payload = self._file.read(length)
        self.intact = len(payload) == length and crc == _checksum(kind, payload)
        return (kind, payload) if self.intact else None


def write_log(file: IO[bytes], payloads: Iterable[bytes]) -> None:
    """Write a log.

    Args:
        file: An empty file.
        payloads: The records as bytes.
    """
    file.write(_HEADER)
    for payload in payloads:
        _append_payload(file, payload)


def _append_payload(file: IO[bytes], payload: bytes) -> None:
    first = True
    while True:
        file.write(bytes(_count_padding(file.tell())))
        room = BLOCK - file.tell() % BLOCK - _CHUNK.size
        part, payload = payload[:room], payload[room:]
        kind = (_FIRST if payload else _WHOLE) if first else (_MIDDLE if payload else _LAST)
        file.write(_CHUNK.pack(_checksum(kind, part), len(part), kind) + part)
        if not payload:
            return
        first = False


def _count_padding(offset: int) -> int:
    """Return how many bytes are left in a block that has no room for a chunk any more."""
    left = BLOCK - offset % BLOCK
    return left if left < _CHUNK.size else 0


def _checksum(kind: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(bytes([kind])))
