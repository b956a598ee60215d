"""Settings out of defaults, context and decorator, per key."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from flyte_wandb import ParentRun, Settings, wandb_config
from flyte_wandb.settings._context import read_settings
from flyte_wandb.settings._merge import merge_settings
from flyte_wandb.settings._schema import check_settings

ABOVE = ParentRun(run_id="exp")


def settings(
    context: Mapping[str, Any] = MappingProxyType({}),
    decorator: Mapping[str, Any] = MappingProxyType({}),
    parent: ParentRun | None = None,
) -> Settings:
    return merge_settings(context, decorator, parent=parent, action_name="a1")


def test_without_context_and_decorator_the_defaults_hold() -> None:
    assert settings() == Settings(
        run_mode="auto",
        rank_scope="global",
        project=None,
        entity=None,
        host=None,
        id=None,
        name=None,
        tags=None,
        config=None,
        group=None,
        mode=None,
        joinable=None,
        download_logs=False,
        init={},
    )


@pytest.mark.parametrize(
    ("name", "outer", "inner"),
    [
        ("run_mode", "new", "shared"),
        ("rank_scope", "worker", "global"),
        ("project", "a", "b"),
        ("entity", "a", "b"),
        ("host", "https://a.example", "https://b.example"),
        ("id", "a", "b"),
        ("name", "a", "b"),
        ("tags", ("a",), ()),
        ("config", {"a": 1}, {"b": 2}),
        ("group", "a", "b"),
        ("mode", "offline", "online"),
        ("joinable", True, False),
        ("system_metrics", "nodes", "owner"),
        ("download_logs", True, False),
        ("report", True, False),
        ("flyte_identity", False, True),
        ("config_inputs", True, False),
    ],
)
def test_a_decorator_overrides_a_context_which_overrides_a_default(name: str, outer: Any, inner: Any) -> None:
    assert getattr(settings({name: outer}), name) == outer
    assert getattr(settings({name: outer}, {name: inner}), name) == inner
    assert getattr(settings({}, {name: inner}), name) == inner


def test_keys_are_merged_one_by_one() -> None:
    found = settings({"project": "a", "entity": "e", "notes": "n"}, {"project": "b", "job_type": "train"})
    assert (found.project, found.entity) == ("b", "e")
    assert found.init == {"notes": "n", "job_type": "train"}


def test_a_none_in_a_decorator_overrides_nothing() -> None:
    context = read_settings(wandb_config(project="a", joinable=False))
    found = settings(context, check_settings({"project": None, "joinable": None, "tags": None}, "wandb_init"))
    assert (found.project, found.joinable, found.tags) == ("a", False, None)


def test_what_only_wandb_knows_is_handed_on() -> None:
    found = settings({"notes": "n", "save_code": False}, {"notes": "m", "resume": "must"})
    assert found.init == {"notes": "m", "save_code": False, "resume": "must"}


@pytest.mark.parametrize(
    ("context", "decorator", "parent", "expected"),
    [
        ({"id": "exp"}, {}, None, "exp"),
        ({"id": "exp"}, {}, ABOVE, "exp-a1"),
        ({"id": "exp"}, {"id": "own"}, None, "own"),
        ({"id": "exp"}, {"id": "own"}, ABOVE, "own"),
        ({}, {"id": "own"}, ABOVE, "own"),
        ({}, {}, ABOVE, None),
    ],
)
def test_an_id_in_the_context_is_the_first_actions_and_gets_the_name_of_those_below(
    context: Mapping[str, Any], decorator: Mapping[str, Any], parent: ParentRun | None, expected: str | None
) -> None:
    assert settings(context, decorator, parent).id == expected


def test_no_hook_can_change_what_the_next_one_is_given() -> None:
    config = {"model": {"layers": [1, 2]}}
    found = settings({"config": config, "settings": {"tags": ["x"]}}, {"tags": ["a"]})
    frozen: Any = found.config
    assert frozen == {"model": {"layers": (1, 2)}}
    with pytest.raises(TypeError, match="does not support item assignment"):
        frozen["model"]["layers"] = ()
    inits: Any = found.init
    with pytest.raises(TypeError, match="does not support item assignment"):
        inits["settings"]["tags"] = ()
    assert found.tags == ("a",)
    config["model"]["layers"].append(3)
    assert found.config == {"model": {"layers": (1, 2)}}


def test_merging_changes_neither_side() -> None:
    context, decorator = {"id": "exp", "tags": ["a"]}, {"project": "b"}
    settings(context, decorator, ABOVE)
    assert (context, decorator) == ({"id": "exp", "tags": ["a"]}, {"project": "b"})
