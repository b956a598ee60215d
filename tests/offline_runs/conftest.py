"""Offline runs to upload: of tasks in containers that are gone, and of this process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import flyte
import flyte.report
import pytest
import wandb
from flyte._context import internal_ctx
from flyte.models import ActionID, CheckpointPaths, RawDataPath, TaskContext

from flyte_wandb import wandb_config
from flyte_wandb._action import Action
from flyte_wandb.testing import Container, start_container, start_ranks
from tests.container import tasks
from tests.keys import UNKNOWN_KEY
from tests.ranks.tasks import ranked
from tests.versions import LEAVES

LEAVING = tasks.fails if LEAVES else tasks.fails_async

SETTINGS = wandb_config(
    project="vision", entity="team", group="night", tags=["first", "second"], config={"seed": 7}, joinable=False
)
ACTION = Action(run_name="r1", name="a0", project="project", domain="development", local=False)
OFFLINE = {"WANDB_MODE": "offline", "WANDB_API_KEY": UNKNOWN_KEY}


@dataclass(frozen=True, kw_only=True)
class Ended:
    """Containers that are gone, whose storage is left.

    Attributes:
        storage: The folder with their raw data.
        said: What they printed.
    """

    storage: Path
    said: str


@pytest.fixture(scope="session")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """The storage of three Flyte runs: a task, one that fails, and one with two ranks."""
    folder = tmp_path_factory.mktemp("ended")
    options: dict[str, Any] = {"folder": folder, "environ": OFFLINE}
    containers: list[Container] = [
        start_container(tasks.leaf, inputs={"x": 3}, context=SETTINGS, run_name="good", **options),
        start_container(
            LEAVING,
            inputs={"how": "exit"},
            context=SETTINGS,
            run_name="bad",
            **options,
        ),
        *start_ranks(
            ranked, inputs={"steps": 2}, context=wandb_config(project="p", run_mode="new"), run_name="two", **options
        ),
    ]
    said = "".join(container.wait().log for container in containers)
    shutil.rmtree(folder / "wandb")
    return Ended(storage=folder / "flyte", said=said)


@pytest.fixture
def storage(ended: Ended, tmp_path: Path) -> Path:
    """A copy of the storage, for this test alone."""
    return Path(shutil.copytree(ended.storage, tmp_path / "storage"))


@pytest.fixture
def offline_run(tmp_path: Path, clean_client: None) -> Callable[..., Path]:
    """Write an offline run from this process, and return its folder."""

    def written(
        run_id: str = "r1",
        *,
        rows: int = 5,
        first: int = 0,
        second: int = 0,
        exit_code: int = 0,
        resume: Literal["allow"] | None = "allow",
    ) -> Path:
        # W&B may write what it finds out about the machine behind the end of so short a run.
        options: dict[str, Any] = {"resume": resume, "settings": {"x_disable_meta": True}}
        run = wandb.init(project="p", id=run_id, mode="offline", reinit="create_new", **options)
        for number in range(first, first + rows):
            run.log({"x": number})
        folder = Path(run.settings.sync_dir)
        run.finish(exit_code=exit_code)
        wandb.teardown()  # only then the log is whole on the disk
        # W&B gives two runs of one id that start in one second the same folder.
        return folder.rename(folder.with_name(f"offline-run-20260101_0000{second:02d}-{run_id}"))

    return written


@pytest.fixture
def in_task(tmp_path: Path) -> Callable[[str], Any]:
    """Give a context in which a task of mode remote runs whose raw data is at an address."""

    def context(raw: str) -> Any:
        flyte.init()
        paths = CheckpointPaths(str(tmp_path), str(tmp_path))
        return internal_ctx().replace_task_context(
            TaskContext(
                action=ActionID(name="a0", run_name="r1", project="project", domain="development", org="org"),
                version="v1",
                raw_data_path=RawDataPath(path=raw),
                output_path=str(tmp_path),
                run_base_dir=str(tmp_path),
                report=flyte.report.Report(name="a0"),
                mode="remote",
                checkpoint_paths=paths,
            )
        )

    return context


def mark_kept(folder: Path, **about: Any) -> Path:
    """Make an offline run's folder look like one that a task has kept."""
    (folder / "offline.json").write_text(json.dumps({"run_id": "r1", "project": "p", **about}))
    return folder
