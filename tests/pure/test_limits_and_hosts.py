"""Names that W&B would refuse, and the addresses of its servers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_wandb import SettingError
from flyte_wandb._place import api_url, app_url, host_fault
from flyte_wandb.plans._inherited import read_run
from flyte_wandb.settings._limits import ENTITY, GROUP, JOB_TYPE, NAME, PROJECT, RUN_ID, TAG, Limit

ALL = [RUN_ID, GROUP, PROJECT, ENTITY, NAME, TAG, JOB_TYPE]


@pytest.mark.parametrize(
    ("limit", "name"),
    [
        (RUN_ID, "r1-a0"),
        (RUN_ID, "a" * 128),
        (RUN_ID, "exp 1 é.~&"),
        (GROUP, "a/b:c"),
        (GROUP, "g" * 128),
        (PROJECT, "my project"),
        (PROJECT, "p" * 128),
        (ENTITY, "team-a"),
        (NAME, "lr=0.1, 2/3 #4"),
        (TAG, "t" * 64),
        (JOB_TYPE, "j" * 64),
        (RUN_ID, "{{.runName}}-{{.actionName}}"),
        (RUN_ID, "a" * 127 + "-{{.runName}}{{.actionName}}"),
    ],
)
def test_a_name_that_fits(limit: Limit, name: str) -> None:
    assert limit.fault(name) is None


@pytest.mark.parametrize(
    ("limit", "name", "message"),
    [
        (RUN_ID, "a" * 129, "a run id has at most 128 characters; this one has 129"),
        (GROUP, "a" * 129, "a group has at most 128 characters; this one has 129"),
        (PROJECT, "a" * 129, "a project has at most 128 characters; this one has 129"),
        (ENTITY, "a" * 129, "an entity has at most 128 characters; this one has 129"),
        (NAME, "a" * 129, "a display name has at most 128 characters; this one has 129"),
        (TAG, "a" * 65, "a tag has at most 64 characters; this one has 65"),
        (JOB_TYPE, "a" * 65, "a job type has at most 64 characters; this one has 65"),
        (RUN_ID, "a" * 129 + "{{.runName}}", "a run id has at most 128 characters; this one has 129"),
        (RUN_ID, 7, "a run id must be a string, not int"),
        (TAG, None, "a tag must be a string, not NoneType"),
        (ENTITY, "a/b", "an entity must not contain '/'; W&B rejects /"),
    ],
)
def test_a_name_that_does_not_fit_is_told_why(limit: Limit, name: object, message: str) -> None:
    assert limit.fault(name) == message


@pytest.mark.parametrize("character", list(":;,#?/%'"))
def test_the_characters_that_a_run_id_cannot_hold(character: str) -> None:
    assert RUN_ID.fault(f"a{character}b") == f"a run id must not contain {character!r}; W&B rejects :;,#?/%'"


@pytest.mark.parametrize("character", list("/\\#?%:"))
def test_the_characters_that_a_project_cannot_hold(character: str) -> None:
    assert PROJECT.fault(f"a{character}b") == f"a project must not contain {character!r}; W&B rejects /\\#?%:"


@pytest.mark.parametrize("limit", ALL)
@pytest.mark.parametrize("name", ["", " ", "\t\n", " a", "a ", "a\n"])
def test_no_name_is_empty_or_framed_by_white_space(limit: Limit, name: str) -> None:
    assert str(limit.fault(name)).endswith(f" {limit.kind} must not be empty, or start or end with white space")


@given(st.text(max_size=130))
def test_a_run_id_or_project_that_fits_is_taken_by_wandb(name: str) -> None:
    import wandb

    if RUN_ID.fault(name) is None:
        assert wandb.Settings(run_id=name).run_id == name
    if PROJECT.fault(name) is None:
        assert wandb.Settings(project=name).project == name


@pytest.mark.parametrize(
    ("host", "app", "api"),
    [
        ("https://wandb.ai", "https://wandb.ai", "https://api.wandb.ai"),
        ("wandb.ai", "https://wandb.ai", "https://api.wandb.ai"),
        ("wandb.ai/", "https://wandb.ai", "https://api.wandb.ai"),
        ("https://api.wandb.ai/", "https://wandb.ai", "https://api.wandb.ai"),
        ("https://forge.coreweave.com/wandb", "https://forge.coreweave.com/wandb", "https://api.forge.coreweave.com"),
        ("https://api.forge.coreweave.com", "https://forge.coreweave.com/wandb", "https://api.forge.coreweave.com"),
        ("https://wandb.example.com/", "https://wandb.example.com", "https://wandb.example.com"),
        ("http://localhost:8080", "http://localhost:8080", "http://localhost:8080"),
        ("localhost:8080", "https://localhost:8080", "https://localhost:8080"),
        ("https://example.com/wandb/", "https://example.com/wandb", "https://example.com/wandb"),
    ],
)
def test_a_server_has_an_address_for_people_and_one_for_its_api(host: str, app: str, api: str) -> None:
    assert host_fault(host) is None
    assert (app_url(host), api_url(host)) == (app, api)


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        "ftp://wandb.ai",
        "https://",
        "http:///x",
        "https://a b",
        "wandb .ai",
        "https://[::1",
        7,
        "javascript:alert(1)",
        "http://a:99999",
    ],
)
def test_what_is_no_address_is_named(host: object) -> None:
    assert host_fault(host) == f"a host must be an http or https address such as https://wandb.ai, not {host!r}"


@given(st.text(max_size=150).filter(lambda host: len(repr(host)) <= 200))  # a message cuts what is longer
def test_any_text_is_a_host_or_named_as_none(host: str) -> None:
    found = host_fault(host)
    assert found is None or found.endswith(f"not {host!r}")


@pytest.mark.parametrize("run_id", ["a/../b", "r" * 129, "50%"])
def test_a_run_in_the_context_that_is_none_is_named(run_id: str) -> None:
    with pytest.raises(SettingError, match=r"^_wandb_run_id=.* in Flyte's context is not a run: a run id ") as refused:
        read_run({"_wandb_run_id": run_id})
    assert len(str(refused.value)) < 500
