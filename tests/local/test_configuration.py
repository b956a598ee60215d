"""The configuration of a run that other attempts and tasks write to: what user code may do with it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle
import flyte
import pytest
import wandb
from wandb.sdk.lib.config_util import ConfigError

from flyte_wandb import wandb_config, wandb_init
from flyte_wandb.testing import WandbServer
from flyte_wandb.wandb_client._opening import Mode
from tests.conftest import LocalRun, own_config
from tests.current import this_run

env = flyte.TaskEnvironment(name="configuration")
TRIES: list[int] = []


def by_update(key: str, value: Any) -> None:
    this_run().config.update({key: value})  # type: ignore[no-untyped-call]


def by_key(key: str, value: Any) -> None:
    this_run().config[key] = value


def by_name(key: str, value: Any) -> None:
    setattr(this_run().config, key, value)


WAYS = {way.__name__: way for way in (by_update, by_key, by_name)}


@wandb_init(config={"lr": 0.1})
@env.task(retries=1)
def another_value_in_each_attempt(way: str) -> int:
    TRIES.append(1)
    WAYS[way]("seed", len(TRIES))
    this_run().config.setdefaults({"first": len(TRIES)})  # type: ignore[no-untyped-call]
    if len(TRIES) == 1:
        raise ConnectionError("the node went away")
    return len(TRIES)


@wandb_init
@env.task
async def fold(number: int, way: str) -> int:
    WAYS[way]("fold", number)
    return number


@wandb_init(config={"fold": -1})
@env.task
async def folds(way: str) -> str:
    for number in range(3):
        await fold(number, way)
    WAYS[way]("fold", "all")
    return this_run().id


@pytest.mark.parametrize("way", WAYS)
def test_another_attempt_sets_a_key_again_and_the_last_value_stays(
    way: str, online: WandbServer, run_local: LocalRun
) -> None:
    TRIES.clear()
    assert run_local(another_value_in_each_attempt, way) == 2
    (record,) = online.runs
    assert own_config(record) == {"lr": 0.1, "seed": 2, "first": 1}


@pytest.mark.parametrize("way", WAYS)
def test_siblings_and_their_parent_set_one_key_of_the_run_that_they_share(
    way: str, online: WandbServer, run_local: LocalRun
) -> None:
    assert own_config(online.run(run_local(folds, way))) == {"fold": "all"}


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("way", WAYS)
def test_within_one_run_of_its_own_a_task_is_told_of_a_slip_as_by_wandb_alone(way: str) -> None:
    def slips() -> None:
        WAYS[way]("lr", 1)
        WAYS[way]("lr", 2)

    with pytest.raises(ConfigError, match='change value of key "lr"'):
        wandb_init(slips)()
    wandb_init(allow_val_change=True)(slips)()


def test_who_wants_to_be_told_of_a_slip_is_told_in_another_attempt_too(
    online: WandbServer, run_local: LocalRun
) -> None:
    TRIES.clear()
    with pytest.raises(flyte.errors.RuntimeUserError, match='change value of key "seed"'):
        run_local(another_value_in_each_attempt, "by_update", context=wandb_config(allow_val_change=False))


COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "cloudpickle": lambda value: pickle.loads(cloudpickle.dumps(value)),
    "deepcopy": copy.deepcopy,
}


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_configuration_and_settings_are_copied_by_value(mode: Mode, copied: Callable[[Any], Any]) -> None:
    def function() -> None:
        run = this_run()
        for config in (run.config, wandb.config):
            found = copied({"config": config})["config"]
            assert (type(found), dict(found)) == (type(run.config), {"lr": 0.1, "net": {"layers": [1, 2]}})
            found.update({"lr": 1}, allow_val_change=True)
            found.net["layers"].append(3)
        assert copied(run.settings).run_id == run.id
        assert dict(run.config) == {"lr": 0.1, "net": {"layers": [1, 2]}}

    wandb_init(config={"lr": 0.1, "net": {"layers": [1, 2]}}, mode=mode)(function)()


@pytest.mark.usefixtures("offline")
def test_a_pickle_needs_wandb_only_where_it_is_loaded() -> None:
    def function() -> bytes:
        return pickle.dumps([this_run().config, this_run().settings])

    assert b"flyte_wandb" not in wandb_init(function)()
