"""What W&B's JSON says arrives as the type that the task declares, or the search is refused before its first trial."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import flyte
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from flyte_wandb import SweepError, run_sweep, wandb_config, wandb_init, wandb_sweep_config
from flyte_wandb.sweeps._trial_inputs import TrialInputs
from flyte_wandb.testing import WandbServer
from flyte_wandb.testing.rules._search import trials
from tests.conftest import LocalRun

env = flyte.TaskEnvironment(name="inputs_of_trials")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Optimizer:
    lr: float
    steps: int = 1
    colour: Colour | None = None


class Model(BaseModel):
    width: int
    dropout: float | None = None


class Size(NamedTuple):
    width: int
    scale: float


@wandb_init
@env.task
async def containers(layers: list[int], rates: dict[str, float], pair: tuple[int, float], drop: float | None) -> str:
    return repr((layers, rates, pair, drop))


@wandb_init
@env.task
async def choices(colour: Colour, other: Colour, way: Literal["up", "down"], either: int | str) -> str:
    return repr((colour.name, other.name, way, either))


@wandb_init
@env.task
async def classes(optimizer: Optimizer, model: Model, several: list[Optimizer]) -> str:
    return repr((optimizer, model, several))


SEARCHES: list[tuple[Any, dict[str, Any], Any]] = [
    (
        containers,
        {
            "layers": {"values": [[64, 64], [128.0]]},
            "rates": {"parameters": {"lr": {"value": 1}}},
            "pair": {"value": [1.0, 2]},
            "drop": {"values": [0, None]},
        },
        {repr((layers, {"lr": 1.0}, (1, 2.0), drop)) for layers in ([64, 64], [128]) for drop in (0.0, None)},
    ),
    (
        choices,
        {
            "colour": {"value": "red"},
            "other": {"value": "BLUE"},
            "way": {"value": "up"},
            "either": {"values": ["5", 5]},
        },
        {repr(("RED", "BLUE", "up", either)) for either in ("5", 5)},
    ),
    (
        classes,
        {
            "optimizer": {"parameters": {"lr": {"value": 1}, "steps": {"value": 2.0}, "colour": {"value": "RED"}}},
            "model": {"value": {"width": 2.0, "dropout": 0}},
            "several": {"value": [{"lr": 3}]},
        },
        {repr((Optimizer(1.0, 2, Colour.RED), Model(width=2, dropout=0.0), [Optimizer(3.0)]))},
    ),
]
TASK: list[Any] = []


@env.task
async def search(options: dict[str, dict[str, str]]) -> list[str]:
    trials = await run_sweep(TASK[0], heartbeat=0.05, **options)  # type: ignore[call-overload]
    assert [trial.error for trial in trials] == [None] * len(trials)
    return [trial.result for trial in trials]


def grid(parameters: dict[str, Any]) -> dict[str, str]:
    return {**wandb_config(project="vision"), **wandb_sweep_config(method="grid", parameters=parameters)}


@pytest.mark.parametrize(("task", "parameters", "results"), SEARCHES, ids=["containers", "choices", "classes"])
def test_a_trial_gets_the_types_that_its_task_declares(
    task: Any, parameters: dict[str, Any], results: set[str], online: WandbServer, run_local: LocalRun
) -> None:
    TASK[:] = [task]
    assert set(run_local(search, {}, context=grid(parameters))) == results
    assert {run.state for run in online.runs} == {"finished"}


@wandb_init
@env.task
async def train(lr: float, epochs: int = 1, colour: Colour = Colour.RED) -> str:
    return repr((lr, epochs))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a text for a number": ({"lr": {"values": [0.1, "1e-3"]}}, r"cannot take '1e-3' as lr, which it declares as float"),
    "no whole number": ({"lr": {"value": 1}, "epochs": {"values": [1, 1.5]}}, r"cannot take 1\.5 as epochs, .* int"),
    "a range of floats": (
        {"lr": {"value": 1}, "epochs": {"distribution": "uniform", "min": 1, "max": 4}},
        r"cannot take 2\.1\d* as epochs",
    ),
    "halves": (
        {"lr": {"value": 1}, "epochs": {"distribution": "q_uniform", "min": 1, "max": 3.5, "q": 0.5}},
        r"cannot take 3\.5 as epochs",
    ),
    "no such member": ({"lr": {"value": 1}, "colour": {"values": ["red", "green"]}}, r"cannot take 'green' as colour"),
    "a list": ({"lr": {"value": [0.1]}}, r"cannot take \[0\.1\] as lr"),
    "a truth": ({"lr": {"value": True}}, r"cannot take True as lr"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_search_that_the_task_cannot_take_is_refused_before_any_trial(
    case: str, online: WandbServer, run_local: LocalRun
) -> None:
    parameters, message = REFUSED[case]
    TASK[:] = [train]
    context = {**grid(parameters), **wandb_sweep_config(method="random", run_cap=3)}
    with pytest.raises(flyte.errors.RuntimeUserError, match=message):
        run_local(search, {}, context=context)
    assert (online.runs, online.requests["CreateAgent"]) == ((), 0)


NESTED = {"optimizer": {"parameters": {"lr": {"values": [1, 0.5]}}}, "n.epochs": {"value": 2.0}}


def test_inputs_come_from_parameters_of_other_names(online: WandbServer, run_local: LocalRun) -> None:
    TASK[:] = [train]
    options = {"inputs_from": {"lr": "optimizer.lr", "epochs": "n.epochs"}}
    assert sorted(run_local(search, options, context=grid(NESTED))) == ["(0.5, 2)", "(1.0, 2)"]
    assert {run.config["optimizer"]["lr"] for run in online.runs} == {1, 0.5}


def build(task: Any, parameters: dict[str, Any], source: Any, fixed: dict[str, Any] | None = None) -> dict[str, Any]:
    return TrialInputs(task=task, fixed=fixed or {}, source=source).build(parameters)


def test_a_function_makes_inputs_of_the_parameters() -> None:
    parameters = {"log_lr": -1, "epochs": 3.0}
    made = build(train, parameters, lambda chosen: {"lr": 10 ** chosen["log_lr"], "epochs": chosen["epochs"]})
    assert made == {"lr": 0.1, "epochs": 3}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"lr": "optimizer.rate"}, "inputs_from= of run_sweep names the parameter 'optimizer.rate', which the sweep"),
        ({"rate": "optimizer.lr"}, "the task 'inputs_of_trials.train' does not take rate: "),
        (lambda chosen: {"lr": chosen["lr"]}, "inputs_from= of run_sweep failed with KeyError: 'lr'; it got the para"),
        (
            lambda chosen: {"lr": "fast"},
            "the task 'inputs_of_trials.train' cannot take 'fast' as lr, which it declares",
        ),
        (lambda chosen: {}, "the task 'inputs_of_trials.train' gets no value for lr: "),
    ],
)
def test_a_wrong_way_from_parameters_to_inputs_is_an_error(source: Any, message: str) -> None:
    with pytest.raises(SweepError) as error:
        TrialInputs(task=train, fixed={}, source=source).check_search(
            {"optimizer": {"parameters": {"lr": {"value": 1}}}}
        )
    assert str(error.value).startswith(message)


def test_a_field_that_a_class_does_not_have_is_an_error_and_not_left_out() -> None:
    with pytest.raises(SweepError, match="Optimizer has no field momentum"):
        build(classes, {"optimizer": {"lr": 1, "momentum": 0.9}, "model": {"width": 1}, "several": []}, None)


@env.task
async def named(size: Size, both: int | float, names: dict[str, Colour | str], when: bool) -> None: ...


def test_a_type_that_takes_the_value_as_it_is_goes_first() -> None:
    inputs = build(named, {"size": [1.0, 2], "both": 1.0, "names": {"a": "RED", "b": "red"}, "when": True}, None)
    assert repr(inputs) == repr(
        {"size": Size(1, 2.0), "both": 1.0, "names": {"a": "RED", "b": Colour.RED}, "when": True}
    ) or inputs["names"] == {"a": "RED", "b": "red"}
    assert (type(inputs["both"]), type(inputs["size"])) == (float, Size)


numbers = st.one_of(st.integers(-5, 5), st.floats(-5, 5), st.sampled_from(["1e-3", "red", "RED", True, None]))
ranges = st.tuples(st.integers(1, 4), st.integers(5, 9), st.sampled_from([0, 0.5])).map(
    lambda ends: {"min": ends[0] + ends[2], "max": ends[1] + ends[2]}
)
DISTRIBUTIONS = ("uniform", "int_uniform", "log_uniform_values", "q_uniform", "q_log_uniform_values", "log_uniform")
alike = st.sampled_from(
    (
        st.integers(-5, 5),
        st.floats(-5, 5),
        st.integers(-5, 5).map(float),
        st.booleans(),
        st.sampled_from(["red", "BLUE"]),
        st.one_of(st.floats(-5, 5), st.none()),
        st.lists(st.integers(-5, 5), max_size=2),
        st.one_of(numbers, st.lists(numbers, max_size=2)),
    )
).flatmap(lambda values: st.lists(values, min_size=1, max_size=4))
listed = st.one_of(
    st.builds(lambda values: {"values": values}, alike), st.builds(lambda values: {"value": values[0]}, alike)
)
drawn = st.one_of(
    listed,
    ranges,
    st.builds(lambda ends, name: {**ends, "distribution": name}, ranges, st.sampled_from(DISTRIBUTIONS)),
    st.builds(
        lambda mean, name: {"mu": mean, "sigma": 1, "distribution": name},
        st.integers(0, 2),
        st.sampled_from(("normal", "q_normal", "log_normal", "q_log_normal")),
    ),
)


RECEIVED: list[Any] = []


def takes(kind: Any) -> Any:
    async def trial(x: Any) -> None:
        RECEIVED.append(x)

    trial.__annotations__["x"] = kind  # Flyte resolves the text of an annotation among the names of the module
    return wandb_init(env.task(trial))


KINDS: list[tuple[Any, Callable[[Any], bool]]] = [
    (takes(int), lambda x: type(x) is int),
    (takes(float), lambda x: type(x) is float),
    (takes(bool), lambda x: type(x) is bool),
    (takes(Colour), lambda x: type(x) is Colour),
    (takes(float | None), lambda x: x is None or type(x) is float),
    (takes(list[float]), lambda x: type(x) is list and all(type(item) is float for item in x)),
    (takes(tuple[int, ...]), lambda x: type(x) is tuple and all(type(item) is int for item in x)),
    (takes(dict[str, float]), lambda x: type(x) is dict and type(x["lr"]) is float),
    (takes(Optimizer), lambda x: (type(x), type(x.lr), type(x.steps)) == (Optimizer, float, int)),
]


def refusal_of(inputs: TrialInputs, parameters: dict[str, Any]) -> str | None:
    try:
        inputs.check_search(parameters)
    except SweepError as error:
        return str(error)
    return None


@st.composite
def searches(draw: st.DrawFn) -> dict[str, Any]:
    method = draw(st.sampled_from(("grid", "random", "bayes")))
    parameter = draw(listed if method == "grid" else drawn)
    if parameter.get("distribution") == "int_uniform":
        parameter |= {end: int(parameter[end]) for end in ("min", "max")}
    if draw(st.booleans()):
        parameter = {"parameters": {"lr": parameter}}
    return {"method": method, "parameters": {"x": parameter}}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(KINDS), searches())
def test_each_trial_gets_its_type_or_the_search_is_refused_before_the_first(
    kind: tuple[Any, Callable[[Any], bool]], config: dict[str, Any]
) -> None:
    """The double's own draws, which know nothing of the check."""
    task, fits = kind
    inputs = TrialInputs(task=task, fixed={})
    refusal = refusal_of(inputs, config["parameters"])
    if refusal:
        assert "cannot take" in refusal
        return
    for trial in itertools.islice(trials(config), 10):
        assert fits(inputs.build(trial)["x"])


@env.task
async def two_trials() -> list[str]:
    try:
        return [trial.state for trial in await run_sweep(TASK[0], count=2, max_parallel=2, heartbeat=0.05)]
    except SweepError:
        return []


RANDOM_SWEEPS = 8
"""As many as the suite has time for: each has two trials with runs of their own."""
NUMBERS = itertools.count(1)


@settings(
    max_examples=RANDOM_SWEEPS, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
@given(st.sampled_from(KINDS), searches())
def test_so_it_is_from_the_server_to_the_task(
    online: WandbServer, run_local: LocalRun, kind: tuple[Any, Callable[[Any], bool]], config: dict[str, Any]
) -> None:
    TASK[:], RECEIVED[:] = [kind[0]], []
    runs, agents = len(online.runs), online.requests["CreateAgent"]
    context = {**wandb_config(project="vision"), **wandb_sweep_config(metric={"name": "x"}, **config)}
    states = run_local(two_trials, context=context, name=f"random{next(NUMBERS)}")
    assert states == ["finished"] * len(RECEIVED)
    assert all(map(kind[1], RECEIVED))
    assert len(online.runs) == runs + len(RECEIVED)
    if not states:
        assert online.requests["CreateAgent"] == agents, "refused before the first trial"
