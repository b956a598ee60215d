"""What of `wandb.Api()` the double does not have is an error that names the operation, and no empty answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import wandb

from flyte_wandb.testing import WandbServer

LACKING: Mapping[str, Callable[[Any], object]] = {
    "CreateDefaultResourceConfig": lambda api: api.create_run_queue("q", "local-process", entity="local"),
    "CreateCustomChart": lambda api: api.create_custom_chart("local", "c", "c", "vega2", "private", {}),
    "CreateUserFromAdmin": lambda api: api.create_user("a@example.com"),
    "GetAutomationsLegacy": lambda api: list(api.automations()),
    "GetEntityAutomationsLegacy": lambda api: list(api.automations("local")),
    "GetRunQueueItem": lambda api: api.queued_run("local", "p", "q", "1").state,
    "GetRunQueueItems": lambda api: api.run_queue("local", "q").items,
    "GetRunQueueMetadata": lambda api: api.run_queue("local", "q").id,
    "IntegrationsByEntity": lambda api: list(api.integrations("local")),
    "ProjectViews": lambda api: list(api.reports("p")),
    "UpsertRunQueue": lambda api: api.upsert_run_queue("q", {}, "local-process", entity="local"),
}
"""What asks for an operation that the double does not have, by its name."""

REFUSED_BY_THE_CLIENT: Mapping[str, Callable[[Any], object]] = {
    "not enabled on this wandb server": lambda api: list(api.registries("org")),
    "create_registry api is not enabled": lambda api: api.create_registry("r", visibility="organization"),
    "Unable to find organization": lambda api: api.artifact("wandb-registry-model/m:v0"),
    "Organization 'org' not found": lambda api: api.organization("org"),
    "not supported on this wandb server": lambda api: api.sweep("p/sweep1").enqueue_run({"x": {"value": 1}}),
}
"""What the client refuses to ask a server that does not list the feature, by the words that it does so with."""


@pytest.fixture
def api() -> Any:
    return wandb.Api()


def test_what_it_lacks_is_named(api: Any) -> None:
    with WandbServer() as server:
        server.put_run("run1", project="p")
        api = wandb.Api(overrides={"base_url": server.url})
        for operation, ask in LACKING.items():
            with pytest.raises(Exception, match=f"cannot answer {operation}: .*does not have this operation"):
                ask(api)
        assert set(server.unknown_operations) == {*LACKING}


def test_what_the_client_does_not_even_ask_is_an_error(server: WandbServer, api: Any) -> None:
    server.put_sweep({"method": "grid", "parameters": {"x": {"values": [1]}}}, project="p")
    for message, ask in REFUSED_BY_THE_CLIENT.items():
        with pytest.raises(Exception, match=message):
            ask(api)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"filters": {"state": "failed", "color": "red"}}, "the field 'color' of runs"),
        ({"filters": {"display_name": {"$regex": "^X", "$options": "i"}}}, r"the operator \$options"),
        ({"order": "-color"}, "the field 'color' of runs"),
    ],
    ids=str,
)
def test_a_filter_or_an_order_that_it_does_not_know_is_named(query: dict[str, Any], message: str) -> None:
    with WandbServer() as server:
        server.put_run("run1", project="p")
        with pytest.raises(Exception, match=message):
            list(wandb.Api(overrides={"base_url": server.url}).runs("p", **query))


def test_runs_are_ordered_by_heartbeat_and_files_found_by_pattern(server: WandbServer, api: Any) -> None:
    files = {"a.json": b"a", "b.txt": b"b", "media/c.json": b"c", "a_json": b"d"}
    server.put_run("old", project="p", files=files, system_metrics=[{"system.cpu": 1.0}, {"system.cpu": 2.0}])
    server.pass_time(10)
    server.put_run("new", project="p")
    assert [run.id for run in api.runs("p", order="-heartbeat_at")] == ["new", "old"]
    run = api.run("p/old")
    assert [file.name for file in run.files(pattern="%.json")] == ["a.json", "media/c.json"]
    assert [file.name for file in run.files(pattern="a_json")] == ["a.json", "a_json"]
    assert run.system_metrics == {"system.cpu": 2.0}
    assert (api.user("local").username, api.user("nobody")) == ("local", None)


def test_the_public_api_sets_only_the_states_that_wandb_documents(server: WandbServer, api: Any) -> None:
    server.put_run("run1", project="p", state="crashed")
    server.put_run("run2", project="p")
    assert api.run("p/run1").update_state("pending")
    assert api.run("p/run1").update_state("failed")
    assert server.run("run1").state == "failed"
    with pytest.raises(Exception, match="cannot become failed"):
        api.run("p/run2").update_state("failed")
    server.put_run("run3", project="p", state="running")
    api.run("p/run3").stop()
    with wandb.init(id="run3", project="p", resume="must") as run:
        run.finish(exit_code=1)
    assert server.run("run3").state == "killed"


def test_collections_are_renamed_tagged_and_deleted_and_a_run_with_its_artifacts(
    server: WandbServer, tmp_path: Path
) -> None:
    for run_id in ("run1", "run2"):
        with wandb.init(id=run_id, project="p") as run:
            artifact = wandb.Artifact(f"of-{run_id}", type="model", metadata={"loss": 1})
            with artifact.new_file("a.txt") as file:
                file.write(run_id)
            run.link_artifact(run.log_artifact(artifact).wait(), "shelf")
    api: Any = wandb.Api()
    assert [one.name for one in api.artifacts("model", "p/shelf", order="+createdAt")] == ["shelf:v0", "shelf:v1"]
    api.artifact("p/shelf:v0").unlink()
    assert [one.name for one in wandb.Api().artifacts("model", "p/shelf")] == ["shelf:v1"], "numbers stay"
    collection = api.artifact_collection("model", "p/of-run1")
    collection.name, collection.type, collection.tags = "renamed", "weights", ["x", "y"]
    collection.save()
    collection.tags = ["y"]
    collection.save()
    read = wandb.Api().artifact_collection("weights", "p/renamed")
    assert (read.tags, read.aliases, server.artifacts[0].name) == (["y"], ["latest"], "renamed")
    wandb.Api().artifact_collection("model", "p/shelf").delete()
    assert [one.linked for one in server.artifacts] == [(), ()]
    read.delete()
    assert not wandb.Api().artifact_exists("p/renamed:v0")
    assert list(wandb.Api().run("p/run1").logged_artifacts()) == []
    wandb.Api().run("p/run2").delete(delete_artifacts=True)
    assert [one.state for one in server.artifacts] == ["DELETED", "DELETED"]
