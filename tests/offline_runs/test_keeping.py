"""Offline runs of tasks are in Flyte's storage when their container is gone."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wandb

from flyte_wandb._action import Action
from flyte_wandb.results.offline._keep import keep_offline_run
from flyte_wandb.results.offline._storage import open_storage as storage_at
from tests.keys import UNKNOWN_KEY
from tests.offline import read
from tests.offline_runs.conftest import ACTION, Ended


def facts(storage: Path, flyte_run: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(storage.glob(f"{flyte_run}/**/offline.json"))]


def test_the_runs_of_a_task_of_one_that_fails_and_of_ranks_are_kept_below_the_raw_data_path(ended: Ended) -> None:
    place: dict[str, Any] = {"entity": None, "host": None, "action": "a0", "delivered": []}
    team = {**place, "project": "vision", "entity": "team", "rank": None}
    assert facts(ended.storage, "good") == [{**team, "run_id": "good-a0", "flyte_run": "good", "exit_code": 0}]
    assert facts(ended.storage, "bad") == [{**team, "run_id": "bad-a0", "flyte_run": "bad", "exit_code": 3}]
    ranks = sorted(facts(ended.storage, "two"), key=lambda fact: fact["rank"])
    assert ranks == [
        {**place, "project": "p", "run_id": f"two-a0-rank-{rank}", "flyte_run": "two", "rank": rank, "exit_code": 0}
        for rank in (0, 1)
    ]
    (folder,) = (ended.storage / "good/a0/raw/wandb-offline/good/a0").iterdir()
    assert folder.name.startswith("offline-run-")
    assert folder.name.endswith("-good-a0")


def test_what_is_kept_is_whole(ended: Ended) -> None:
    found = [read(path) for path in ended.storage.glob("**/run-*.wandb")]
    assert len(found) == 4
    assert {log.id: (log.exit_code, len(log.history)) for log in found} == {
        "good-a0": (0, 3),
        "bad-a0": (3, 1),
        "two-a0-rank-0": (0, 2),
        "two-a0-rank-1": (0, 2),
    }


def test_only_the_owner_can_read_what_is_kept(ended: Ended) -> None:
    for folder in ended.storage.glob("**/offline-run-*"):
        assert folder.stat().st_mode & 0o777 == 0o700
        modes = {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}
        assert modes == {0o600}


def test_one_line_says_where_a_run_is_kept_and_how_it_is_uploaded(ended: Ended) -> None:
    (folder,) = ended.storage.glob("**/offline-run-*-good-a0")
    words = f"the offline run good-a0 is saved; upload it with `flyte-wandb sync {folder}`"
    assert ended.said.replace("\n", "").replace(" ", "").count(words.replace(" ", "")) == 1


def test_no_key_is_in_what_is_kept_or_printed(ended: Ended) -> None:
    written = [
        path for path in ended.storage.rglob("*") if path.is_file() and UNKNOWN_KEY.encode() in path.read_bytes()
    ]
    assert written == []
    assert UNKNOWN_KEY not in ended.said


def finished_run(folder: Path) -> wandb.Run:
    (folder / "mine.txt").write_text("mine")
    run = wandb.init(project="p", id="r1", mode="offline", reinit="create_new")
    run.log({"x": 1})
    run.save(str(folder / "mine.txt"), base_path=str(folder))
    run.finish()
    return run


def test_a_storage_elsewhere_has_the_run_and_the_files_that_it_links_to(
    in_task: Callable[[str], Any], clean_client: None, tmp_path: Path
) -> None:
    run = finished_run(tmp_path)
    with in_task("memory://kept/raw"):
        place = keep_offline_run(ACTION, run, exit_code=0, host="https://wandb.example.com")
    assert place == f"memory://kept/raw/wandb-offline/r1/a0/{Path(run.settings.sync_dir).name}"
    home = storage_at(place)
    assert home.read("files/mine.txt", 1000) == b"mine"
    assert json.loads(home.read("offline.json", 1000))["host"] == "https://wandb.example.com"
    home.fetch("run-r1.wandb", tmp_path / "copy.wandb")
    assert read(tmp_path / "copy.wandb").exit_code == 0


def test_what_cannot_be_kept_is_one_error_that_says_where_the_run_is(
    in_task: Callable[[str], Any], clean_client: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = finished_run(tmp_path)
    (tmp_path / "raw").write_text("no folder")
    with in_task(str(tmp_path / "raw")):
        assert keep_offline_run(ACTION, run) is None
    (said,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "the offline run r1 was not saved in Flyte's storage: " in said.getMessage()
    assert f"it is in {run.settings.sync_dir} as long as this machine exists" in said.getMessage()


def test_a_task_in_flytes_local_mode_leaves_its_run_where_it_is(
    in_task: Callable[[str], Any], clean_client: None, tmp_path: Path
) -> None:
    run = finished_run(tmp_path)
    with in_task(str(tmp_path / "raw")):
        assert keep_offline_run(Action(run_name="r1", name="a0"), run) is None
    assert not (tmp_path / "raw").exists()
