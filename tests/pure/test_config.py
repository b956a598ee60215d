"""`wandb_config`, and what of it stands in Flyte's context."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from flyte_wandb import ParentRun, SettingError, WandbConfig, get_wandb_context, wandb_config
from flyte_wandb._action import NAMELESS
from flyte_wandb.plans._inherited import read_run, write_run
from flyte_wandb.plans._request import build_link_request
from flyte_wandb.plans._spec import Spec
from flyte_wandb.plugins._versions import check_plugins
from flyte_wandb.settings._context import read_settings
from flyte_wandb.settings._schema import FIELDS, Resume

TEXT_FIELDS = [
    "run_mode",
    "rank_scope",
    "project",
    "entity",
    "id",
    "name",
    "group",
    "notes",
    "job_type",
]
LOOK_ALIKES = [
    "true",
    "False",
    "null",
    "None",
    "1",
    "-1.5",
    "1e3",
    "NaN",
    "[]",
    '{"a"}',
    '"x"',
    "$tuple",
    "a=b",
    "é\n雪",
]


def in_force() -> dict[str, str]:
    found = get_wandb_context()
    return dict(found) if found else {}


def test_settings_are_texts_under_keys_of_their_own() -> None:
    config = wandb_config(
        project="vision",
        tags=["a", "b"],
        config={"lr": 0.1},
        joinable=False,
        download_logs=True,
        id="007",
        mode="offline",
        host="https://wandb.example.com",
        settings={"quiet": True},
    )
    assert dict(config) == {
        "wandb_project": "vision",
        "wandb_tags": '["a", "b"]',
        "wandb_config": '{"lr": 0.1}',
        "wandb_joinable": "false",
        "wandb_download_logs": "true",
        "wandb_id": "007",
        "wandb_mode": "offline",
        "wandb_host": "https://wandb.example.com",
        "wandb_settings": '{"quiet": true}',
    }
    assert {**config, "team": "a"}["team"] == "a"


def test_settings_read_back_as_attributes_with_their_types() -> None:
    config = wandb_config(project="1", tags=("a",), config={"betas": (0.9, 0.99)}, joinable=True)
    assert (config.project, config.tags, config.config, config.joinable) == ("1", ("a",), {"betas": (0.9, 0.99)}, True)
    assert config.entity is None
    with pytest.raises(AttributeError, match="wandb_config has no setting 'projct'"):
        _ = config.projct


def test_none_is_not_set() -> None:
    assert wandb_config(project=None, tags=None, joinable=None) == {}
    assert dict(wandb_config(project=None, tags=[], joinable=False)) == {"wandb_tags": "[]", "wandb_joinable": "false"}


@pytest.mark.parametrize("name", TEXT_FIELDS)
@given(text=st.one_of(st.sampled_from(LOOK_ALIKES), st.text(st.characters(codec="utf-8"))))
def test_a_text_comes_back_as_the_very_text(name: str, text: str) -> None:
    assume(FIELDS[name].check(text) is None)
    arguments: Any = {name: text}
    config = wandb_config(**arguments)
    assert dict(config) == {f"wandb_{name}": text}
    assert read_settings(dict(config)) == {name: text}


@pytest.mark.parametrize("name", TEXT_FIELDS)
@pytest.mark.parametrize("text", ["true", "null", "1", "-1.5", "[]", '"x"'])
def test_a_text_that_looks_like_another_type_stays_text_in_every_field(name: str, text: str) -> None:
    arguments: Any = {name: text}
    assert getattr(wandb_config(**arguments), name) == text


@given(st.lists(st.sampled_from(LOOK_ALIKES), max_size=4), st.booleans())
def test_tags_come_back_as_the_very_list_or_tuple(tags: list[str], as_tuple: bool) -> None:
    given_tags = tuple(tags) if as_tuple else tags
    found = read_settings(wandb_config(tags=given_tags))["tags"]
    assert found == given_tags
    assert type(found) is type(given_tags)


@pytest.mark.parametrize("resume", [True, False, "allow", "must"])
def test_resume_keeps_flags_and_texts_apart(resume: bool | Resume) -> None:
    found = wandb_config(resume=resume).resume
    assert found == resume
    assert type(found) is type(resume)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"config": {"a": {"b": {1}}}}, ["config['a']['b']", "{1}", "builtins.set"]),
        ({"config": {"model": object}}, ["config['model']", "builtins.type"]),
        ({"settings": {"quiet": b"1"}}, ["settings['quiet']", "b'1'", "builtins.bytes"]),
        ({"notes": "\ud800"}, ["notes='\\ud800'", "cannot travel"]),
        ({"projct": "a"}, ["wandb_config(projct='a')", "did you mean project?"]),
        ({"tags": 1}, ["wandb_config(tags=1)", "expected a string, or a list, tuple or set of strings, got int"]),
        ({"id": "a/b"}, ["wandb_config(id='a/b')", "must not contain '/'"]),
        ({"joinable": "no"}, ["wandb_config(joinable='no')", "expected True or False, got str"]),
    ],
)
def test_an_error_names_the_field_and_the_key_inside_it(arguments: Any, words: list[str]) -> None:
    with pytest.raises(SettingError) as caught:
        wandb_config(**arguments)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("key", "text", "fault"),
    [
        ("tags", "oops", "Expecting value"),
        ("tags", '"a"', "expected a list or tuple of strings, got str"),
        ("tags", '{"$tuple": 1}', ""),
        ("tags", "[1]", "a tag must be a string, not int"),
        ("joinable", "True", "Expecting value"),
        ("joinable", '"yes"', "expected True or False, got str"),
        ("config", "[]", "expected a mapping, got list"),
        ("id", "a/b", "a run id must not contain '/'"),
        ("mode", "shared", "W&B's shared mode is a run mode here; use run_mode='shared'"),
        ("host", "ftp://a", "a host must be an http or https address"),
    ],
)
def test_a_context_that_was_written_by_hand_and_does_not_fit_is_an_error_with_key_value_and_remedy(
    key: str, text: str, fault: str
) -> None:
    with pytest.raises(SettingError) as caught:
        read_settings({f"wandb_{key}": text})
    assert str(caught.value).startswith(f"wandb_{key}={text!r} in Flyte's context: {fault}")
    assert str(caught.value).endswith(f"; write it with wandb_config({key}=...)")


DEEP = 100_000
DEEPLY_NESTED = ["[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP, "[" * DEEP]


@pytest.mark.parametrize("text", DEEPLY_NESTED, ids=["lists", "dicts", "broken"])
@pytest.mark.parametrize("key", ["wandb_config", "wandb_tags", "_wandb_run", "_wandb_trial", "_wandb_plugins"])
def test_a_context_that_is_nested_too_deeply_is_an_error_that_names_the_key_and_cuts_the_value(
    key: str, text: str
) -> None:
    context = {"_wandb_run_id": "r1-a0", key: text}

    def read() -> None:
        check_plugins(context)
        build_link_request(Spec(settings={}), replace(NAMELESS, context=context))

    with pytest.raises(SettingError) as caught:
        read()
    assert f"{key}={text[:5]!r}"[:-1] in str(caught.value)
    assert "'… in Flyte's context" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_keys_of_others_are_ignored_and_wandb_keys_among_them_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    context = {"team": "a", "wandb_projct_of_others": "x", "wandb_sweep_method": "bayes", "wandb_project": "vision"}
    with caplog.at_level(logging.WARNING, "flyte_wandb"):
        found = [read_settings(context) for _ in range(3)]
    assert found == [{"project": "vision"}] * 3
    assert caplog.messages == [
        "the key 'wandb_projct_of_others' in Flyte's context is not a setting of flyte-wandb and is ignored"
    ]


def test_outside_of_flyte_nothing_is_in_force_without_a_block() -> None:
    assert get_wandb_context() is None
    with wandb_config():
        assert get_wandb_context() is None


def test_inner_blocks_override_per_key_and_end_with_their_block() -> None:
    with wandb_config(project="outer", entity="team") as outer:
        assert in_force() == dict(outer)
        with wandb_config(project="inner", joinable=None):
            assert in_force() == {"wandb_project": "inner", "wandb_entity": "team"}
        assert in_force() == dict(outer)
    assert in_force() == {}


def test_a_block_ends_with_its_exception() -> None:
    with pytest.raises(OSError, match="disk"), wandb_config(project="vision"):
        raise OSError("disk")
    assert in_force() == {}


def test_one_object_may_be_entered_again_inside_itself() -> None:
    config = wandb_config(project="vision")
    with config, wandb_config(project="other"), config:
        assert in_force() == {"wandb_project": "vision"}
    assert in_force() == {}


def test_coroutines_that_enter_at_once_never_see_each_others_settings() -> None:
    common = wandb_config(entity="team")

    async def inside(number: int) -> list[dict[str, str]]:
        seen = []
        with common, wandb_config(project=f"p{number}"):
            for _ in range(3):
                await asyncio.sleep(0)
                seen.append(in_force())
        return [*seen, in_force()]

    async def all_of_them() -> list[list[dict[str, str]]]:
        return await asyncio.gather(*(inside(number) for number in range(4)))

    found = asyncio.run(all_of_them())
    assert found == [[{"wandb_entity": "team", "wandb_project": f"p{number}"}] * 3 + [{}] for number in range(4)]
    assert in_force() == {}


def test_what_a_coroutine_starts_inside_a_block_is_inside_too() -> None:
    async def read() -> dict[str, str]:
        await asyncio.sleep(0)
        return in_force()

    async def run() -> list[dict[str, str]]:
        with wandb_config(project="vision"):
            started = asyncio.create_task(read())
            in_thread = await asyncio.to_thread(in_force)
        return [await started, in_thread, in_force()]

    assert asyncio.run(run()) == [{"wandb_project": "vision"}, {"wandb_project": "vision"}, {}]


def test_a_thread_of_its_own_is_outside_every_block() -> None:
    seen: list[dict[str, str]] = []
    with wandb_config(project="vision"):
        thread = threading.Thread(target=lambda: seen.append(in_force()))
        thread.start()
        thread.join()
    assert seen == [{}]


def test_a_config_can_be_pickled_and_copied() -> None:
    config = wandb_config(project="vision", tags=["a"])
    for twin in (pickle.loads(pickle.dumps(config)), copy.deepcopy(config), copy.copy(config)):
        assert type(twin) is WandbConfig
        assert twin == config
        assert twin.tags == ["a"]


NAMES = st.one_of(st.none(), st.sampled_from(LOOK_ALIKES))


@given(
    st.builds(
        ParentRun,
        run_id=st.sampled_from(LOOK_ALIKES),
        joinable=st.booleans(),
        group=NAMES,
        project=NAMES,
        entity=NAMES,
        host=NAMES,
    )
)
@example(ParentRun(run_id="r1-a0"))
def test_the_identity_of_a_run_comes_back_as_it_was_written(run: ParentRun) -> None:
    assert read_run(write_run(run)) == run
    assert write_run(run)["_wandb_run_id"] == run.run_id


@pytest.mark.parametrize("context", [{}, {"_wandb_run_id": ""}, {"_wandb_run": '{"run_id": "r1"}'}])
def test_without_the_id_of_a_run_there_is_none_above(context: dict[str, str]) -> None:
    assert read_run(context) is None


@pytest.mark.parametrize("extra", [{}, {"_wandb_run": ""}, {"_wandb_run": "{}"}])
def test_the_id_of_a_run_alone_is_a_run_that_can_be_joined(extra: dict[str, str]) -> None:
    assert read_run({"_wandb_run_id": "r1-a0", **extra}) == ParentRun(run_id="r1-a0")


@pytest.mark.parametrize("text", ["oops", "[]", "1", '{"colour": "red"}'])
def test_the_identity_of_a_run_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(SettingError) as caught:
        read_run({"_wandb_run_id": "r1-a0", "_wandb_run": text})
    assert str(caught.value).startswith(f"_wandb_run={text!r} in Flyte's context is not a run: ")
