"""What programs for wandb.init and for flyteplugins-wandb write: values, positions, defaults and keys of contexts."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import flyte
import pydantic
import pytest
from wandb.sdk.wandb_config import Config

from flyte_wandb import (
    DownloadError,
    SettingError,
    SweepError,
    WandbConfig,
    WandbSweepConfig,
    download_wandb_run_dir,
    get_wandb_context,
    get_wandb_sweep_context,
    preview,
    wandb_config,
    wandb_init,
    wandb_sweep_config,
)
from flyte_wandb.settings._context import read_settings
from flyte_wandb.settings._sweep_schema import SWEEPS
from tests.conftest import LocalRun, own_config
from tests.messages import own_messages
from tests.offline import logs

env = flyte.TaskEnvironment(name="written_elsewhere")


@dataclasses.dataclass
class Optimizer:
    betas: tuple[float, float] = (0.9, 0.999)


@dataclasses.dataclass
class Training:
    lr: float = 0.1
    optimizer: Optimizer = dataclasses.field(default_factory=Optimizer)


class Model(pydantic.BaseModel):
    lr: float = 0.1
    folder: Path = Path("data")


def of_omegaconf() -> Any:
    omegaconf = pytest.importorskip("omegaconf", reason="omegaconf is not installed")
    return omegaconf.OmegaConf.create({"lr": 0.1, "twice": "${lr}", "layers": [{"size": 2}]})


def of_wandb() -> Any:
    config = Config()  # type: ignore[no-untyped-call]
    config.update({"lr": 0.1})  # type: ignore[no-untyped-call]
    return config


class Flags:
    """What absl's flags can do."""

    def flag_values_dict(self) -> dict[str, Any]:
        return {"lr": 0.1}


class Plain:
    def __init__(self) -> None:
        self.lr = 0.1


CONFIGS: list[tuple[Any, dict[str, Any]]] = [
    (argparse.Namespace(lr=0.1), {"lr": 0.1}),
    (Training, {"lr": 0.1, "optimizer": {"betas": (0.9, 0.999)}}),
    (Model, {"lr": 0.1, "folder": "data"}),
    (of_omegaconf, {"lr": 0.1, "twice": 0.1, "layers": [{"size": 2}]}),
    (of_wandb, {"lr": 0.1}),
    (Flags, {"lr": 0.1}),
    (Plain, {"lr": 0.1}),
]


def spec_settings(decorated: Any) -> Any:
    return decorated.func.__wandb_spec__.settings


def task(**settings: Any) -> Any:
    async def work() -> None: ...

    return wandb_init(**settings)(env.task(work))


@pytest.mark.parametrize(("make", "expected"), CONFIGS)
def test_a_configuration_may_be_whatever_wandb_init_takes(make: Any, expected: dict[str, Any]) -> None:
    given = make() if callable(make) else make
    assert spec_settings(task(config=given))["config"] == expected
    assert wandb_config(config=given).config == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.yaml", "lr: 0.1\nmodel: {layers: 2}"),
        ("config.json", '{"lr": 0.1, "model": {"layers": 2}}'),
        ("config-defaults.yaml", "wandb_version: 1\nlr: {desc: rate, value: 0.1}\nmodel: {value: {layers: 2}}"),
    ],
)
@pytest.mark.usefixtures("offline")
def test_a_file_of_settings_is_read_by_the_task_and_before_it_travels(
    name: str, text: str, tmp_path: Path, run_local: LocalRun
) -> None:
    of_file = {"lr": 0.1, "model": {"layers": 2}}
    decorated = task(config=name)  # as `wandb.init`, which is called later
    preview(decorated)
    assert decorated.links[0].get_link("r1", "p", "d", {}, "", "a0", "")
    (tmp_path / name).write_text(text)
    for given in (name, tmp_path / name):
        assert wandb_config(config=given).config == of_file
    run_local(decorated)
    (log,) = logs(tmp_path)
    assert own_config(log) == of_file


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[1]", ": expected a mapping, got list"),
        ("1: a", ": the key 1 of config is of type int"),
        ("a: [", " cannot be read in /.*; put the file beside the code"),
        (None, " cannot be read in /.*: .*No such file.*; put the file beside the code"),
    ],
)
@pytest.mark.usefixtures("offline")
def test_a_file_that_holds_no_settings_is_refused_by_its_name(
    text: str | None, fault: str, tmp_path: Path, run_local: LocalRun
) -> None:
    path = tmp_path / "config.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingError, match=rf"^the config file '.*config.yaml'{fault}"):
        wandb_config(config=path)
    with pytest.raises(flyte.errors.RuntimeUserError, match=fault):
        run_local(task(config=str(path)))


def test_a_text_in_a_context_names_no_file() -> None:
    with pytest.raises(SettingError, match=r"wandb_config=.* in Flyte's context: expected a mapping, got str"):
        read_settings({"wandb_config": '"/etc/passwd"'})


@pytest.mark.parametrize(
    ("tags", "expected"), [("baseline", ("baseline",)), ({"b", "a"}, ("a", "b")), (["a"], ["a"]), (("a",), ("a",))]
)
def test_tags_are_what_wandb_takes(tags: Any, expected: Any) -> None:
    assert spec_settings(task(tags=tags))["tags"] == wandb_config(tags=tags).tags == expected
    assert spec_settings(task(settings={"run_tags": tags}))["tags"] == expected


def test_settings_that_are_not_set_read_as_their_defaults_and_write_nothing() -> None:
    config = wandb_config("vision", "team")
    assert (config.project, config.entity) == ("vision", "team")
    assert (config.run_mode, config.rank_scope, config.download_logs, config.tags) == ("auto", "global", False, None)
    assert config.to_dict() == {"wandb_project": "vision", "wandb_entity": "team"}
    assert type(config.to_dict()) is dict
    sweep = wandb_sweep_config("grid", None, {"lr": {"values": [1]}}, project="vision")
    assert (sweep.method, sweep.metric, sweep.download_logs) == ("grid", None, False)
    assert sweep.to_dict().keys() == {"wandb_sweep_method", "wandb_sweep_parameters", "wandb_sweep_project"}


def test_one_setting_in_two_ways_is_a_type_error_as_in_any_function() -> None:
    with pytest.raises(TypeError, match=r"wandb_config\(\) got multiple values for argument 'project'"):
        wandb_config("a", project="b")


def test_a_context_of_the_existing_plugin_is_read_whole(caplog: pytest.LogCaptureFixture) -> None:
    """It packs what it has no key for into one, and always writes its defaults."""
    runs = {
        "wandb_project": "p",
        "wandb_tags": '["a"]',
        "wandb_config": '{"lr": 0.1}',
        "wandb_run_mode": "auto",
        "wandb_rank_scope": "global",
        "wandb_download_logs": "false",
        "wandb_kwargs": json.dumps({"notes": "n", "save_code": True, "project": "packed", "reinit": True}),
    }
    sweeps = {"wandb_sweep_method": "random", "wandb_sweep_kwargs": json.dumps({"run_cap": 2, "description": "d"})}
    with WandbConfig(runs), WandbSweepConfig(sweeps):
        config, sweep = get_wandb_context(), get_wandb_sweep_context()
    assert config is not None and sweep is not None  # noqa: PT018
    assert (config.project, config.tags, config.notes, config.save_code) == ("p", ["a"], "n", True)
    assert (config.config, config.run_mode, config.download_logs) == ({"lr": 0.1}, "auto", False)
    assert (sweep.method, sweep.run_cap, sweep.description) == ("random", 2, "d")
    assert own_messages(caplog) == [
        "the key 'wandb_reinit' in Flyte's context is not a setting of flyte-wandb and is ignored"
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "is not JSON"),
        ("[1]", "is not a dict of settings but a list"),
        ('{"run_cap": 0}', "wandb_sweep_kwargs in Flyte's context(run_cap=0): expected a number of trials, 1 or more"),
    ],
)
def test_packed_settings_that_are_none_are_an_error_with_their_key(text: str, fault: str) -> None:
    with pytest.raises(SettingError) as caught:
        read_settings({"wandb_sweep_kwargs": text}, SWEEPS)
    assert "wandb_sweep_kwargs" in str(caught.value)
    assert fault in str(caught.value)
    assert read_settings({"wandb_sweep_kwargs": "null"}, SWEEPS) == {}


@pytest.mark.usefixtures("offline")
def test_what_cannot_be_fetched_or_searched_is_a_runtime_error_too() -> None:
    assert issubclass(SweepError, RuntimeError)
    with pytest.raises(RuntimeError) as caught:
        download_wandb_run_dir("r1")
    assert isinstance(caught.value, DownloadError)
