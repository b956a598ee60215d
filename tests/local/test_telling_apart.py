"""What tells the runs of alike tasks apart: name, inputs, and the run above."""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path
from typing import Any

import flyte
import flyte.io
import pytest

from flyte_wandb import Request, wandb_config, wandb_init
from flyte_wandb.runs._inputs import LONGEST_TEXT, MOST_ITEMS, collect_inputs
from flyte_wandb.runs._opening import default_name
from tests.conftest import LocalRun
from tests.current import this_run
from tests.offline import by_id, logs

env = flyte.TaskEnvironment(name="apart")


@wandb_init(run_mode="new", group="parent")
@env.task
def train(lr: float, layers: list[int], api_key: str = "hunter2") -> str:
    return str(this_run().id)


@wandb_init(config={"lr": "the user's own"})
@env.task
def trains(layers: list[int], inputs: bool) -> list[str]:
    with wandb_config(config_inputs=inputs):
        return [train(lr, layers) for lr in (0.1, 0.2)]


@pytest.mark.usefixtures("offline")
def test_children_have_names_inputs_and_the_parents_run(run_local: LocalRun, tmp_path: Path) -> None:
    first, second = run_local(trains, [1, 2], True)
    found = by_id(tmp_path)
    (parent,) = (log for run_id, log in found.items() if run_id not in (first, second))
    for run_id, lr in ((first, 0.1), (second, 0.2)):
        log = found[run_id]
        config = {name: log.config[name] for name in ("lr", "layers", "api_key", "flyte_parent_run_id")}
        assert config == {"lr": lr, "layers": [1, 2], "api_key": "(hidden)", "flyte_parent_run_id": parent.id}
        assert log.group == parent.id
        assert log.name.startswith("train r1 ")
        assert run_id not in log.name
    assert found[first].name != found[second].name
    assert parent.config["lr"] == "the user's own"
    assert "flyte_parent_run_id" not in parent.config
    assert "hunter2" not in "".join(map(str, found.values()))


@pytest.mark.usefixtures("offline")
def test_inputs_are_not_written_unless_somebody_asks(run_local: LocalRun, tmp_path: Path) -> None:
    first, _ = run_local(trains, [1], False)
    assert by_id(tmp_path)[first].config.keys() == {"flyte", "flyte_parent_run_id"}


@wandb_init(config_inputs=True, config={"lr": "the user's own"})
def plain(lr: float) -> str | None:
    return this_run().name


def test_your_own_config_and_names_win(offline: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WANDB_NAME", "the user's name")
    assert plain(0.1) == "the user's name"
    with wandb_config(id="chosen"):
        assert plain(0.1) == "the user's name"
    assert {log.config["lr"] for log in logs(tmp_path)} == {"the user's own"}


@pytest.mark.usefixtures("online")
def test_a_run_with_an_id_of_yours_keeps_the_name_it_has() -> None:
    with wandb_config(id="chosen"):
        first = plain(0.1)
        assert first == plain(0.2)
    assert (first or "").startswith("plain ")


ATTEMPTS: list[str | None] = []


@wandb_init
@env.task(retries=1)
def renamed() -> str:
    run = this_run()
    ATTEMPTS.append(run.name)
    if len(ATTEMPTS) == 1:
        run.name = "what the body calls it"
        raise ValueError("node lost")
    return run.id


def test_another_attempt_keeps_the_name_that_the_body_gave(online: Any, run_local: LocalRun) -> None:
    run_local(renamed)
    (run,) = online.runs
    assert run.display_name == "what the body calls it"


@pytest.mark.parametrize(
    ("fields", "run_id", "name"),
    [
        ({"task_name": "env.train"}, "r1-a0", "train r1 a0"),
        ({"task_name": "env.train", "action_name": "r1"}, "r1-r1", "train r1"),
        ({"task_name": "env.train"}, "r1-a0-worker-1-rank-3-attempt-2", "train r1 a0 worker-1-rank-3-attempt-2"),
        ({"task_name": "env.train"}, "a-plugins-own", "train r1 a0"),
        ({"task_name": "env.train", "run_name": "x" * 36}, "", f"train {'x' * 8}…xxxx a0"),
        ({"action_name": "plain", "run_name": "1a2b3c4d"}, "1a2b3c4d-plain", "plain 1a2b3c4d"),
    ],
)
def test_a_name_says_task_action_and_what_the_id_adds(fields: dict[str, Any], run_id: str, name: str) -> None:
    assert default_name(Request(**{"run_name": "r1", "action_name": "a0", **fields}), run_id) == name


class Kind(enum.Enum):
    SGD = "sgd"


@dataclasses.dataclass
class Optimizer:
    kind: Kind
    password: str
    momentum: float = 0.9


def given(value: Any) -> Any:
    return collect_inputs(lambda value: None, (value,), {})["value"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, True),
        (None, None),
        ({"a": (1, 2.5)}, {"a": [1, 2.5]}),
        (Optimizer(Kind.SGD, "x"), {"kind": "sgd", "password": "(hidden)", "momentum": 0.9}),
        (flyte.io.File(path="s3://b/k?X-Amz-Signature=1"), {"type": "File", "address": "s3://b/k"}),
        (flyte.io.Dir(path="s3://b/k"), {"type": "Dir", "address": "s3://b/k"}),
        (flyte.io.DataFrame(uri="s3://b/d"), {"type": "DataFrame", "address": "s3://b/d"}),
        (object(), {"type": "object"}),
        (b"bytes", {"type": "bytes"}),
        ("https://me:key@host/x", "https://***@host/x"),
        ("a" * (LONGEST_TEXT + 1), "a" * LONGEST_TEXT + f"… ({LONGEST_TEXT + 1} characters)"),
        ([0] * (MOST_ITEMS + 2), [0] * MOST_ITEMS + ["… (2 more)"]),
        ({"tokens": 5, "auth_token": 6}, {"tokens": 5, "auth_token": "(hidden)"}),
        ("\udc80", "?"),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_a_value_is_shown_as(value: Any, shown: Any) -> None:
    assert given(value) == shown


def test_what_contains_itself_ends() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert "list" in str(given(loop))
