"""`settings=` is one more place of a setting: as dict and as `wandb.Settings`, by decorator and by context."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from typing import Any

import pytest
import wandb

from flyte_wandb import SettingError, wandb_config, wandb_init
from flyte_wandb.plans._request import build_placeholder_request
from flyte_wandb.plans._spec import Spec
from flyte_wandb.settings._client_settings import REFUSED_FIELDS, SETTING_OF, as_setting
from flyte_wandb.settings._context import read_settings
from flyte_wandb.settings._merge import merge_settings
from flyte_wandb.settings._schema import FIELDS, check_settings
from flyte_wandb.wandb_client._setting_names import client_setting_names
from tests.checkout import import_path

VALUES: dict[str, Any] = {
    "mode": "offline",
    "project": "vision",
    "entity": "team",
    "base_url": "https://wandb.example.com",
    "run_id": "exp",
    "run_name": "first",
    "run_tags": ("a", "b"),
    "run_group": "g",
    "run_notes": "n",
    "run_job_type": "train",
    "root_dir": "here",
    "allow_val_change": True,
    "force": True,
    "resume": "must",
    "resume_from": "old?_step=3",
    "fork_from": "old?_step=3",
    "save_code": False,
    "sync_tensorboard": True,
}
KINDS: list[Any] = [dict, lambda fields: wandb.Settings(**fields)]


def test_there_is_a_value_here_for_every_field() -> None:
    assert VALUES.keys() == SETTING_OF.keys()
    assert set(SETTING_OF.values()) <= FIELDS.keys()
    assert not SETTING_OF.keys() & REFUSED_FIELDS.keys()


def test_every_field_that_an_argument_of_wandbs_init_sets_is_decided() -> None:
    from wandb.sdk import wandb_init as module

    set_by_init = set(re.findall(r"init_settings\.(\w+) = ", inspect.getsource(module.init)))
    assert "run_notes" in set_by_init
    assert set_by_init <= SETTING_OF.keys() | REFUSED_FIELDS.keys()
    assert SETTING_OF.keys() | REFUSED_FIELDS.keys() <= set(wandb.Settings.model_fields)


@pytest.mark.parametrize("kind", KINDS, ids=["dict", "Settings"])
@pytest.mark.parametrize("field", VALUES)
def test_a_field_counts_as_the_setting_of_that_name(field: str, kind: Any) -> None:
    name, value = SETTING_OF[field], VALUES[field]
    assert check_settings({"settings": kind({field: value})}, "wandb_init") == {name: value}
    assert read_settings(wandb_config(settings=kind({field: value}))) == {name: value}
    assert read_settings(wandb_config(**{name: value})) == {name: value}


@pytest.mark.parametrize(("mode", "ours"), [("dryrun", "offline"), ("run", "online"), ("disabled", "disabled")])
def test_older_names_of_modes_are_understood(mode: str, ours: str) -> None:
    assert as_setting("mode", mode) == ("mode", ours)


PLACES: list[tuple[str, dict[str, Any]]] = [
    ("decorator", {"project": "argument"}),
    ("decorator", {"settings": {"project": "field"}}),
    ("context", {"project": "argument"}),
    ("context", {"settings": {"project": "field"}}),
]


@pytest.mark.parametrize("first", range(len(PLACES)))
def test_the_order_of_precedence_is_arguments_over_settings_and_the_decorator_over_the_context(first: int) -> None:
    given: dict[str, dict[str, Any]] = {"decorator": {}, "context": {}}
    for number, (place, arguments) in enumerate(PLACES[first:], start=first):
        value = {name: {"project": str(number)} if name == "settings" else str(number) for name in arguments}
        given[place] |= value
    context = read_settings(wandb_config(**given["context"]))
    found = merge_settings(context, check_settings(given["decorator"], "wandb_init"), parent=None, action_name="a0")
    assert found.project == str(first)


def test_other_fields_are_merged_one_by_one_and_handed_on() -> None:
    outer = check_settings({"settings": {"init_timeout": 60, "quiet": True, "mode": "offline"}}, "wandb_config")
    inner = check_settings({"settings": wandb.Settings(quiet=False)}, "wandb_init")
    found = merge_settings(outer, inner, parent=None, action_name="a0")
    assert (dict(found.init["settings"]), found.mode) == ({"init_timeout": 60, "quiet": False}, "offline")


@pytest.mark.parametrize("field", REFUSED_FIELDS)
@pytest.mark.parametrize("function", [wandb_init, wandb_config])
def test_a_field_that_nobody_can_set_is_refused_by_name_with_what_to_do(field: str, function: Any) -> None:
    with pytest.raises(SettingError, match=rf"settings=\.\.\.\): the field {field}='v' cannot be set: .*remove"):
        function(settings={field: "v"})


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"mode": "shared"}, "the field mode='shared' counts as mode=: W&B's shared mode is a run mode here"),
        ({"run_id": "a/b"}, "the field run_id='a/b' counts as id=: a run id must not contain '/'"),
        ({"run_tags": 1}, "the field run_tags=1 counts as tags=: expected a string, or a list, tuple or set"),
        ({"_label": "l"}, "the field x_label='l' cannot be set"),
        ({"resume": "must", "fork_from": "a?_step=1"}, "W&B accepts only one of"),
        ("offline", "expected a wandb.Settings or a dict of its fields, got str"),
        ({1: True}, "expected names of fields as strings, got int"),
        ({"quite": True}, "W&B does not have the field quite: there is no such setting; did you mean quiet?"),
        (
            {"_disable_stat": True},
            "W&B does not have the field x_disable_stat: there is no such setting; did you mean x_",
        ),
        ({"projct": "vision"}, "W&B does not have the field projct: there is no such setting; did you mean project?"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_field_and_setting(settings: Any, fault: str) -> None:
    for function in (wandb_init, wandb_config):
        with pytest.raises(SettingError) as caught:
            function(settings=settings)
        assert fault in str(caught.value)


def test_a_field_that_somebody_wrote_into_the_context_by_hand_counts_too() -> None:
    assert read_settings({"wandb_settings": '{"mode": "offline"}'}) == {"mode": "offline"}
    with pytest.raises(SettingError, match="wandb_settings in Flyte's context: the field x_label"):
        read_settings({"wandb_settings": '{"x_label": "l"}'})


def test_every_field_that_wandb_has_is_known_without_importing_it() -> None:
    assert wandb.Settings.model_fields.keys() <= client_setting_names()
    code = (
        "import sys, flyte_wandb\n"
        "flyte_wandb.wandb_init(settings={'x_disable_stats': True})\n"
        "try: flyte_wandb.wandb_init(settings={'x_disable_stat': True})\n"
        "except flyte_wandb.SettingError: print('wandb' in sys.modules)"
    )
    environ = {**os.environ, "PYTHONPATH": import_path()}
    result = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


def test_the_value_of_a_misspelt_field_is_not_shown() -> None:
    with pytest.raises(SettingError, match="did you mean api_key") as caught:
        wandb_init(settings={"api_kye": "s" * 40})
    assert "sss" not in str(caught.value)


def test_a_key_cannot_travel_where_others_read_it_and_is_not_shown() -> None:
    with pytest.raises(SettingError, match="WANDB_API_KEY") as caught:
        wandb_config(settings={"api_key": "s" * 40})
    assert "sss" not in str(caught.value)


def test_a_wandb_settings_is_plain_data_in_the_spec_that_travels_to_ranks() -> None:
    def function() -> None: ...

    spec: Spec = wandb_init(settings=wandb.Settings(mode="offline", quiet=True))(function).__wandb_spec__  # type: ignore[attr-defined]
    assert spec.settings == {"mode": "offline", "settings": {"quiet": True}}
    assert build_placeholder_request(spec).settings.mode == "offline"
