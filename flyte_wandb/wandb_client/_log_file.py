"""W&B's log of a run on the disk: its records, read and written, and what it says of the run.

A log is a header of 7 bytes and blocks of 32 KiB, as LevelDB has them: each holds chunks of
``[crc32 u32][length u16][kind u8][payload]``, and one or more payloads are a record. A killed process leaves a torn
end; a failing disk leaves damage, and reading continues after it.
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

_TIME: Final = "_timestamp"

_CHUNK: Final = struct.Struct("<IHB")
_WHOLE, _FIRST, _MIDDLE, _LAST = range(1, 5)

_MOST_DAMAGES: Final = 100
"""Damages with a recorded place, so that a log full of damage cannot fill the memory."""

_MOST_MISSING: Final = 10**9
"""Records that one damage can be said to have taken: their numbers come from the log, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRun:
    """What the log of a run says.

    Attributes:
        run_id: The run's id; empty where the log ends before it.
        project: Its project, or None.
        entity: The owner of the project, or None.
        resumes: Whether it continues the run on the server, rather than starting the run over.
        rows: Rows of history.
        exit_code: With what the run was finished, or None where the log ends before that.
        intact: Whether the log ends with a whole record.
        damaged_at: Where it is damaged before its end, in bytes; the first hundred places.
        missing_rows: How many rows may be missing there.
    """

    run_id: str = ""
    project: str | None = None
    entity: str | None = None
    resumes: bool = False
    rows: int = 0
    exit_code: int | None = None
    intact: bool = True
    damaged_at: tuple[int, ...] = ()
    missing_rows: int = 0

    @property
    def torn(self) -> bool:
        """Whether the process that wrote it was killed: the log ends before the run did."""
        return self.exit_code is None or not self.intact


def read_log(path: Path) -> LoggedRun:
    """Read a log, up to its truncated end if it has one. Damaged parts before that are skipped.

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
    end: Any = {
        "rows": rows,
        "exit_code": exit_code,
        "intact": records.intact,
        "damaged_at": tuple(records.damaged_at[: None if records.intact else -1]),
        "missing_rows": records.missing_rows,
    }
    if run is None:
        return LoggedRun(**end)
    place: Any = {"project": run.project or None, "entity": run.entity or None}
    return LoggedRun(run_id=run.run_id, resumes=can_append() and run.resume, **place, **end)


def read_row_times(path: Path) -> Iterator[tuple[int, float | None]]:
    """Yield the number of each row of a log and the time that W&B's client gave it, or None.

    The time tells a row from all others of its run, in which several processes and attempts may have written rows with
    one step. Rows that a damage has taken are counted.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        records = LogRecords(file)
        count = 0
        for record in records:
            if record.WhichOneof("record_type") == "history":
                yield count + records.missing_rows, _row_time(record.history.item)
                count += 1


def _row_time(items: Any) -> float | None:
    text = next((item.value_json for item in items if _TIME in (item.key, *item.nested_key[:1])), "")
    try:
        return float(text)
    except ValueError:
        return None


def can_append() -> bool:
    """Whether this version of wandb can append the rows of a log to those that a server has."""
    return "resume" in protocol().RunRecord.DESCRIPTOR.fields_by_name


def protocol() -> Any:
    """Return the module with W&B's messages."""
    from wandb.proto import wandb_internal_pb2

    return wandb_internal_pb2


class LogRecords:
    """The records of a log, or those that begin in a stretch of it. What is damaged is passed over.

    Args:
        file: The log.
        start: Where the stretch begins: 0, or a multiple of the size of a block.
        end: Where it ends; None for the end of the log.

    Attributes:
        intact: Whether it ends with a whole record, as far as it was read.
        damaged_at: Offsets in bytes of what could not be read; the first hundred. With a torn end the last one is that.
    """

    def __init__(self, file: IO[bytes], *, start: int = 0, end: int | None = None) -> None:
        self._file = file
        self._start, self._end = start, end
        self._number, self._step = 0, -1
        self._missing_rows = self._missing_records = 0
        self.intact = True
        self.damaged_at: list[int] = []
        file.seek(start)
        if not start and file.read(len(_HEADER)) != _HEADER:
            self._note_damage(0)

    @property
    def missing_rows(self) -> int:
        """How many rows may be missing before the record that was read last."""
        return self._missing_rows + self._missing_records

    def __iter__(self) -> Iterator[Any]:
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

        message = protocol().Record
        for offset, payload in self._read_payloads():
            try:
                record = message.FromString(payload)
            except DecodeError:
                self._note_damage(offset)
                continue
            self._count(record)
            yield record

    def _count(self, record: Any) -> None:
        """Count what is missing before a record: W&B's client numbers records from 1 on, and rows by their steps."""
        if not self.intact:
            self.intact = True
            self._missing_records += min(max(0, record.num - self._number - 1), _MOST_MISSING)
        self._number = record.num
        if record.WhichOneof("record_type") == "history":
            steps = record.history.step.num - self._step - 1
            # A run that several processes write to has no steps, so the records are all that is known.
            self._missing_rows += min(self._missing_records, steps) if steps >= 0 else self._missing_records
            self._missing_records, self._step = 0, record.history.step.num

    def _note_damage(self, offset: int) -> None:
        if self.intact and len(self.damaged_at) < _MOST_DAMAGES:
            self.damaged_at.append(offset)
        self.intact = False

    def _read_payloads(self) -> Iterator[tuple[int, bytes]]:
        """Yield each record's offset and bytes."""
        begins: int | None = None
        parts: list[bytes] = []
        while begins is not None or not self._passed:
            self._file.seek(_count_padding(self._file.tell()), 1)
            offset = self._file.tell()
            header = self._file.read(_CHUNK.size)
            if len(header) < _CHUNK.size:
                if header or begins is not None:
                    self._note_damage(offset if begins is None else begins)
                return
            kind, payload = self._read_chunk(offset, header)
            if begins is not None and kind not in (_MIDDLE, _LAST):
                self._note_damage(begins)
                begins = None
            if kind is None:
                self._note_damage(offset)
            elif kind in (_WHOLE, _FIRST):
                begins, parts = offset, [payload]
            elif begins is not None:
                parts.append(payload)
            # else the rest of a record whose start was damaged, or lies before the stretch
            if begins is not None and kind in (_WHOLE, _LAST):
                yield begins, b"".join(parts)
                begins = None

    @property
    def _passed(self) -> bool:
        return self._end is not None and self._file.tell() >= self._end

    def _read_chunk(self, offset: int, header: bytes) -> tuple[int | None, bytes]:
        """Return kind and payload of a chunk, None being the kind of a damaged one.

        After a damaged chunk, reading continues at the chunk's stated end, or else with the next block, as in LevelDB.
        """
        crc, length, kind = _CHUNK.unpack(header)
        next_block = (offset // BLOCK + 1) * BLOCK
        if offset + _CHUNK.size + length > next_block:
            self._file.seek(next_block)
            return None, b""
        payload = self._file.read(length)
        whole = len(payload) == length and crc == _checksum(kind, payload) and kind in (_WHOLE, _FIRST, _MIDDLE, _LAST)
        return (kind, payload) if whole else (None, b"")


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
