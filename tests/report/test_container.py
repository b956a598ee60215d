"""The tab through Flyte's container entry point: beside the outputs, also of ranks and of what fails."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from flyte_wandb import ParentRun, wandb_config
from flyte_wandb.plans._inherited import write_run
from flyte_wandb.testing import WandbServer, run_container, run_ranks
from tests.report import elastic_tasks, ranked_tasks, tasks
from tests.report.conftest import Reports
from tests.versions import TORCH


def test_the_report_lies_beside_the_outputs(server: WandbServer, tmp_path: Path, reports: Reports) -> None:
    context = wandb_config(entity="local", project="vision")
    result = run_container(tasks.in_loop, folder=tmp_path, inputs={"rows": 2}, context=context, environ=server.environ)
    assert result.error is None, result.log
    (run,) = server.runs
    assert list(reports()) == ["flyte/run1/a0/1"]
    (text,) = reports().values()
    assert f'href="{run.url}"' in text
    assert 'aria-label="loss: 2 values' in text


def test_a_task_that_fails_has_its_report_too(server: WandbServer, tmp_path: Path, reports: Reports) -> None:
    result = run_container(tasks.fails, folder=tmp_path, inputs={"rows": 2}, environ=server.environ)
    assert "the loss is" in str(result.error)
    (text,) = reports().values()
    assert "✗ failed" in text
    assert 'aria-label="loss: 2 values' in text


def test_offline_the_tab_says_where_the_run_is_kept(tmp_path: Path, reports: Reports) -> None:
    environ = {"WANDB_MODE": "offline"}
    result = run_container(tasks.in_loop, folder=tmp_path, inputs={"rows": 2}, environ=environ)
    assert result.error is None, result.log
    (kept,) = (tmp_path / "flyte").rglob("offline-run-*")
    (text,) = reports().values()
    assert str(kept) in text


def test_of_the_ranks_of_elastic_rank_0_has_the_report(server: WandbServer, tmp_path: Path, reports: Reports) -> None:
    context = wandb_config(entity="local", project="vision")
    options: dict[str, Any] = {"context": context, "environ": server.environ, "warm": TORCH}
    result = run_container(elastic_tasks.on_ranks, folder=tmp_path, **options)
    assert result.error is None, result.log
    assert len(server.runs) == 2
    (text,) = reports().values()
    assert re.findall(r'<a href="[^"]*/(\w+)/[^"]*"[^>]*>([^<]*)', text) == [
        ("runs", "Run in W&amp;B"),
        ("groups", "Group in W&amp;B"),
    ]
    assert ">only/0<" in text
    assert ">only/1<" not in text
    assert "<td>0-1</td><td>2 solo</td><td>run1-a0-rank-0 and 1 more</td><td>run1-a0</td>" in text


def test_a_child_in_another_pod_shows_what_it_has_logged_itself(
    server: WandbServer, tmp_path: Path, reports: Reports
) -> None:
    context = write_run(ParentRun(run_id="above", project="vision", entity="local"))
    result = run_container(tasks.in_loop, folder=tmp_path, inputs={"rows": 2}, context=context, environ=server.environ)
    assert result.error is None, result.log
    (text,) = reports().values()
    assert "This task has joined the run above, which gets the outcome of its owner." in text
    assert 'aria-label="loss: 2 values' in text


def test_only_rank_0_makes_a_report(server: WandbServer, tmp_path: Path, reports: Reports) -> None:
    """Each rank has a folder for outputs of its own here, so that none hides another's report."""
    results = run_ranks(ranked_tasks.on_ranks, folder=tmp_path, environ=server.environ)
    assert [result.error for result in results] == [None, None]
    assert len(server.runs) == 2
    (text,) = reports().values()
    assert "run1-a0-rank-0 <span" in text
