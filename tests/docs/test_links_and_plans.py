"""The page on links and plans: its commands print what it says, and its code does what it says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from examples.jobs import finetune
from flyte_wandb import Wandb, WandbSweep
from flyte_wandb.cli._plan import MOST_LISTED
from flyte_wandb.links._build import MOST_CHECKED
from flyte_wandb.links._per_part import MOST_LINKS
from flyte_wandb.testing import WandbServer, run_ranks
from tests.checkout import ROOT, SCRIPTS
from tests.docs.consoles import Console, consoles

PAGE = (ROOT / "docs" / "links-and-plans.md").read_text()
CONSOLES = list(consoles(PAGE))


def without_versions(text: str) -> str:
    """The words of the preflight, whose versions are those of this machine."""
    return " ".join(re.sub(r"\d+(\.\d+)+\w*", "N", text).split())


@pytest.mark.parametrize("console", CONSOLES, ids=lambda console: console.command.partition("wandb ")[2])
def test_a_command_prints_what_the_page_says(console: Console, tmp_path: Path) -> None:
    printed = console.printed(tmp_path)
    if "doctor" in console.command:
        assert without_versions(printed) == without_versions(console.output)
    else:
        assert printed == console.output


def test_the_page_has_the_commands_that_it_promises() -> None:
    commands = " ".join(console.command for console in CONSOLES)
    for words in (
        "jobs.py:pretrain",
        "jobs.py:finetune",
        "jobs.py:evaluate",
        "island:4",
        "plugins",
        "doctor",
        "--nodes 8192",
    ):
        assert words in commands
    assert sum(console.output.startswith("Error: two ranks own") for console in CONSOLES) == 1


@pytest.mark.parametrize("program", ["flyte", "flyte-wandb"])
def test_the_shell_can_complete_the_commands_as_the_page_says(program: str) -> None:
    variable = f"_{program.upper().replace('-', '_')}_COMPLETE"
    assert f"`{variable}`" in PAGE or f"$({variable}=bash_source {program})" in PAGE
    environ = {"PATH": f"{SCRIPTS}:/usr/bin:/bin", variable: "bash_source"}
    result = subprocess.run([program], env=environ, capture_output=True, text=True)
    assert "complete -o nosort -F" in result.stdout, result.stderr


def code_with(words: str) -> str:
    (found,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if words in block)
    return str(found)


@pytest.mark.usefixtures("clean_client")
def test_the_preview_in_python_is_what_the_page_says() -> None:
    exec(code_with("found = preview("), {})


@pytest.mark.usefixtures("clean_client")
def test_links_by_hand_lead_where_the_page_says() -> None:
    names: dict[str, Any] = {}
    exec(code_with("by_hand"), names)
    asked = {"run_name": "r1", "project": "p", "domain": "d", "parent_action_name": "", "action_name": "a0"}
    links = [link.get_link(**asked, context={}, pod_name="") for link in names["train"].links]
    project = "https://wandb.example.com/team/vision"
    assert links == [f"{project}/runs/r1-a0", f"{project}/sweeps"]
    assert all(isinstance(link, (Wandb, WandbSweep)) for link in names["train"].links)


def test_the_page_tells_the_numbers_that_hold() -> None:
    assert f"More than {MOST_LISTED} ranks are summed up" in PAGE.replace("\n", " ")
    assert f"The first {MOST_CHECKED} ranks are also checked" in PAGE
    assert f"| more than {MOST_LINKS} parts |" in PAGE


def test_the_example_runs_on_ranks_too(server: WandbServer, tmp_path: Path) -> None:
    results = run_ranks(finetune, folder=tmp_path, nodes=(2, 2), environ=server.environ)
    assert [result.error for result in results] == [None] * 4, results[0].log
    assert [(run.id, run.logged("loss")) for run in server.runs] == [("run1-a0", [0.1])]
