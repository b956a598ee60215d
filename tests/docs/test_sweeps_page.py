"""The page on sweeps: its code does what it says."""

from __future__ import annotations

import enum
import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

import flyte_wandb
from flyte_wandb import wandb_config, wandb_sweep_config
from flyte_wandb.settings._sweep_schema import SWEEP_FIELDS
from flyte_wandb.sweeps._declared_types import declare_type
from flyte_wandb.sweeps._run_sweep import MOST_AGENTS, MOST_MISSED
from flyte_wandb.sweeps._search_space import sample_parameters
from flyte_wandb.testing import WandbServer
from tests.checkout import ROOT, process_environ
from tests.conftest import LocalRun
from tests.programs import run_python

PAGE = (ROOT / "docs" / "sweeps.md").read_text()
EXAMPLE = ROOT / "examples" / "sweep.py"
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def code_with(words: str) -> str:
    (found,) = (block for block in BLOCKS if words in block)
    return found


def test_the_example_is_on_the_page() -> None:
    assert code_with("square root") == EXAMPLE.read_text()


def test_the_example_finds_the_best_trial(server: WandbServer, tmp_path: Path) -> None:
    environ = process_environ(tmp_path, {**server.environ, "WANDB_DIR": str(tmp_path)})
    result = run_python(str(EXAMPLE), folder=tmp_path, environ=environ)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "0.05"
    (sweep,) = server.sweeps
    assert (sweep.project, sweep.state, len(sweep.run_ids)) == ("vision", "FINISHED", 6)
    assert {run.state for run in server.runs} == {"finished"}
    assert len([line for line in result.stderr.splitlines() if line.startswith("trial ")]) == 6


def test_trials_of_many_ranks(online: WandbServer, run_local: LocalRun) -> None:
    names: dict[str, Any] = {"__name__": __name__}
    exec(code_with("ClusteredTaskEnvironment"), names)
    assert run_local(names["search"]) == ["finished"] * 8
    (sweep,) = online.sweeps
    assert [run.sweep for run in online.runs] == [sweep.id] * 8
    assert [run.logged("loss") == [run.config["lr"] / 4] for run in online.runs] == [True] * 8


@pytest.mark.usefixtures("quick_agents")
def test_trials_in_one_task(online: WandbServer, run_local: LocalRun) -> None:
    names: dict[str, Any] = {"__name__": __name__}
    exec(code_with("wandb.agent"), names)
    sweep = wandb_sweep_config(method="grid", parameters={"lr": {"values": [0.01, 0.05, 0.1]}})
    run_local(names["search"], context={**wandb_config(project="vision"), **sweep})
    trials, (own,) = [run for run in online.runs if run.sweep], [run for run in online.runs if not run.sweep]
    assert [(run.state, run.tags) for run in trials] == [
        ("finished", ("trial",)),
        ("finished", ("trial",)),
        ("failed", ("trial",)),
    ]
    assert [run.logged("loss") for run in trials] == [[0.01], [0.05], []]
    assert (own.state, own.summary, own.config.get("lr")) == ("finished", {"done": True}, None)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Optimizer:
    lr: float
    steps: int


def type_rows() -> list[list[str]]:
    section = PAGE[PAGE.index("| in W&B's YAML |") :].split("\n\n")[0]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in section.splitlines()[2:]]


def first_code(cell: str) -> str:
    return cell.split("`")[1].replace("\\|", "|")


@pytest.mark.parametrize("row", type_rows(), ids=lambda row: f"{row[0]} {row[1]}")
def test_a_parameter_becomes_what_the_table_says(row: list[str]) -> None:
    configuration, declared, gets = row
    kind = declare_type(eval(first_code(declared), {**globals(), "Literal": Literal}))
    values = [one["x"] for one in sample_parameters({"x": yaml.safe_load(first_code(configuration))})]
    if gets.startswith("refused"):
        with pytest.raises(ValueError, match="Input should be"):
            list(map(kind.convert, values))
        return
    converted = list(map(kind.convert, values))
    for code in gets.split(":")[0].split("`")[1::2] if "{" not in gets else [first_code(gets)]:
        assert repr(eval(code)) in map(repr, converted)


def test_every_code_block_is_run_here() -> None:
    assert len(BLOCKS) == 3


def test_the_page_tells_the_settings_and_numbers_that_hold() -> None:
    section = PAGE[PAGE.index("## The sweep") : PAGE.index("## Trials in one task")]
    assert [name for name in SWEEP_FIELDS if f"`{name}`" not in section] == []
    assert f"1 to {MOST_AGENTS}; W&B allows no more agents" in PAGE
    assert f"After {MOST_MISSED} unanswered heartbeats" in PAGE
    for name, parameter in list(inspect.signature(flyte_wandb.run_sweep).parameters.items())[1:]:
        default = "" if parameter.default is None and name != "count" else f"{parameter.default} "
        assert f"| `{name}` | {default}|" in PAGE
