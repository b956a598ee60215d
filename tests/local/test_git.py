"""The git checkout of a run: W&B's data of it, without a process of git for every run."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flyte
import pytest
import wandb

from flyte_wandb import wandb_init
from flyte_wandb.wandb_client._git import GIT
from tests.conftest import LocalRun
from tests.current import this_run
from tests.git import REMOTE, make_checkout, run_git

pytestmark = pytest.mark.usefixtures("offline")

env = flyte.TaskEnvironment(name="git")
Found = tuple[str | None, str | None, str | None]


@pytest.fixture(autouse=True)
def no_folder_of_wandbs_own(offline: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have W&B look where it looks by default, and not in the folder in which tests have it keep runs."""
    monkeypatch.delenv("WANDB_DIR")
    monkeypatch.setattr(GIT, "_last", None)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which the process works."""
    folder = make_checkout(tmp_path / "checkout")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def count_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return how many processes of git W&B's client has started."""
    script, log = tmp_path / "git", tmp_path / "calls"
    script.write_text(f'#!/bin/sh\necho "$*" >> {log}\nexec {shutil.which("git")} "$@"\n')
    script.chmod(0o755)
    log.touch()
    monkeypatch.setenv("GIT_PYTHON_GIT_EXECUTABLE", str(script))
    return lambda: len(log.read_text().splitlines())


def read_facts(run: wandb.Run) -> Found:
    found = run.settings
    return found.git_root, found.git_commit, found.git_remote_url


@wandb_init(project="p")
def tracked() -> Found:
    return read_facts(this_run())


@wandb_init(project="p")
@env.task
async def child(number: int) -> str:
    return str(read_facts(this_run()))


@env.task
async def crowd() -> list[str]:
    return await asyncio.gather(*map(child, range(6)))


def bare(**arguments: Any) -> Found:
    with wandb.init(project="p", **arguments) as run:
        return read_facts(run)


def test_later_runs_of_a_process_start_no_git(checkout: Path, count_processes: Callable[[], int]) -> None:
    first = tracked()
    assert first == (str(checkout), run_git(checkout, "rev-parse", "HEAD"), REMOTE)
    before = count_processes()
    assert before
    assert tracked() == tracked() == first
    assert count_processes() == before
    assert bare() == first


def test_runs_that_are_opened_at_once_wait_for_one_answer(
    checkout: Path, count_processes: Callable[[], int], run_local: LocalRun
) -> None:
    assert {*run_local(crowd)} == {str(bare())}
    of_bare = count_processes()
    tracked()
    assert count_processes() == of_bare <= 7


def test_without_a_checkout_no_git_is_started(tmp_path: Path, count_processes: Callable[[], int]) -> None:
    assert tracked() == (None, None, None)
    assert count_processes() == 0
    assert tracked() == bare()


@pytest.mark.parametrize(
    "change",
    [
        ("commit", "--quiet", "--allow-empty", "--message", "Second"),
        ("commit", "--quiet", "--amend", "--allow-empty", "--message", "Better"),
        ("checkout", "--quiet", "--orphan", "other"),
        ("remote", "set-url", "origin", "https://user:secret@git.example.org/elsewhere.git"),
        ("remote", "remove", "origin"),
    ],
    ids=lambda change: " ".join(change[:3]),
)
def test_what_changes_in_the_checkout_is_in_the_next_run(checkout: Path, change: tuple[str, ...]) -> None:
    before = tracked()
    run_git(checkout, *change)
    after = tracked()
    assert after == bare() != before
    assert "secret" not in str(after)


def test_a_checkout_that_git_has_packed_changes_too(checkout: Path) -> None:
    run_git(checkout, "branch", "other")
    run_git(checkout, "commit", "--quiet", "--allow-empty", "--message", "Second")
    run_git(checkout, "pack-refs", "--all")
    before = tracked()
    run_git(checkout, "reset", "--quiet", "--soft", "other")
    assert tracked() == bare() != before


def test_a_remote_in_another_file_is_read_once_as_the_page_says(checkout: Path) -> None:
    run_git(checkout, "config", "include.path", "remotes")
    run_git(checkout, "config", "--file", ".git/remotes", "remote.origin.url", "https://git.example.org/first.git")
    before = tracked()
    assert before == bare() != (*before[:2], REMOTE)
    run_git(checkout, "config", "--file", ".git/remotes", "remote.origin.url", "https://git.example.org/second.git")
    assert tracked() == before != bare()
    run_git(checkout, "commit", "--quiet", "--allow-empty", "--message", "Second")
    assert tracked() == bare()


def test_a_checkout_that_arrives_later_is_in_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tracked()
    make_checkout(tmp_path / "late")
    monkeypatch.chdir(tmp_path / "late")
    assert tracked() == bare() != before


@pytest.mark.parametrize(
    "make", [("worktree", "add", "--quiet"), ("clone", "--quiet", "--separate-git-dir=apart", ".")]
)
def test_a_checkout_whose_git_folder_is_elsewhere_is_left_to_wandb(
    checkout: Path, make: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_git(checkout, *make, "linked")
    monkeypatch.chdir(checkout / "linked")
    wandb.teardown()  # W&B's client looks where it was when it was set up
    first = tracked()
    run_git(checkout / "linked", "commit", "--quiet", "--allow-empty", "--message", "Second")
    assert tracked() == bare() != first


def test_a_folder_inside_of_a_checkout_and_one_beside_it_have_what_bare_runs_have(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "src").mkdir()
    (tmp_path / "runs").mkdir()
    second = make_checkout(tmp_path / "second")
    places = (checkout / "src", second, tmp_path / "runs", checkout)
    for place in places:
        wandb_dir = str(place)

        @wandb_init(project="p", dir=wandb_dir)
        def elsewhere() -> Found:
            return read_facts(this_run())

        assert elsewhere() == bare(dir=wandb_dir), place
    for place in places:
        monkeypatch.setenv("WANDB_DIR", str(place))
        wandb.teardown()
        assert tracked() == bare(), place


@pytest.mark.parametrize(
    "settings",
    [
        {"disable_git": True},
        {"git_commit": "abc"},
        {"git_remote": "other"},
        {"git_remote_url": "https://git.example.org/mine.git"},
        {"x_disable_machine_info": True},
    ],
    ids=str,
)
def test_what_users_say_of_git_counts(checkout: Path, settings: dict[str, Any]) -> None:
    @wandb_init(project="p", settings=settings)
    def with_settings() -> Found:
        return read_facts(this_run())

    tracked()
    assert with_settings() == bare(settings=settings) != tracked()


def test_so_do_their_variables(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_GIT_COMMIT", "abc")
    wandb.teardown()
    assert tracked() == bare()
    assert os.environ["WANDB_GIT_COMMIT"] in tracked()


@wandb_init(project="p")
def without_facts() -> None: ...


def test_a_disabled_run_asks_no_more_than_wandb_does(
    checkout: Path, count_processes: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as disabled:
        disabled.setenv("WANDB_MODE", "disabled")
        before = count_processes()
        wandb.init(project="p").finish()
        of_bare = count_processes() - before
        without_facts()
        assert count_processes() == before + 2 * of_bare


def test_a_broken_checkout_costs_no_run(checkout: Path) -> None:
    (checkout / ".git" / "HEAD").write_bytes(b"ref: \0")
    assert tracked() == bare() == (None, None, None)
