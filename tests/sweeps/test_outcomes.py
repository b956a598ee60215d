"""What `run_sweep` returns is plain data: it can be kept, sent, returned by a task, and asked for the best trial."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import flyte
import pytest

from flyte_wandb import TrialOutcome, TrialOutcomes, run_sweep, wandb_config, wandb_init, wandb_sweep_config
from flyte_wandb.testing import WandbServer
from flyte_wandb_hookspecs import frozen_copy
from tests.conftest import LocalRun
from tests.current import this_run

env = flyte.TaskEnvironment(name="outcomes")


def outcome(number: int = 0, **fields: Any) -> TrialOutcome:
    values: dict[str, Any] = {"run_id": f"t{number}", "parameters": {}, "state": "finished", **fields}
    return TrialOutcome(number=number, **values)


def test_parameters_and_summary_are_as_json_has_them() -> None:
    plain = {"lr": 0.1, "layers": [1, [2]], "model": {"sizes": [3]}}
    trial = outcome(parameters=frozen_copy(plain), summary=frozen_copy(plain))
    for values in (trial.parameters, trial.summary):
        assert (type(values), json.loads(json.dumps(values))) == (dict, plain)
    for another in (pickle.loads(pickle.dumps(trial)), copy.copy(trial), copy.deepcopy(trial)):
        assert another == trial


@pytest.mark.parametrize("error", [ValueError("bad"), flyte.errors.RuntimeUserError("ValueError", "bad")])
def test_an_outcome_with_an_error_can_be_sent(error: Exception) -> None:
    sent = pickle.loads(pickle.dumps(outcome(state="failed", error=error)))
    assert str(sent.error) in ("bad", "RuntimeUserError: bad")


@wandb_init
@env.task
async def train(lr: float, layers: list[int]) -> dict[str, float]:
    this_run().log({"loss": lr, "val": {"accuracy": lr * 2}})
    if lr > 1:
        raise ValueError("diverged")
    return {"loss": lr}


@env.task
async def search() -> list[TrialOutcome]:
    trials = await run_sweep(train, heartbeat=0.05)
    assert trials.best().parameters["lr"] == 0.25
    assert (await train(**trials.best().parameters)) == {"loss": 0.25}
    return list(trials)


@env.task
async def reads(trials: list[TrialOutcome]) -> list[str]:
    return [
        f"{trial.state} {trial.parameters['lr']} {trial.parameters['layers']} {trial.result} {trial.error}"
        for trial in trials
    ]


@env.task
async def searches_and_reads() -> list[str]:
    return await reads(await search())


def test_a_task_returns_outcomes_and_another_one_reads_them(
    online: WandbServer, run_local: LocalRun, caplog: pytest.LogCaptureFixture
) -> None:
    parameters = {"lr": {"values": [1, 0.25, 2]}, "layers": {"value": [64, 32]}}
    metric = {"name": "loss", "goal": "minimize"}
    sweep = wandb_sweep_config(method="grid", parameters=parameters, metric=metric)
    lines = run_local(searches_and_reads, context={**wandb_config(project="vision"), **sweep})
    assert sorted(lines) == [
        "failed 2 [64, 32] None RuntimeUserError: diverged",
        "finished 0.25 [64, 32] {'loss': 0.25} None",
        "finished 1 [64, 32] {'loss': 1.0} None",
    ]
    assert "Failed to extract schema" not in caplog.text
    assert len(online.runs) == 4


TRIALS = TrialOutcomes(
    [
        outcome(0, summary={"loss": 0.5, "val": {"accuracy": 0.1}, "f1": {"max": 0.9, "min": 0.1}}),
        outcome(1, summary={"loss": 0.25, "val": {"accuracy": 0.2}, "f1": {"max": 0.8, "min": 0.0}}),
        outcome(2, summary={"loss": float("nan")}),
        outcome(3, summary={"loss": 0.0}, state="failed"),
        outcome(4, summary={"loss": "low"}),
    ],
    metric="loss",
)


@pytest.mark.parametrize(
    ("arguments", "best"),
    [((), 1), (("loss", "maximize"), 0), (("val.accuracy", "maximize"), 1), (("f1", "maximize"), 0), (("f1",), 1)],
)
def test_the_best_trial_is_the_finished_one_with_the_best_number(arguments: tuple[Any, ...], best: int) -> None:
    assert TRIALS.best(*arguments).number == best
    assert pickle.loads(pickle.dumps(TRIALS)).best(*arguments).number == best


def test_without_a_number_there_is_no_best_trial() -> None:
    with pytest.raises(LookupError, match="none of 4 finished trials has a number for 'acc' in its summary; their sum"):
        TRIALS.best("acc")
    with pytest.raises(LookupError, match=r"the sweep has no metric; name one: best\('loss'\)"):
        TrialOutcomes(TRIALS).best()
    with pytest.raises(ValueError, match=r"best\(goal='low'\): expected 'minimize' or 'maximize'"):
        TRIALS.best("loss", "low")  # type: ignore[arg-type]


def test_outcomes_are_a_table() -> None:
    trial = outcome(parameters={"lr": 1}, summary={"loss": 2}, state="failed", error=ValueError("bad"))
    row = {"number": 0, "run_id": "t0", "state": "failed", "parameters.lr": 1, "summary.loss": 2, "result": None}
    assert TrialOutcomes([trial]).to_rows() == [row | {"error": "ValueError: bad", "url": ""}]
    pandas = pytest.importorskip("pandas")
    pandas.testing.assert_frame_equal(TrialOutcomes([trial]).to_pandas(), pandas.DataFrame([row]), check_like=True)
