"""GitHub takes the forms and the workflow, and they ask for and run what there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

import flyte_wandb
from flyte_wandb.cli import main
from tests.checkout import ROOT

GITHUB: Final = ROOT / ".github"
CONFIG: Final = GITHUB / "ISSUE_TEMPLATE" / "config.yml"
FORMS: Final = sorted(set((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")) - {CONFIG})
WORKFLOWS: Final = sorted((GITHUB / "workflows").glob("*.yml"))


def checked(schema: str, *files: Path) -> subprocess.CompletedProcess[str]:
    """Compare files with a schema that the checker brings along."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True)


def form(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize(
    ("schema", "files"),
    [("github-issue-forms", FORMS), ("github-issue-config", [CONFIG]), ("github-workflows", WORKFLOWS)],
)
def test_github_takes_the_files(schema: str, files: list[Path]) -> None:
    assert files
    result = checked(schema, *files)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(("old", "new"), [("type: textarea", "type: texts"), ("label: What happened", "title: What")])
def test_a_form_that_github_would_refuse_is_found(old: str, new: str, tmp_path: Path) -> None:
    text = (GITHUB / "ISSUE_TEMPLATE" / "bug.yml").read_text()
    assert old in text
    wrong = tmp_path / "form.yml"
    wrong.write_text(text.replace(old, new))
    assert checked("github-issue-forms", wrong).returncode == 1


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_the_questions_of_a_form_have_ids_of_their_own(path: Path) -> None:
    ids = [part["id"] for part in form(path)["body"] if part["type"] != "markdown"]
    assert len(ids) == len(set(ids)) >= 2


def test_a_bug_report_has_the_preflight_and_the_plan() -> None:
    body = form(GITHUB / "ISSUE_TEMPLATE" / "bug.yml")["body"]
    required = {part["id"] for part in body if part.get("validations", {}).get("required")}
    assert {"doctor", "plan"} <= required


def test_what_the_forms_name_exists() -> None:
    text = "".join(path.read_text() for path in (*FORMS, GITHUB / "PULL_REQUEST_TEMPLATE.md"))
    assert {*re.findall(r"`flyte-wandb (\w+)", text)} <= set(main.commands)
    assert [name for name in re.findall(r"\b[\w/-]+\.md\b", text) if not (ROOT / name).is_file()] == []


def steps_of(workflow: str) -> list[dict[str, Any]]:
    jobs = form(GITHUB / "workflows" / f"{workflow}.yml")["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def commands_of(workflow: str) -> list[str]:
    return [step["run"] for step in steps_of(workflow) if "run" in step]


def test_the_workflow_runs_what_contributors_run() -> None:
    assert commands_of("ci") == [".ci/run"]
    said = (ROOT / "pyproject.toml").read_text()
    (setup,) = (step["with"] for step in steps_of("ci") if "setup-python" in step.get("uses", ""))
    assert sorted(setup["python-version"].split()) == re.findall(r"Python :: (3\.\d+)", said)


def test_the_site_and_a_release_are_built_as_contributors_build_them() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    made = [command.removeprefix("make ") for name in ("site", "release") for command in commands_of(name)]
    assert [target for target in made if target in targets] == ["docs", "dist"]


@pytest.mark.parametrize(("tag", "code"), [("v{version}", 0), ("v9.9.9", 1), ("{version}-rc1", 1)])
def test_only_the_tag_of_the_version_is_a_release(tag: str, code: int) -> None:
    (check,) = (command for command in commands_of("release") if "GITHUB_REF_NAME#" in command)
    environ = {"GITHUB_REF_NAME": tag.format(version=flyte_wandb.__version__), "PATH": os.environ["PATH"]}
    assert subprocess.run(["bash", "-c", check], cwd=ROOT, env=environ, capture_output=True).returncode == code


@pytest.mark.parametrize(("address", "code"), [("https://github.com/team/flyte-wandb", 0), ("", 1)])
def test_a_release_needs_the_address_of_the_project(address: str, code: int, tmp_path: Path) -> None:
    (check,) = (command for command in commands_of("release") if "address" in command)
    project, count = re.subn(r'(?m)^address = ".*"$', f'address = "{address}"', (ROOT / "pyproject.toml").read_text())
    (tmp_path / "pyproject.toml").write_text(project)
    assert subprocess.run(["bash", "-c", check], cwd=tmp_path, capture_output=True).returncode == code
    assert count == 1


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_and_only_the_jobs_that_publish_may_do_more(path: Path) -> None:
    workflow = form(path)
    assert workflow["permissions"] == {"contents": "read"}
    wider = {name: job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job}
    assert (
        wider
        == {
            "ci": {},
            "site": {"publish": {"pages": "write", "id-token": "write"}},
            "release": {"pypi": {"id-token": "write"}, "github": {"contents": "write"}},
        }[path.stem]
    )
    assert all("make" not in step.get("run", "") for name in wider for step in workflow["jobs"][name]["steps"])
