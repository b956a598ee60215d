"""What `wandb_init` does, and refuses, when it decorates; nothing runs here."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import flyte
import pytest
from flyte.extend import AsyncFunctionTaskTemplate, TaskPluginRegistry
from flyte.extras import ContainerTask, Sleep
from flyte.models import NativeInterface

from flyte_wandb import SettingError, Topology, Wandb, wandb_init
from flyte_wandb.plans._spec import Spec
from tests.checkout import process_environ
from tests.programs import run_python

env = flyte.TaskEnvironment(name="decorated")


@dataclass
class Elastic:
    """The fields that the plugin configuration of Flyte's Elastic has."""

    nproc_per_node: int | str
    nnodes: int | str


@dataclass(kw_only=True)
class ElasticTask(AsyncFunctionTaskTemplate):  # type: ignore[type-arg, unused-ignore]
    plugin_config: Elastic


@dataclass
class ReadsSource:
    """A kind of task that runs something else than its function."""


@dataclass(kw_only=True)
class ReadsSourceTask(AsyncFunctionTaskTemplate):  # type: ignore[type-arg, unused-ignore]
    plugin_config: ReadsSource

    async def execute(self, *arguments: Any, **named: Any) -> Any:
        return self.name


@dataclass
class Prepares:
    """A kind of task that does something around its function."""


@dataclass(kw_only=True)
class PreparesTask(AsyncFunctionTaskTemplate):  # type: ignore[type-arg, unused-ignore]
    plugin_config: Prepares

    async def execute(self, *arguments: Any, **named: Any) -> Any:
        return await super().execute(*arguments, **named)


TaskPluginRegistry.register(Elastic, ElasticTask)
TaskPluginRegistry.register(ReadsSource, ReadsSourceTask)
TaskPluginRegistry.register(Prepares, PreparesTask)


@dataclass(frozen=True)
class Docs(flyte.Link):
    name: str = "docs"
    icon_uri: str | None = None

    def get_link(self, *arguments: Any, **named: Any) -> str:
        return "https://docs.example"


def twice(x: int) -> int:
    return 2 * x


async def twice_async(x: int) -> int:
    return 2 * x


def task_of(function: Any = twice, config: Any = None, **options: Any) -> Any:
    """A fresh task in an environment of its own."""
    return flyte.TaskEnvironment(name="one", plugin_config=config).task(function, **options)


def spec_of(target: Any) -> Spec:
    """What the decorator keeps; a task keeps it beside its function."""
    found = getattr(target, "func", target).__wandb_spec__
    assert isinstance(found, Spec)
    return found


@wandb_init(project="vision")
@env.task
async def registered(x: int) -> int:
    return x


def test_the_environment_holds_the_very_task_that_was_decorated() -> None:
    assert env.tasks["decorated.registered"] is registered
    assert spec_of(env.tasks["decorated.registered"]) == Spec(
        settings={"project": "vision"}, task_name="decorated.registered", declared=None, outermost=True
    )


@pytest.mark.parametrize("function", [twice, twice_async])
def test_the_same_task_object_comes_back_with_its_function_wrapped_in_place(function: Any) -> None:
    task = task_of(function)
    assert wandb_init(task) is task
    assert wandb_init(project="p")(other := task_of(function)) is other
    assert task.func is not function
    assert inspect.unwrap(task.func) is function
    assert (task.func.__name__, task.func.__doc__) == (function.__name__, function.__doc__)
    assert inspect.signature(task.func) == inspect.signature(function)


@pytest.mark.parametrize(("function", "is_async"), [(twice, False), (twice_async, True)])
def test_sync_stays_sync_and_async_stays_async(function: Any, is_async: bool) -> None:
    assert inspect.iscoroutinefunction(wandb_init(task_of(function)).func) is is_async
    assert inspect.iscoroutinefunction(wandb_init(function)) is is_async


def test_a_plain_function_is_wrapped_and_has_no_task() -> None:
    tracked = wandb_init(id="mine")(twice)
    assert tracked is not twice
    assert tracked.__name__ == "twice"
    assert spec_of(tracked) == Spec(settings={"id": "mine"}, task_name=None, declared=None, outermost=False)


def test_without_settings_parentheses_change_nothing() -> None:
    assert spec_of(wandb_init()(task_of())) == spec_of(wandb_init(task_of()))


def test_none_is_not_a_setting_of_the_decorator() -> None:
    assert spec_of(wandb_init(project=None, joinable=False)(task_of())).settings == {"joinable": False}


def test_one_link_is_appended_and_the_tasks_own_stay() -> None:
    task = wandb_init(project="p")(task_of(links=(Docs(),)))
    assert task.links == (Docs(), Wandb(spec=spec_of(task)))
    assert task.links[1].spec.settings == {"project": "p"}


def test_an_overridden_task_keeps_function_and_link() -> None:
    task = wandb_init(project="p")(task_of())
    overridden = task.override(retries=3)
    assert overridden is not task
    assert overridden.func is task.func
    assert overridden.links == task.links == (Wandb(spec=spec_of(task)),)


@pytest.mark.parametrize(
    ("config", "declared"),
    [
        (None, None),
        (Prepares(), None),
        (Elastic(nproc_per_node=2, nnodes=3), Topology.even(3, 2, launcher="torch-elastic")),
    ],
)
def test_the_world_that_an_environment_declares_stands_in_the_link(config: Any, declared: Topology | None) -> None:
    task = wandb_init(task_of(config=config))
    assert spec_of(task).declared == declared
    assert task.links[-1].spec.declared == declared


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


class Model:
    """Something with a name that is not a function."""


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Model, "wandb_init cannot track the class Model; decorate the task or function that uses it"),
        (generator, "wandb_init cannot track the generator generator: its body runs after the call has returned"),
        (async_generator, "wandb_init cannot track the generator async_generator: its body runs after the call"),
        ("vision", "wandb_init decorates a task or a function, not 'vision'; pass settings by name"),
        (7, "wandb_init decorates a task or a function, not 7; pass settings by name"),
        (wandb_init(twice), "wandb_init decorates twice twice; keep one, outermost, with all settings"),
        (wandb_init(task_of()), "wandb_init decorates twice twice; keep one, outermost, with all settings"),
        (task_of(wandb_init(twice)), "wandb_init decorates twice twice; keep one, outermost, with all settings"),
        (task_of(generator), "wandb_init cannot track the generator generator: its body runs after the call"),
        (task_of(async_generator), "wandb_init cannot track the generator async_generator: its body runs after"),
    ],
)
def test_what_cannot_be_tracked_is_named_when_it_is_decorated(target: Any, message: str) -> None:
    with pytest.raises(SettingError) as caught:
        wandb_init(project="p")(target)
    assert str(caught.value).startswith(message)


def test_an_object_whose_call_is_async_stays_async() -> None:
    class Trains:
        async def __call__(self) -> int:
            return 1

    assert inspect.iscoroutinefunction(wandb_init(Trains()))


class SomeTask(flyte.TaskTemplate):  # type: ignore[type-arg, unused-ignore]
    """A task of a backend, which runs no function at all."""


@pytest.mark.parametrize(
    ("task", "name", "kind"),
    [
        (ContainerTask(name="shell", image="alpine", command=["true"]), "shell", "ContainerTask"),
        (SomeTask(name="query", task_type="query", interface=NativeInterface({}, {})), "query", "SomeTask"),
        (task_of(config=ReadsSource()), "one.twice", "ReadsSourceTask"),
        (task_of(config=Sleep()), "one.twice", "SleepTask"),
    ],
)
def test_a_task_that_runs_no_function_here_is_refused_and_left_as_it_was(task: Any, name: str, kind: str) -> None:
    function, links = getattr(task, "func", None), task.links
    with pytest.raises(SettingError) as caught:
        wandb_init(task)
    assert str(caught.value) == (
        f"wandb_init cannot track the task {name!r}: a {kind} does not run a Python function in its own process; "
        "decorate a task that calls it instead"
    )
    assert (getattr(task, "func", None), task.links) == (function, links)


def test_a_task_that_does_more_than_running_its_function_is_tracked() -> None:
    assert spec_of(wandb_init(task_of(config=Prepares()))).task_name == "one.twice"


@pytest.mark.parametrize(
    ("kind", "setting", "close"),
    [
        ("run_mode", "solo", ""),
        ("run_mode", "shraed", "; did you mean shared?"),
        ("rank_scope", "galaxy", ""),
        ("rank_scope", "workers:2", "; did you mean worker?"),
        ("rank_scope", "auto", ""),
        ("run_mode", "", ""),
        ("rank_scope", ":4", ""),
    ],
)
def test_an_unknown_strategy_is_named_with_those_that_exist(kind: str, setting: str, close: str) -> None:
    arguments: Any = {kind: setting}
    with pytest.raises(SettingError) as caught:
        wandb_init(**arguments)
    assert str(caught.value) == (
        f"wandb_init({kind}={setting!r}): no plugin brings it; known run_modes: auto (builtin), new (builtin), "
        f"shared (builtin); known rank_scopes: global (builtin), worker (builtin){close}"
    )


@pytest.mark.parametrize("setting", ["worker", "worker:of a rack"])
def test_a_known_strategy_may_carry_an_argument(setting: str) -> None:
    assert spec_of(wandb_init(rank_scope=setting)(task_of())).settings == {"rank_scope": setting}


@pytest.mark.parametrize("function", [twice, twice_async])
def test_the_wrapper_holds_the_function_the_spec_and_a_modules_name_only(function: Any) -> None:
    task = wandb_init(project="p")(task_of(function))
    held = {"function": function, "spec": spec_of(task), "session": "flyte_wandb.tasks._call"}
    assert inspect.getclosurevars(task.func).nonlocals == held


def test_a_spec_and_a_link_can_be_pickled() -> None:
    task = wandb_init(tags=["a"], config={"lr": 0.1})(task_of(config=Elastic(nproc_per_node=2, nnodes=2)))
    assert pickle.loads(pickle.dumps(spec_of(task))) == spec_of(task)
    assert pickle.loads(pickle.dumps(task.links)) == task.links


def test_a_function_that_travels_by_value_is_tracked_where_it_arrives(tmp_path: Path) -> None:
    def local(x: int) -> int:
        return x

    task = wandb_init(project="vision", tags=["a"])(task_of(local))
    (tmp_path / "function").write_bytes(cloudpickle.dumps(task.func))
    script = "import pickle; f = pickle.load(open('function', 'rb')); print(f.__name__, f.__wandb_spec__.settings)"
    result = run_python("-c", script, folder=tmp_path, environ=process_environ(tmp_path))
    assert result.stdout == "local {'project': 'vision', 'tags': ['a']}\n"
