"""What `wandb_sweep` does, and refuses, when it decorates; where its links lead; and what `run_sweep` takes."""

from __future__ import annotations

import asyncio
import inspect
import math
import pickle
from collections.abc import Iterator
from typing import Any

import cloudpickle
import flyte
import pytest
from flyte.clustered import ClusteredTaskEnvironment
from flyte.extras import ContainerTask
from hypothesis import given
from hypothesis import strategies as st

from flyte_wandb import SettingError, SweepError, Trial, WandbSweep, run_sweep, wandb_config, wandb_init, wandb_sweep
from flyte_wandb.plans._inherited import SweepRef, read_sweep, write_sweep, write_trial
from flyte_wandb.sweeps._trial_inputs import TrialInputs
from flyte_wandb.tasks._wrapper import is_tracked
from tests.links.rendering import wire_links

env = flyte.TaskEnvironment(name="decorated_sweeps")
cluster = ClusteredTaskEnvironment(name="sweeping_cluster", replicas=2, nproc_per_node=2)
PLACE: Any = {"project": "vision", "entity": "team", "host": "https://w.example"}
TEAM = "https://w.example/team"


@wandb_sweep(**PLACE)
@env.task
async def alone() -> str:
    return "alone"


@wandb_sweep(**PLACE)
@wandb_init(**PLACE)
@env.task
def above(x: int) -> int:
    return x


@wandb_init(**PLACE)
@wandb_sweep(**PLACE)
@env.task
def below(x: int) -> int:
    return x


@wandb_init
@env.task
def train(lr: float, batch: int, depth: int = 3) -> float:
    return lr * batch


def test_the_task_stays_the_object_that_flyte_knows_and_keeps_being_async_or_not() -> None:
    assert env.tasks["decorated_sweeps.alone"] is alone
    assert inspect.iscoroutinefunction(alone.func)
    assert not inspect.iscoroutinefunction(above.func)


@pytest.mark.parametrize("task", [above, below], ids=["above", "below"])
def test_in_either_order_with_wandb_init_a_task_has_the_links_of_both(task: Any) -> None:
    assert is_tracked(task.func, "wandb_sweep")
    assert is_tracked(task.func, "wandb_init")
    assert wire_links(task, {}) == {
        "Weights & Biases": f"{TEAM}/vision/runs/{{{{.runName}}}}-{{{{.actionName}}}}",
        "Weights & Biases sweep": f"{TEAM}/vision/sweeps",
    }


def test_before_it_exists_a_sweep_is_linked_by_its_project_and_then_by_its_page() -> None:
    links = [wire_links(alone, context) for context in ({}, write_sweep(SweepRef(sweep_id="ab/1", **PLACE)))]
    assert [link["Weights & Biases sweep"] for link in links] == [
        f"{TEAM}/vision/sweeps",
        f"{TEAM}/vision/sweeps/ab%2F1",
    ]


def test_the_sweep_above_says_where_its_page_is_whatever_the_decorator_of_the_child_says() -> None:
    elsewhere = SweepRef(sweep_id="s1", project="theirs", entity="others", host="https://w.other")
    assert wire_links(alone, write_sweep(elsewhere)) == {
        "Weights & Biases sweep": "https://w.other/others/theirs/sweeps/s1"
    }


def test_a_link_to_a_known_sweep_leads_there_whatever_sweep_is_above() -> None:
    asked = {"run_name": "r1", "project": "p", "domain": "d", "parent_action_name": "", "action_name": "a0"}
    above_it = write_sweep(SweepRef(sweep_id="s1", project="theirs", entity="others", host="https://w.other"))
    link = WandbSweep(id="ab/1", **PLACE)
    assert [link.get_link(**asked, context=context, pod_name="") for context in ({}, above_it)] == [
        f"{TEAM}/vision/sweeps/ab%2F1"
    ] * 2


def test_a_trial_is_linked_by_the_run_that_the_controller_asked_for() -> None:
    trial = Trial(run_id="x7k2", sweep_id="s1", project="theirs", entity="others", host="https://w.other")
    context = {**wandb_config(**PLACE), **write_trial(trial)}
    assert wire_links(train, context) == {"Weights & Biases": "https://w.other/others/theirs/runs/x7k2"}


def test_no_setting_of_the_sweep_but_its_place_travels_in_the_link() -> None:
    decorated = wandb_sweep(method="grid", parameters={"x": {"values": [1]}}, **PLACE)(env.task(_another))
    (link,) = decorated.links
    assert isinstance(link, WandbSweep)
    assert dict(link.spec.settings) == PLACE


def _another() -> None: ...


@pytest.mark.parametrize("task", [alone, above, below], ids=["alone", "above", "below"])
def test_a_task_travels_as_flyte_pickles_it(task: Any) -> None:
    found = pickle.loads(cloudpickle.dumps(task.func))
    assert is_tracked(found, "wandb_sweep")
    assert is_tracked(found, "wandb_init") == (task is not alone)


def ranked() -> None: ...


def generates() -> Iterator[int]:
    yield 1


class AClass: ...


def test_what_is_no_task_of_one_process_is_refused() -> None:
    refused: dict[str, tuple[Any, str]] = {
        "a function": (ranked, "wandb_sweep decorates a Flyte task, not <function ranked"),
        "a class": (AClass, "wandb_sweep decorates a Flyte task, not <class"),
        "text": ("vision", "wandb_sweep decorates a Flyte task, not 'vision'; put it above @env.task"),
        "twice": (alone, "wandb_sweep decorates alone twice; keep one, outermost, with all settings"),
        "a generator": (env.task(generates), "wandb_sweep cannot track the generator generates"),
        "a container": (
            ContainerTask(name="c", image="i", command=["true"]),
            "wandb_sweep cannot track the task 'c': a ContainerTask does not run a Python function",
        ),
        "ranks": (
            cluster.task(ranked),
            "wandb_sweep cannot decorate 'sweeping_cluster.ranked': each of its ranks would create a sweep; decorate a "
            "task of one process that runs this one as a trial with run_sweep",
        ),
    }
    for target, message in refused.values():
        with pytest.raises(SettingError) as error:
            wandb_sweep(target)
        assert str(error.value).startswith(message)


def test_inputs_of_a_trial_are_of_the_types_that_the_task_wants() -> None:
    inputs = TrialInputs(task=train, fixed={}).build({"lr": 1, "batch": 32.0})
    assert inputs == {"lr": 1.0, "batch": 32}
    assert [type(value) for value in inputs.values()] == [float, int]
    with pytest.raises(
        SweepError, match=r"cannot take 2\.5 as batch, which it declares as int; the value is from the p"
    ):
        TrialInputs(task=train, fixed={"depth": 1}).build({"lr": 0.5, "batch": 2.5})


@given(st.floats(allow_nan=False), st.integers(-(2**53), 2**53))
def test_a_number_keeps_its_value(lr: float, batch: int) -> None:
    assert TrialInputs(task=train, fixed={}).build({"lr": lr, "batch": float(batch)}) == {"lr": lr, "batch": batch}


@pytest.mark.parametrize(
    ("parameters", "fixed", "fault"),
    [
        (
            {"lr": 1, "batch": 1, "momentum": 0.9, "wd": 0},
            {"seed": 1},
            "does not take momentum, wd, seed: the sweep's parameters are lr, batch, momentum, wd, inputs= has seed",
        ),
        ({"lr": 1, "batch": 1}, {"lr": 2}, "gets two values for lr: "),
        ({"lr": 1}, {}, "gets no value for batch: the sweep's parameters are lr, inputs= has none, and the task takes"),
        ({}, {}, "gets no value for lr, batch: the sweep's parameters are none, "),
    ],
)
def test_parameters_that_do_not_fit_the_task_are_an_error(
    parameters: dict[str, Any], fixed: dict[str, Any], fault: str
) -> None:
    with pytest.raises(SweepError) as error:
        TrialInputs(task=train, fixed=fixed).build(parameters)
    assert str(error.value).startswith(f"the task 'decorated_sweeps.train' {fault}")
    assert str(error.value).endswith("the task takes lr, batch, depth")


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        (train, {"max_parallel": 21}, "run_sweep(max_parallel=21): W&B allows 1 to 20 agents of one sweep at a time"),
        (train, {"max_parallel": 0}, "run_sweep(max_parallel=0): W&B allows 1 to 20 agents of one sweep at a time"),
        (train, {"count": 0}, "run_sweep(count=0): expected a number of trials, 1 or more"),
        (train, {"count": 2.0}, "run_sweep(count=2.0): expected a number of trials, 1 or more"),
        (
            train,
            {"heartbeat": 0},
            "run_sweep(heartbeat=0): expected seconds, 0.01 or more; W&B's own agent sends one every 5",
        ),
        (train, {"heartbeat": -1}, "run_sweep(heartbeat=-1): expected seconds, 0.01 or more"),
        (train, {"heartbeat": "5"}, "run_sweep(heartbeat='5'): expected seconds, 0.01 or more"),
        (train, {"heartbeat": math.nan}, "run_sweep(heartbeat=nan): expected seconds, 0.01 or more"),
        (train, {"heartbeat": True}, "run_sweep(heartbeat=True): expected seconds, 0.01 or more"),
        (train, {"stop_when": True}, "run_sweep(stop_when=True): expected a function that takes TrialOutcomes"),
        (train, {"on_trial": "print"}, "run_sweep(on_trial='print'): expected a function that takes a TrialOutcome"),
        (
            train,
            {"stop_after_failures": 0},
            "run_sweep(stop_after_failures=0): expected a number of trials, 1 or more, ",
        ),
        (
            alone,
            {},
            "run_sweep runs a task that is decorated with @wandb_init, and 'decorated_sweeps.alone' is not, so its "
            "trials would write to no run; put @wandb_init above its @env.task",
        ),
        (ranked, {}, "run_sweep runs a Flyte task that is decorated with @wandb_init, not ranked"),
    ],
)
def test_what_run_sweep_cannot_use_is_an_error_at_once(task: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError) as error:
        asyncio.run(run_sweep(task, **options))
    assert str(error.value).startswith(message)


def test_run_sweep_outside_of_flyte_says_so() -> None:
    with pytest.raises(SweepError) as error:
        asyncio.run(run_sweep(train))
    assert str(error.value) == "run_sweep was called outside of Flyte; run it with flyte.run"


def test_the_id_of_a_sweep_is_enough_to_work_for_it() -> None:
    assert read_sweep({"_wandb_sweep_id": "s1"}) == SweepRef(sweep_id="s1")
    assert read_sweep({"_wandb_sweep": '{"project": "p"}'}) is None
    with pytest.raises(SettingError, match="_wandb_sweep='x' in Flyte's context is not a sweep"):
        read_sweep({"_wandb_sweep_id": "s1", "_wandb_sweep": "x"})
