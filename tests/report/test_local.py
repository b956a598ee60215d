"""The tab in Flyte's local mode, with W&B offline: what it says in each way that a task can end."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flyte
import pytest
from flyteplugins.pytorch.task import Elastic

from flyte_wandb import wandb_config, wandb_init
from flyte_wandb.testing import WandbServer
from tests.conftest import LocalRun
from tests.current import this_run
from tests.report import tasks
from tests.report.conftest import Reports

TheReport = Callable[[], str]


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("task", [tasks.in_thread, tasks.in_loop], ids=["sync", "async"])
def test_a_task_with_the_setting_has_the_tab(task: Any, run_local: LocalRun, the_report: TheReport) -> None:
    assert task.report is True
    assert run_local(task, 3) == 3
    text = the_report()
    assert text.count('class="flyte-wandb"') == 1
    assert "Weights &amp; Biases" in text
    assert "✓ succeeded" in text
    assert "The run was finished with exit code 0." in text
    assert "<small>3 rows, up to step 2</small>" in text
    assert text.count("<svg") == 5
    assert 'aria-label="loss: 3 values, from 0.33333 to 1"' in text
    assert 'aria-label="nested.deep: 3 values, from 0 to 2"' in text
    assert "1 not finite" in text
    assert "<tr><td>compute_run_id</td>" in text


@pytest.mark.usefixtures("offline")
def test_everything_is_escaped_and_flytes_own_writing_of_the_report_survives(
    run_local: LocalRun, the_report: TheReport
) -> None:
    run_local(tasks.in_thread, 3)
    text = the_report()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}$NAV_HTML" in text
    assert "\ud800" not in text
    assert "\x00" not in text


@pytest.mark.usefixtures("offline")
def test_offline_the_tab_says_how_the_run_comes_home_and_has_no_link(
    run_local: LocalRun, the_report: TheReport, tmp_path: Path
) -> None:
    run_local(tasks.in_thread, 1)
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    assert f"<code>flyte-wandb sync {folder}</code>" in the_report()
    assert "<a " not in the_report()


def test_online_the_tab_leads_to_the_page_of_the_run(
    online: WandbServer, run_local: LocalRun, the_report: TheReport
) -> None:
    run_local(tasks.in_thread, 2, context=wandb_config(project="vision", entity="local"))
    (run,) = online.runs
    assert re.findall(r'<a href="([^"]*)"', the_report()) == [run.url]
    assert "<small>2 rows, up to step 1</small>" in the_report()
    assert "<tr><td>build_link</td>" in the_report()


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("task", [tasks.fails, tasks.fails_in_loop], ids=["sync", "async"])
def test_a_task_that_fails_has_the_tab_and_its_own_error(task: Any, run_local: LocalRun, the_report: TheReport) -> None:
    with pytest.raises(Exception, match="the loss is"):
        run_local(task, 2)
    text = the_report()
    assert "✗ failed" in text
    assert "ValueError: the loss is" in text
    assert "The run was finished with exit code 1." in text
    assert 'aria-label="loss: 2 values' in text


@pytest.mark.usefixtures("offline")
def test_a_task_that_is_cancelled_has_the_tab(run_local: LocalRun, the_report: TheReport) -> None:
    assert run_local(tasks.canceller) == "cancelled"
    assert "CancelledError" in the_report()
    assert 'aria-label="loss: 2 values' in the_report()


@pytest.mark.usefixtures("offline")
def test_a_borrower_says_whose_run_it_is_and_its_owner_has_the_rows_of_both(
    run_local: LocalRun, reports: Reports
) -> None:
    assert run_local(tasks.parent, 2) == 2
    child, owner = sorted(reports().values(), key=lambda text: "finished with exit code" in text)
    assert "This task wrote to the run r1-" in child
    assert "<svg" not in child
    assert "<td>join</td>" in child
    assert "<small>4 rows, up to step 3</small>" in owner


def test_without_wandb_the_tab_has_the_plan(
    offline: None, run_local: LocalRun, the_report: TheReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE")
    run_local(tasks.in_loop, 2, context=wandb_config(mode="disabled"))
    assert "W&amp;B is disabled" in the_report()
    assert "compute_run_id" in the_report()
    assert "<svg" not in the_report()


def test_where_the_run_was_not_opened_the_tab_says_so(
    online: WandbServer, run_local: LocalRun, the_report: TheReport
) -> None:
    online.fault("UpsertBucket", status=403, times=None)
    run_local(tasks.in_loop, 2, context=wandb_config(on_error="ignore"))
    assert "W&amp;B did not open the run, and the task continued without it" in the_report()
    assert "compute_run_id" in the_report()


@pytest.mark.usefixtures("offline")
def test_a_run_without_rows_has_a_tab(run_local: LocalRun, the_report: TheReport) -> None:
    run_local(tasks.in_thread, 0)
    assert "No numbers were logged." in the_report()


@pytest.mark.usefixtures("offline")
def test_by_the_context_the_report_is_written_though_the_task_declares_none(
    run_local: LocalRun, reports: Reports
) -> None:
    assert tasks.by_context.report is False
    run_local(tasks.by_context, 1)
    assert reports() == {}
    run_local(tasks.by_context, 1, context=wandb_config(report=True), name="r2")
    assert len(reports()) == 1


@pytest.mark.usefixtures("offline")
def test_a_failure_of_the_report_costs_nothing_and_is_one_warning(
    run_local: LocalRun, reports: Reports, caplog: pytest.LogCaptureFixture
) -> None:
    @wandb_init(report=True)
    @tasks.env.task
    async def train(outcome: str) -> str:
        run = this_run()
        Path(run.settings.sync_file).unlink()
        if outcome == "fail":
            raise ValueError("the user's own")
        return outcome

    with caplog.at_level(logging.WARNING, "flyte_wandb"):
        assert run_local(train, "ok") == "ok"
        with pytest.raises(Exception, match="the user's own"):
            run_local(train, "fail")
    said = [record for record in caplog.records if record.name == "flyte_wandb"]
    assert len(said) == 2
    assert all("is missing in Flyte's report: [Errno 2]" in record.getMessage() for record in said)
    assert all(str(record.threadName).startswith("flyte-wandb") for record in said), "not in the thread of the loop"
    assert reports() == {}


@pytest.mark.usefixtures("offline")
def test_a_task_of_many_ranks_has_the_plan_of_all_in_local_mode(run_local: LocalRun, the_report: TheReport) -> None:
    ranks = flyte.TaskEnvironment(name="many", plugin_config=Elastic(nnodes=2, nproc_per_node=4))

    @wandb_init(report=True, run_mode="new", rank_scope="worker")
    @ranks.task
    def train() -> int:
        return tasks.log(1)

    assert run_local(train) == 1
    assert "<td>worker-1</td><td>4-7</td><td>4 solo</td>" in the_report()
    assert "<td>0 of 8, on 2 node(s)</td>" in the_report()


@pytest.mark.usefixtures("offline")
def test_tasks_at_one_time_have_a_report_each(run_local: LocalRun, reports: Reports) -> None:
    @tasks.env.task
    async def both() -> int:
        return sum(await asyncio.gather(*(tasks.in_loop(rows) for rows in (1, 2, 3))))

    assert run_local(both) == 6
    rows = [re.findall(r"<small>(\d) row", text) for text in reports().values()]
    assert sorted(rows) == [["1"], ["2"], ["3"]]


@pytest.mark.usefixtures("offline")
def test_outside_of_flyte_there_is_no_report(reports: Reports) -> None:
    assert wandb_init(report=True)(tasks.log)(1) == 1
    assert reports() == {}


@pytest.mark.usefixtures("offline")
def test_without_the_setting_nothing_of_it_is_imported(run_local: LocalRun, reports: Reports) -> None:
    for name in [name for name in sys.modules if name.startswith("flyte_wandb.results.report")]:
        del sys.modules[name]
    run_local(tasks.by_context, 1)
    assert [name for name in sys.modules if name.startswith("flyte_wandb.results.report")] == []
    assert reports() == {}
