"""Artifacts of offline runs are kept with the run, and arrive with it: byte for byte, or named with the reason."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wandb

from flyte_wandb import sync_wandb_runs
from flyte_wandb.results.offline._keep import keep_offline_run
from flyte_wandb.results.offline._storage import open_storage
from flyte_wandb.testing import WandbServer
from flyte_wandb.wandb_client._logged_artifacts import staging_folder
from tests.offline_runs.conftest import ACTION

GONE = "its file '{}' is not with the run, or has changed"
LARGE = bytes(range(256)) * 8192


def offline_run_with_artifacts(folder: Path) -> wandb.Run:
    """Write an offline run that logs two versions with a file in common, a table, a reference, and a file elsewhere."""
    (folder / "large.bin").write_bytes(LARGE)
    with wandb.init(project="p", id="r1", mode="offline", reinit="create_new") as run:
        for number in range(2):
            artifact = wandb.Artifact("model", type="model", metadata={"number": number}, description="why")
            artifact.add_file(str(folder / "large.bin"))
            artifact.add_reference("https://example.com/data.bin", name="data.bin", checksum=False)
            with artifact.new_file("sub dir/ümlaut.txt") as file:
                file.write(str(number))
            run.log_artifact(artifact, aliases=["best"], tags=["t"])
        run.log({"x": 1, "table": wandb.Table(columns=["a"], data=[[1]])})
        (folder / "own.bin").write_bytes(b"own")
        elsewhere = wandb.Artifact("elsewhere", type="dataset")
        elsewhere.add_file(str(folder / "own.bin"), policy="immutable")
        run.log_artifact(elsewhere)
    wandb.teardown()
    return run


def cached_files(home: Path) -> set[Path]:
    """The files in W&B's cache of artifacts."""
    return {path for path in (home / ".cache/wandb/artifacts").rglob("*") if path.is_file()}


def assert_arrived(server: WandbServer) -> None:
    for number in range(2):
        record = server.artifact(f"model:v{number}", "p")
        assert record.files == {"large.bin": LARGE, "sub dir/ümlaut.txt": str(number).encode()}
        assert record.references == {"data.bin": "https://example.com/data.bin"}
        assert (record.metadata, record.description, record.logged_by) == ({"number": number}, "why", "r1")
    assert server.artifact("model:v1", "p").aliases == ("latest", "best")
    api: Any = wandb.Api()
    logged = sorted(one.name for one in api.run("p/r1").logged_artifacts())
    (table,) = (name for name in logged if name.startswith("run-r1-table"))
    assert logged == ["model:v0", "model:v1", table]
    assert api.artifact(f"p/{table}").get("table").data == [[1]]


@pytest.mark.usefixtures("online")
def test_artifacts_are_kept_with_their_run_and_arrive_with_it(
    server: WandbServer, in_task: Callable[[str], Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = offline_run_with_artifacts(tmp_path)
    with in_task("memory://artifacts/raw"):
        place = keep_offline_run(ACTION, run, exit_code=0)
    assert place is not None
    kept = [size for name, size in open_storage(place).sizes().items() if name.startswith("artifacts/")]
    assert kept.count(len(LARGE)) == 1
    (said,) = [record.getMessage() for record in caplog.records if "is saved without" in record.getMessage()]
    assert said.endswith("added with policy='immutable': 'own.bin' of 'elsewhere'")
    shutil.rmtree(staging_folder())
    shutil.rmtree(run.settings.sync_dir)
    cached = cached_files(tmp_path)
    (outcome,) = sync_wandb_runs(place)
    assert (outcome.status, outcome.rows, outcome.artifacts) == ("synced", 1, 3), outcome.reason
    assert outcome.left_out == (f"the artifact 'elsewhere': {GONE.format('own.bin')}",)
    assert cached_files(tmp_path) == cached
    assert_arrived(server)


@pytest.mark.usefixtures("online")
def test_artifacts_of_an_own_run_come_from_the_staging_folder_and_what_is_gone_is_named(
    server: WandbServer, tmp_path: Path
) -> None:
    run = offline_run_with_artifacts(tmp_path)
    for path in staging_folder().iterdir():
        if path.read_bytes() == b"0":
            path.unlink()
    (outcome,) = sync_wandb_runs(run.settings.sync_dir)
    assert outcome.status == "synced", outcome.reason
    files = {"model": "sub dir/ümlaut.txt", "elsewhere": "own.bin"}
    assert outcome.left_out == tuple(f"the artifact '{name}': {GONE.format(file)}" for name, file in files.items())


@pytest.mark.usefixtures("online")
def test_an_artifact_that_does_not_arrive_is_no_synced_run_and_the_next_call_sends_it(
    server: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = offline_run_with_artifacts(tmp_path)
    server.fault("CommitArtifact", status=400, times=None)
    (failed,) = sync_wandb_runs(run.settings.sync_dir)
    assert failed.status == "failed"
    assert "it was sent, but the server does not have the artifact 'model'" in str(failed.reason)
    server.heal()
    (outcome,) = sync_wandb_runs(run.settings.sync_dir)
    assert (outcome.status, outcome.rows) == ("synced", 1), outcome.reason
    assert len(server.run("r1").history) == 1
    assert_arrived(server)
    assert logging.ERROR not in {record.levelno for record in caplog.records if record.name == "flyte_wandb"}
