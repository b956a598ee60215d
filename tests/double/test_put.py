"""Runs that a test puts on the server, and what W&B's client reads of them."""

from __future__ import annotations

import pytest
import wandb

from flyte_wandb.testing import WandbServer


def test_a_run_is_there_without_a_client(server: WandbServer) -> None:
    record = server.put_run(
        "run1",
        project="p",
        config={"net": {"layers": 2}},
        summary={"loss": 0.25},
        history=[{"loss": 0.5}, {"_step": 7, "loss": 0.25}, {"loss": 0.125}],
        files={"a.txt": b"a"},
        tags=["x", "y"],
        group="g",
        system_metrics=[{"_runtime": 15, "system.cpu": 3.5}],
    )
    assert record == server.run("run1")
    assert (record.state, record.exit_code, record.writers, record.sweep) == ("finished", 0, (), None)
    assert (record.files, record.logged("_step")) == ({"a.txt": b"a"}, [0, 7, 8])
    run = wandb.Api().run("p/run1")
    assert (run.state, run.group, run.tags, run.config) == ("finished", "g", ["x", "y"], {"net": {"layers": 2}})
    assert run.summary["loss"] == 0.25
    assert [row["_step"] for row in run.history(pandas=False)] == [0, 7, 8]
    assert run.history(stream="system", pandas=False) == [{"_runtime": 15, "system.cpu": 3.5}]
    with pytest.raises(ValueError, match="there is a run local/p/run1 already"):
        server.put_run("run1", project="p")
    with pytest.raises(LookupError, match="no sweep with the id 's'; known sweeps: none"):
        server.put_run("run2", sweep="s")


def test_a_run_that_was_put_is_resumed_or_started_over(server: WandbServer) -> None:
    for run_id in ("resumed", "restarted"):
        server.put_run(run_id, project="p", state="failed", config={"kept": 1}, history=[{"loss": 0.5}])
    run = wandb.init(id="resumed", project="p", resume="must", reinit="create_new")
    assert (run.resumed, run.starting_step) == (True, 1)
    run.log({"loss": 0.25})
    run.finish()
    wandb.init(id="restarted", project="p", reinit="create_new").finish()
    resumed, restarted = server.run("resumed"), server.run("restarted")
    assert (resumed.logged("loss"), resumed.resumed, resumed.config, resumed.state) == (
        [0.5, 0.25],
        1,
        {"kept": 1},
        "finished",
    )
    assert (restarted.logged("loss"), restarted.restarted, restarted.config) == ([0.5], 1, {})
