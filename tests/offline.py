"""Reading back what the real wandb client wrote to its transaction log (`run-*.wandb`), one log per opened run.

The format is that of LevelDB's log: a 7-byte file header, then blocks of 32 KiB that hold records of
``[crc u32][length u16][type u8][payload]``; a payload is a protobuf `Record`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import wandb
from wandb.proto import wandb_internal_pb2

pb: Any = wandb_internal_pb2
BLOCK, HEADER = 32 * 1024, 7
WHOLE, FIRST, LAST = 1, 2, 4


@dataclass(slots=True, kw_only=True)
class Log:
    """One opening of a run, as its log tells it."""

    id: str = ""
    group: str = ""
    project: str = ""
    entity: str = ""
    name: str = ""
    notes: str = ""
    job_type: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None

    def logged(self, key: str) -> list[Any]:
        """Every value that was logged under `key`, in order."""
        return [row[key] for row in self.history if key in row]


def logs(folder: Path) -> list[Log]:
    """Read every log below `folder`, ordered by run id and time."""
    wandb.teardown()  # finish() does not wait for the log to be on disk; the end of the service does
    found = (path for path in folder.glob("**/run-*.wandb") if "wandb-offline" not in path.parts)
    return [read(path) for path in sorted(found, key=lambda path: (path.name, path.parent.name))]


def by_id(folder: Path) -> dict[str, Log]:
    """Read every log below `folder`; each run id must have been opened once."""
    found = logs(folder)
    ids = [log.id for log in found]
    assert len(set(ids)) == len(ids), f"a run id was opened more than once: {ids}"
    return {log.id: log for log in found}


def read(path: Path) -> Log:
    """Read one log file."""
    log = Log()
    for record in _records(path.read_bytes()):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            _take_run(log, record.run)
        elif kind == "history":
            log.history.append(_values(record.history.item))
        elif kind == "config":
            log.config |= _values(record.config.update)
        elif kind == "summary":
            log.summary |= _values(record.summary.update)
        elif kind == "exit":
            log.exit_code = record.exit.exit_code
    return log


def _take_run(log: Log, run: Any) -> None:
    log.id, log.group, log.project, log.entity = run.run_id, run.run_group, run.project, run.entity
    log.name, log.notes, log.job_type, log.tags = run.display_name, run.notes, run.job_type, list(run.tags)
    log.config |= {key: value for key, value in _values(run.config.update).items() if not key.startswith("_wandb")}


def _values(items: Iterable[Any]) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def _records(data: bytes) -> Iterator[Any]:
    pending = b""
    for kind, payload in _chunks(data):
        pending = payload if kind in (WHOLE, FIRST) else pending + payload
        if kind in (WHOLE, LAST):
            yield pb.Record.FromString(pending)


def _chunks(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = HEADER
    while offset + HEADER <= len(data):
        left = BLOCK - offset % BLOCK
        if left < HEADER:
            offset += left
            continue
        _, length, kind = struct.unpack("<IHB", data[offset : offset + HEADER])
        offset += HEADER
        if kind == 0 or offset + length > len(data):
            return
        yield kind, data[offset : offset + length]
        offset += length
