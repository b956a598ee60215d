"""Reading runs back with `wandb.Api()`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import wandb

from flyte_wandb.testing import WandbServer
from flyte_wandb.testing.state._run import Run, RunKey, Sender


def write_run(run_id: str, **options: Any) -> None:
    run = wandb.init(id=run_id, project="p", reinit="create_new", **options)
    run.log({"loss": 2.0})
    run.log({"loss": 1.0, "extra": True})
    run.finish()


def test_a_run_is_read_with_its_history_and_files(server: WandbServer, tmp_path: Path) -> None:
    write_run("run1", name="first", group="g", tags=["a"], config={"lr": 0.125})
    run = wandb.Api().run("p/run1")
    assert (run.id, run.name, run.entity, run.state, run.group, run.tags) == (
        "run1",
        "first",
        "local",
        "finished",
        "g",
        ["a"],
    )
    assert (run.config, run.summary["loss"], run.url) == ({"lr": 0.125}, 1.0, server.run("run1").url)
    assert [(row["_step"], row["loss"]) for row in run.history(pandas=False)] == [(0, 2.0), (1, 1.0)]
    assert run.history(keys=["extra"], pandas=False) == [{"_step": 1, "extra": True}]
    assert [row["loss"] for row in run.scan_history()] == [2.0, 1.0]
    assert [row["loss"] for row in run.scan_history(min_step=1)] == [1.0]
    assert list(run.scan_history(keys=["extra"])) == [{"_step": 1, "extra": True}]
    assert {file.name: file.size for file in run.files()} == {
        name: len(content) for name, content in server.run("run1").files.items()
    }
    with run.file("config.yaml").download(root=str(tmp_path)) as file:
        assert file.read().encode() == server.run("run1").files["config.yaml"]


def test_runs_are_listed_and_filtered(server: WandbServer) -> None:
    server.put_run("run1", project="p", group="g", tags=["a", "b"])
    server.put_run("run2", project="p", group="g", state="failed")
    server.put_run("run3", project="p")
    api = wandb.Api()

    def found(filters: dict[str, Any]) -> list[str]:
        return [run.id for run in api.runs("p", filters=filters)]

    assert found({}) == ["run1", "run2", "run3"]
    assert found({"group": "g"}) == ["run1", "run2"]
    assert found({"$and": [{"group": "g"}, {"state": "failed"}]}) == ["run2"]
    assert found({"tags": "b"}) == ["run1"]
    with pytest.raises(ValueError, match="Could not find project q"):
        api.runs("q")[0]


def test_a_missing_run_is_not_found(server: WandbServer) -> None:
    with pytest.raises(wandb.errors.CommError, match="Could not find run"):
        wandb.Api().run("p/run1")


def test_rows_are_found_by_step_also_when_more_come_when_the_run_is_rewound_and_out_of_order() -> None:
    run = Run(key=RunKey("e", "p", "r"), url="", rows={step: {"_step": step} for step in range(4)})
    steps = [row["_step"] for row in run.rows_between(1, 2)]
    run.open(Sender(), resumed=True)
    run.add_rows(Sender(), [{"_step": 4}])
    more = [row["_step"] for row in run.rows_between(3, None)]
    run.rewind(2)
    rewound = [row["_step"] for row in run.rows_between(1, None)]
    run.add_rows(Sender(), [{"_step": 9}, {"_step": 1, "a": 1}])
    assert (steps, more, rewound) == ([1, 2], [3, 4], [1, 2])
    assert run.rows_between(1, None) == [{"_step": 1, "a": 1}, {"_step": 2}, {"_step": 9}]
