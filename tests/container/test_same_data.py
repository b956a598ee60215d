"""What W&B keeps of a process with each run: packages, git and machine. A tracked run has what a bare one has.

Each task has a twin that does the same in a run of its own, with `wandb.init` and `run.finish`. Both run in one git
checkout, with W&B's default settings. All that reached the server is compared, and each difference is listed here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pytest
import yaml
from wandb.proto import wandb_telemetry_pb2

from flyte_wandb.testing import RunRecord, WandbServer, start_container
from tests.conftest import WITHOUT_PACKAGES
from tests.container import data_tasks
from tests.git import REMOTE, make_checkout, run_git
from tests.versions import TORCH, with_torch

PROGRAM: Final = "train.py"
telemetry: Any = wandb_telemetry_pb2
FEATURES: Final = "3"
"""Key of the features that a run has used, in W&B's telemetry."""

OF_THE_MOMENT: Final = frozenset({"startedAt", "used", "_timestamp", "_runtime", "runtime"})
"""Times, and the space that is used on the disk: no two runs have the same ones, only the same kind."""

OURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "display_name": "it has Flyte's names of the task, the run and the action",
        "config.yaml flyte": "it says whose run it is",
        "feature set_init_config": "we pass the key `flyte`",
        "feature finish_timeout": "a bare run waits without end for a server when it finishes",
    }
)
"""How every tracked run differs from a bare one, each with the reason."""

OF_A_NAME: Final[Mapping[str, str]] = MappingProxyType({"feature set_init_name": "the run is opened with a name"})
"""How a run that nobody else can have opened differs besides."""

OF_AN_ID: Final[Mapping[str, str]] = MappingProxyType(
    {"feature set_run_name": "a run with an id of the user's may have a name already, which the opened run tells"}
)
"""How a run with an id of the user's differs besides."""

OF_SHARED_MODE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "feature shared_mode": "child tasks in other processes may write to the run",
        "feature user_provided_label": "the label tells the writers apart",
        "console": "W&B puts the label before each line",
        "label of the output": "W&B puts the label into the name of `output.log`",
    }
)
"""How a run that other processes may join differs besides."""

OF_A_RANK: Final[Mapping[str, str]] = MappingProxyType({"group": "the runs of all ranks are in one group"})


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git checkout with a commit, a remote and a change that is not committed."""
    folder = make_checkout(tmp_path / "checkout")
    (folder / PROGRAM).write_text("rate = 1\n")
    run_git(folder, "add", PROGRAM)
    run_git(folder, "commit", "--quiet", "--message", "Second")
    (folder / PROGRAM).write_text("rate = 2\n")
    return folder


def run_all(server: WandbServer, folder: Path, *tasks: Any, **options: Any) -> None:
    """Run tasks at the same time, each in a container of its own, as the action that has its function's name."""
    environ = {name: value for name, value in server.environ.items() if name not in WITHOUT_PACKAGES}
    # Python's `-c` is the program of these containers, and no file that W&B could keep.
    environ |= {"WANDB_PROGRAM": PROGRAM, "WANDB_SAVE_CODE": "true"}
    containers = [
        start_container(task, folder=folder, environ=environ, action_name=task.func.__name__, **options)
        for task in tasks
    ]
    results = [container.wait() for container in containers]
    assert [result.error for result in results] == [None] * len(tasks), [result.log for result in results]


def differences(bare: RunRecord, tracked: RunRecord, *, tasks: tuple[Any, Any]) -> set[str]:
    """Return what is not the same in both records, by the names that `describe` gives to it."""
    first, second = (
        dict(describe(record, task.func.__name__)) for record, task in zip((bare, tracked), tasks, strict=True)
    )
    return {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)}


def describe(record: RunRecord, action: str) -> Iterator[tuple[str, Any]]:
    """Yield all that reached the server, without the names of the action, of the run and of its writer."""
    writer = json.loads(record.files["wandb-metadata.json"])["writerId"]
    names = {record.id: "RUN", action: "ACTION", writer: "WRITER"}

    def neutral(text: str) -> str:
        return re.sub(rf"\b({record.id}|{action}|{writer})\b", lambda found: names[found[0]], text)

    for name in ("project", "group", "job_type", "tags", "notes", "commit", "repo", "program", "host", "console"):
        value = getattr(record, name)
        yield name, neutral(value) if isinstance(value, str) else value
    yield "display_name", neutral(record.display_name)
    for name, content in record.files.items():
        yield from _describe_file(name, neutral(content.decode()))


def _describe_file(name: str, text: str) -> Iterator[tuple[str, Any]]:
    if output := re.fullmatch(r"output(_.+)?\.log", name):
        yield "label of the output", output[1]
        yield "output.log", text
    elif name == "config.yaml":
        yield from _describe_config(yaml.safe_load(text))
    elif name.endswith(".json"):
        yield from _flatten(name, json.loads(text))
    else:
        yield name, text


def _describe_config(config: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    own = config.pop("_wandb")["value"]
    for number in own["t"].pop(FEATURES):
        yield f"feature {telemetry.Feature.DESCRIPTOR.fields_by_number[number].name}", True
    yield from _flatten("config.yaml _wandb", own)
    for name, entry in config.items():
        yield f"config.yaml {name}", entry


def _flatten(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flatten(f"{name} {key}", item)
    else:
        yield name, type(value) if name.rpartition(" ")[2] in OF_THE_MOMENT else value


def check_git_and_packages(record: RunRecord, checkout: Path) -> None:
    """Check that there was something to compare: W&B leaves out, without a word, what it does not find."""
    assert (record.commit, record.repo) == (run_git(checkout, "rev-parse", "HEAD"), REMOTE)
    assert b"+rate = 2" in record.files["diff.patch"]
    assert b"\nflyte==" in record.files["requirements.txt"]
    assert record.files[f"code/{PROGRAM}"] == b"rate = 2\n"
    metadata = json.loads(record.files["wandb-metadata.json"])
    assert {"os", "python", "git", "email", "host", "executable", "cpu_count", "disk", "memory"} <= set(metadata)


def test_a_tracked_run_has_the_data_of_a_bare_one(server: WandbServer, checkout: Path) -> None:
    tasks = data_tasks
    pairs = ((tasks.bare, tasks.tracked), (tasks.bare_async, tasks.tracked_async))
    run_all(server, checkout, *(task for pair in pairs for task in pair))
    for bare, tracked in pairs:
        records = server.run(f"{bare.func.__name__}-run"), server.run(f"run1-{tracked.func.__name__}")
        check_git_and_packages(records[0], checkout)
        assert differences(*records, tasks=(bare, tracked)) == {*OURS, *OF_A_NAME, *OF_SHARED_MODE}


def test_so_has_one_outside_of_a_checkout(server: WandbServer, tmp_path: Path) -> None:
    (tmp_path / PROGRAM).write_text("rate = 1\n")
    tasks = data_tasks.bare, data_tasks.tracked
    run_all(server, tmp_path, *tasks)
    records = server.run("bare-run"), server.run("run1-tracked")
    assert differences(*records, tasks=tasks) == {*OURS, *OF_A_NAME, *OF_SHARED_MODE}
    assert records[0].files[f"code/{PROGRAM}"] == b"rate = 1\n"
    assert (records[0].commit, records[0].repo) == (None, None)


def test_so_has_the_second_run_of_a_process(server: WandbServer, checkout: Path) -> None:
    tasks = data_tasks.bare_twice, data_tasks.tracked_twice
    run_all(server, checkout, *tasks)
    for which in ("first", "second"):
        records = server.run(f"{which}-of-bare_twice"), server.run(f"{which}-of-tracked_twice")
        check_git_and_packages(records[0], checkout)
        assert differences(*records, tasks=tasks) == {*OURS, *OF_AN_ID}


def test_so_has_each_rank_that_torch_starts(server: WandbServer, checkout: Path) -> None:
    elastic = with_torch("tests.container.elastic_data_tasks")
    tasks = elastic.bare_ranks, elastic.tracked_ranks
    run_all(server, checkout, *tasks, warm=TORCH)
    for rank in (0, 1):
        records = server.run(f"bare_ranks-rank-{rank}"), server.run(f"run1-tracked_ranks-rank-{rank}")
        check_git_and_packages(records[0], checkout)
        assert differences(*records, tasks=tasks) == {*OURS, *OF_A_NAME, *OF_A_RANK}
