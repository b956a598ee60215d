"""What a run asks the server, beside what W&B's own client asks for one in the same mode."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flyte_wandb import wandb_config
from flyte_wandb.testing import WandbServer, start_ranks
from tests.double.writers import shared, writer
from tests.faults import tasks
from tests.faults.acting import QUICK, ROWS, start

BY_TIME = {"UpsertBucket", "CreateRunFiles", "file_stream"}
"""W&B's client collects what changes for seconds and sends it together: how often depends on how long a run takes."""
IN_ALL = {"*", "graphql", "upload"}


@contextmanager
def counting(server: WandbServer, counted: Counter[str]) -> Iterator[None]:
    """Count by kind what is asked within the block."""
    before = server.requests
    yield
    asked = server.requests - before
    counted.update({name: times for name, times in asked.items() if ":" not in name and name not in BY_TIME | IN_ALL})


def test_a_run_asks_once_whether_it_is_there_and_who_joins_asks_for_less_than_a_bare_client(
    quick: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_SILENT", raising=False)  # a silent client does not ask whose key it has
    bare, bare_joining, owner, child, ranks = [Counter[str]() for _ in range(5)]
    with counting(quick, bare), writer("bare", settings=shared("a", primary=True)) as process:
        process.do("run.log({'row': 0}); run.finish()")
    with counting(quick, bare_joining), writer("bare", settings=shared("b")) as process:
        process.do("run.log({'row': 0}); run.finish()")
    with counting(quick, owner):
        assert start(tasks.hands_on, quick, tmp_path, inputs={"rows": ROWS}).wait().error is None
    context = json.loads((tmp_path / tasks.HANDED_ON).read_text())
    with counting(quick, child):
        joining = start(tasks.goes_on, quick, tmp_path, inputs={"rows": ROWS}, context=context, action_name="a1")
        assert joining.wait().error is None
    with counting(quick, ranks):
        both = start_ranks(
            tasks.waits_as_a_rank,
            folder=tmp_path,
            environ={**quick.environ, **QUICK},
            inputs={"rows": ROWS, "waiting": -1},
            context=wandb_config(run_mode="shared"),
            run_name="run2",
        )
        assert [rank.wait().exit_code for rank in both] == [0, 0]

    assert owner - bare == {"RunResumeStatus": 1}, "whether an earlier attempt has opened the run"
    assert child - bare_joining == ranks - owner == {}
    assert bare_joining - child == {"Viewer": 1}, "whose key it is"
    assert bare - owner == {}
