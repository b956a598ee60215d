"""The settings: which exist, and what is said of one that cannot be used."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

import pytest

from flyte_wandb import SettingError, wandb_config, wandb_init
from flyte_wandb.settings._schema import FIELDS, OWN_FIELDS, SettingArguments, check_settings

NO_SUCH = "there is no such setting"
WORDS = "must not be empty, or start or end with white space"
BAD: list[tuple[str, object, str]] = [
    ("projct", "a", f"{NO_SUCH}; did you mean project?"),
    ("tag", ["a"], f"{NO_SUCH}; did you mean tags?"),
    ("run_modes", "new", f"{NO_SUCH}; did you mean run_mode?"),
    ("zzz", 1, NO_SUCH),
    ("reinit", True, "every task opens its own run, beside those that are open; remove reinit"),
    ("anonymous", "allow", "W&B has removed anonymous runs; remove it"),
    ("mode", "shared", "W&B's shared mode is a run mode here; use run_mode='shared'"),
    ("mode", "dryrun", "expected one of online, offline, disabled"),
    ("mode", 1, "expected one of online, offline, disabled"),
    ("tags", 1, "expected a string, or a list, tuple or set of strings, got int"),
    ("tags", "", f"a tag {WORDS}"),
    ("tags", ["a", 1], "a tag must be a string, not int"),
    ("tags", ["a", ""], f"a tag {WORDS}"),
    ("tags", ["t" * 65], "a tag has at most 64 characters; this one has 65"),
    ("project", "a/b", "a project must not contain '/'; W&B rejects /\\#?%:"),
    ("project", "p" * 129, "a project has at most 128 characters; this one has 129"),
    ("project", 1, "a project must be a string, not int"),
    ("entity", "", f"an entity {WORDS}"),
    ("entity", "a/b", "an entity must not contain '/'; W&B rejects /"),
    ("host", "ftp://a", "a host must be an http or https address such as https://wandb.ai, not 'ftp://a'"),
    ("host", "https://[", "a host must be an http or https address such as https://wandb.ai, not 'https://['"),
    ("id", "a:b", "a run id must not contain ':'; W&B rejects :;,#?/%'"),
    ("id", " a", f"a run id {WORDS}"),
    ("name", "n" * 129, "a display name has at most 128 characters; this one has 129"),
    ("group", "g" * 129, "a group has at most 128 characters; this one has 129"),
    ("job_type", "j" * 65, "a job type has at most 64 characters; this one has 65"),
    ("config", [1], "expected a mapping, got list"),
    ("config", {1: "a"}, "the key 1 of config is of type int, but W&B accepts only strings; use str(key)"),
    ("config", {"a": {"b": [1, ...]}}, "config['a']['b'][1] is of type ellipsis, which W&B cannot write as JSON"),
    ("resume", "maybe", "expected one of True, False, allow, must, never, auto"),
    ("resume", 1, "expected one of True, False, allow, must, never, auto"),
    ("dir", 1, "expected the path of a folder, got int"),
    ("config", dict, "expected a mapping, got type"),
    ("config", len, "expected a mapping, got builtin_function_or_method"),
    ("run_mode", 1, "expected a string, got int"),
    ("rank_scope", ["worker"], "expected a string, got list"),
    ("joinable", "yes", "expected True or False, got str"),
    ("joinable", 1, "expected True or False, got int"),
    ("download_logs", "true", "expected True or False, got str"),
    ("report", 1, "expected True or False, got int"),
    ("notes", 1, "expected a string, got int"),
    ("save_code", 0, "expected True or False, got int"),
    ("resume_from", 1, "expected a string, got int"),
    ("fork_from", "old", "expected '<run id>?_step=<step>', such as 'ans3bsax?_step=123'"),
    ("config_exclude_keys", "a", "expected a list of strings, got str"),
    ("config_include_keys", [1], "expected a list of strings"),
]


@pytest.mark.parametrize("function", ["wandb_init", "wandb_config"])
@pytest.mark.parametrize(("name", "value", "fault"), BAD)
def test_a_setting_that_cannot_be_used_is_named_with_function_and_value(
    function: str, name: str, value: object, fault: str
) -> None:
    call: Any = {"wandb_init": wandb_init, "wandb_config": wandb_config}[function]
    with pytest.raises(SettingError) as caught:
        call(**{name: value})
    assert str(caught.value).startswith(f"{function}({name}={value!r}): {fault}")
    assert isinstance(caught.value, ValueError)


def test_settings_that_fit_come_back_as_they_are_and_none_is_left_out() -> None:
    config = MappingProxyType({"lr": 0.1})
    given = {
        "project": "vision",
        "tags": ("a",),
        "config": config,
        "joinable": False,
        "dir": Path("x"),
        "resume": True,
        "mode": "offline",
        "config_exclude_keys": ["secret"],
        "entity": None,
        "zzz": None,
    }
    found = check_settings(given, "wandb_init")
    assert found == {name: value for name, value in given.items() if value is not None}
    assert found["config"] is config


def test_every_argument_of_wandbs_own_init_is_a_setting_or_managed() -> None:
    import wandb

    theirs = set(inspect.signature(wandb.init).parameters)
    assert theirs - set(FIELDS) <= {"reinit", "anonymous"}
    assert set(FIELDS) & {"reinit", "anonymous"} == set()


def test_what_is_handed_to_wandb_is_an_argument_of_its_init() -> None:
    import wandb

    assert set(FIELDS) - set(OWN_FIELDS) <= set(inspect.signature(wandb.init).parameters)


def test_the_settings_that_this_package_gives_a_meaning() -> None:
    assert OWN_FIELDS == (
        "run_mode",
        "rank_scope",
        "project",
        "entity",
        "host",
        "id",
        "name",
        "tags",
        "config",
        "group",
        "mode",
        "joinable",
        "system_metrics",
        "download_logs",
        "report",
        "flyte_identity",
        "config_inputs",
        "on_error",
        "on_retry",
        "checkpoint_step",
        "sigterm_grace",
        "run_creations_per_second",
    )


def test_type_checkers_know_the_very_settings_that_exist() -> None:
    import os

    import wandb

    hints = get_type_hints(SettingArguments, localns={"wandb": wandb, "os": os})
    assert list(hints) == list(FIELDS)
