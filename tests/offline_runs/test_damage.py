"""A log that is damaged in its middle: what is behind the damage arrives, and what is missing is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from wandb.proto import wandb_internal_pb2

from flyte_wandb import sync_wandb_runs
from flyte_wandb._place import Place
from flyte_wandb.testing import WandbServer
from flyte_wandb.wandb_client._log_file import BLOCK, LogRecords, read_log, write_log
from flyte_wandb.wandb_client._rebuilt_log import LogRebuilder
from tests.cli.running import run

Write = Callable[..., Path]
pb: Any = wandb_internal_pb2
ROWS = 1500


def offset_of_row(log: Path, row: int) -> int:
    """Return the offset of a byte inside a row's record."""
    with log.open("rb") as file:
        for record in LogRecords(file):
            if record.WhichOneof("record_type") == "history" and record.history.step.num == row:
                return file.tell() - 5
    raise AssertionError(f"there is no row {row}")


def flip(log: Path, offset: int) -> None:
    content = bytearray(log.read_bytes())
    content[offset] ^= 0xFF
    log.write_bytes(content)


def wipe(log: Path, start: int, end: int) -> None:
    content = bytearray(log.read_bytes())
    content[start:end] = bytes(end - start)
    log.write_bytes(content)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log as W&B's client writes it, of some blocks."""
    path = tmp_path / "run-r1.wandb"
    with path.open("wb") as file:
        write_log(file, (record.SerializeToString() for record in _records()))
    assert path.stat().st_size > 4 * BLOCK
    return path


def _records() -> Iterator[Any]:
    yield pb.Record(num=1, run=pb.RunRecord(run_id="r1", project="p"))
    for row in range(ROWS):
        record = pb.Record(num=2 + 2 * row)
        record.history.step.num = row
        record.history.item.add(key="text", value_json=f'"{row:0100}"')
        yield record
        yield pb.Record(num=3 + 2 * row, summary=pb.SummaryRecord())
    yield pb.Record(num=2 + 2 * ROWS, exit=pb.RunExitRecord(exit_code=0))


def test_a_flipped_byte_costs_its_row_and_no_other(log: Path) -> None:
    offset = offset_of_row(log, 700)
    flip(log, offset)
    run = read_log(log)
    assert (run.rows, run.missing_rows, run.exit_code, run.torn) == (ROWS - 1, 1, 0, False)
    (place,) = run.damaged_at
    assert 0 < offset - place < 200


def test_a_wrong_length_costs_the_rest_of_its_block_and_no_more(log: Path) -> None:
    whole = read_log(log)
    (start,) = {offset_of_row(log, 700) // BLOCK * BLOCK}
    flip(log, start + 5)  # the length of the block's first chunk is then longer than the block
    run = read_log(log)
    assert (run.run_id, run.exit_code, run.torn, len(run.damaged_at)) == (whole.run_id, 0, False, 1)
    assert run.rows < ROWS
    assert run.rows + run.missing_rows == ROWS


def test_a_block_of_zeros_is_passed_over(log: Path) -> None:
    wipe(log, BLOCK, 3 * BLOCK)
    run = read_log(log)
    assert (run.exit_code, run.torn) == (0, False)
    assert 0 < run.missing_rows == ROWS - run.rows


def test_a_tear_is_no_damage(log: Path) -> None:
    log.write_bytes(log.read_bytes()[:-5])
    run = read_log(log)
    assert (run.rows, run.damaged_at, run.torn) == (ROWS, (), True)


def test_rows_that_the_server_has_are_left_out_by_their_number_whatever_is_damaged(log: Path, tmp_path: Path) -> None:
    flip(log, offset_of_row(log, 10))
    rebuilder = LogRebuilder(
        run_id="r1",
        place=Place(project="p", entity=None, host=None),
        resumes=True,
        files=(),
        delivered=((0, 700), (800, 100)),
    )
    rebuilder.rebuild(log, tmp_path / "rebuilt.wandb")
    with (tmp_path / "rebuilt.wandb").open("rb") as file:
        rows = [record.history.step.num for record in LogRecords(file) if record.WhichOneof("record_type") == "history"]
    assert rows == [*range(700, 800), *range(900, ROWS)]


def test_a_damaged_run_arrives_but_for_the_damage_is_told_of_and_not_noted_as_whole(
    online: WandbServer, offline_run: Write, tmp_path: Path
) -> None:
    folder = offline_run(rows=10)
    (log,) = folder.glob("*.wandb")
    flip(log, offset_of_row(log, 5))
    (outcome,) = sync_wandb_runs(tmp_path / "wandb")
    assert (outcome.status, outcome.rows, outcome.missing_rows, outcome.torn) == ("synced", 9, 1, False)
    assert list(folder.glob("*.synced")) == []
    again = run("sync", str(folder), folder=tmp_path, environ=online.environ)
    words = f"; its log is damaged at byte {outcome.damaged_at[0]:,}, where up to 1 row is missing"
    assert again.stdout.splitlines()[0].endswith(words), again.stdout
    record = online.run("r1")
    assert (record.state, len(record.history)) == ("finished", 9)
