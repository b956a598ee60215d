"""`wandb_sweep_config`, what of it stands in Flyte's context, and which settings a sweep is created with."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyte_wandb import (
    SettingError,
    WandbSweepConfig,
    get_wandb_context,
    get_wandb_sweep_context,
    get_wandb_sweep_id,
    wandb_config,
    wandb_sweep,
    wandb_sweep_config,
)
from flyte_wandb.settings._context import read_settings
from flyte_wandb.settings._merge import merge_sweep_settings
from flyte_wandb.settings._sweep_schema import SWEEPS

NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False), st.text(), st.booleans())
PARAMETERS = st.dictionaries(st.text(), st.fixed_dictionaries({"values": st.lists(NUMBERS)}), min_size=1, max_size=3)


def in_force() -> dict[str, str]:
    found = get_wandb_sweep_context()
    return dict(found) if found else {}


def test_settings_are_texts_under_keys_of_their_own() -> None:
    config = wandb_sweep_config(
        method="bayes",
        metric={"name": "loss", "goal": "minimize"},
        parameters={"lr": {"min": 1e-5, "max": 1e-2}},
        project="vision",
        run_cap=50,
        prior_runs=["r1-a0"],
        download_logs=True,
    )
    assert dict(config) == {
        "wandb_sweep_method": "bayes",
        "wandb_sweep_metric": '{"name": "loss", "goal": "minimize"}',
        "wandb_sweep_parameters": '{"lr": {"min": 1e-05, "max": 0.01}}',
        "wandb_sweep_project": "vision",
        "wandb_sweep_run_cap": "50",
        "wandb_sweep_prior_runs": '["r1-a0"]',
        "wandb_sweep_download_logs": "true",
    }
    assert (config.method, config.run_cap, config.prior_runs, config.entity) == ("bayes", 50, ["r1-a0"], None)


@settings(deadline=None)
@given(PARAMETERS, st.integers(1), st.text(min_size=1, max_size=50).filter(str.isprintable))
def test_what_comes_out_is_what_went_in(parameters: dict[str, Any], cap: int, name: str) -> None:
    config = wandb_sweep_config(method="random", parameters=parameters, run_cap=cap, description=name)
    found = read_settings(config, SWEEPS)
    assert repr(found) == repr({"description": name, "method": "random", "parameters": parameters, "run_cap": cap})
    with config:
        assert in_force() == dict(config)
    for another in (copy.copy(config), pickle.loads(pickle.dumps(config))):
        assert (type(another), another) == (WandbSweepConfig, config)


def test_a_block_adds_to_the_one_around_it_and_what_runs_and_sweeps_are_told_stays_apart() -> None:
    with wandb_config(project="runs"), wandb_sweep_config(method="random", project="sweeps"):
        with wandb_sweep_config(method="grid", run_cap=3):
            assert in_force() == {
                "wandb_sweep_method": "grid",
                "wandb_sweep_project": "sweeps",
                "wandb_sweep_run_cap": "3",
            }
        assert in_force() == {"wandb_sweep_method": "random", "wandb_sweep_project": "sweeps"}
        runs = get_wandb_context()
        assert runs is not None
        assert dict(runs) == {"wandb_project": "runs"}
    assert get_wandb_sweep_context() is None
    assert get_wandb_sweep_id() is None


@pytest.mark.parametrize(
    ("given_settings", "fault"),
    [
        ({"methd": "grid"}, "methd='grid'): there is no such setting; did you mean method?"),
        ({"tags": ["a"]}, "tags=['a']): there is no such setting"),
        ({"method": "bayesian"}, "method='bayesian'): expected one of bayes, custom, grid, random"),
        ({"parameters": {}}, "parameters={}): it has no parameters"),
        ({"parameters": ["lr"]}, "parameters=['lr']): expected a mapping, got list"),
        ({"metric": "loss"}, "metric='loss'): expected a mapping, got str"),
        ({"run_cap": 0}, "run_cap=0): expected a number of trials, 1 or more, not 0"),
        ({"run_cap": True}, "run_cap=True): expected a number of trials, 1 or more, not True"),
        ({"prior_runs": "r1"}, "prior_runs='r1'): expected a list of strings, got str"),
        ({"download_logs": 1}, "download_logs=1): expected True or False, got int"),
        ({"project": "a/b"}, "project='a/b'): "),
    ],
)
def test_what_cannot_be_used_is_named(given_settings: dict[str, Any], fault: str) -> None:
    for function in (wandb_sweep_config, wandb_sweep):
        with pytest.raises(SettingError) as refused:
            function(**given_settings)
        assert str(refused.value).startswith(f"{function.__name__}({fault}")


def test_a_text_in_the_context_that_is_no_value_says_how_to_write_it() -> None:
    with pytest.raises(SettingError) as refused:
        read_settings({"wandb_sweep_run_cap": "many"}, SWEEPS)
    assert str(refused.value).startswith("wandb_sweep_run_cap='many' in Flyte's context: ")
    assert str(refused.value).endswith("; write it with wandb_sweep_config(run_cap=...)")


def test_none_is_not_set() -> None:
    assert dict(wandb_sweep_config(method=None, project=None, run_cap=None)) == {}


HOSTS = {name: f"https://{name}.example.com" for name in ("of-runs", "of-sweeps", "own")}


@pytest.mark.parametrize("name", ["project", "entity", "host"])
def test_the_decorator_goes_over_the_sweeps_configuration_and_that_over_the_one_of_runs(name: str) -> None:
    def value(source: str) -> str:
        return HOSTS[source] if name == "host" else source

    of_runs = dict(wandb_config(**{name: value("of-runs")}))  # type: ignore[arg-type]
    of_sweeps = dict(wandb_sweep_config(**{name: value("of-sweeps")}))  # type: ignore[arg-type]
    rows = [
        ({}, {}, None),
        (of_runs, {}, "of-runs"),
        ({**of_runs, **of_sweeps}, {}, "of-sweeps"),
        ({**of_runs, **of_sweeps}, {name: value("own")}, "own"),
        (of_runs, {name: value("own")}, "own"),
    ]
    for context, own, source in rows:
        found = merge_sweep_settings(context, own)
        assert found == ({name: value(source)} if source else {})


def test_the_decorator_goes_over_the_context_setting_by_setting() -> None:
    search = wandb_sweep_config(method="random", run_cap=5, metric={"name": "loss", "goal": "minimize"})
    context = {**search, **wandb_config(tags=["a"], config={"lr": 1})}
    assert merge_sweep_settings(context, {"method": "grid", "run_cap": 7}) == {
        "method": "grid",
        "run_cap": 7,
        "metric": {"name": "loss", "goal": "minimize"},
    }
