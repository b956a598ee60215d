"""What the suites share: a W&B client that every test starts afresh, and Flyte's local mode in tmp_path."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import flyte
import pytest
import wandb
from wandb.agents.pyagent import Agent

import flyte_wandb
from flyte_wandb import _logging
from flyte_wandb.testing import WandbServer
from tests.checkout import ROOT
from tests.keys import find_keys
from tests.services import leftover_services

LocalRun = Callable[..., Any]

WITHOUT_PACKAGES: Final = {"WANDB__SAVE_REQUIREMENTS": "false"}
"""W&B reads the metadata of all installed packages for a run: most of its processor time. tests/local/test_packages.py
is about it."""

pytest.register_assert_rewrite("tests.ranks.tables")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in what a shell runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

# pytest loads the plugin that is installed before it reads which folders to import from.
if not Path(flyte_wandb.__file__).is_relative_to(ROOT):
    raise pytest.UsageError(
        f"these tests are those of {ROOT}, and would test {flyte_wandb.__file__}, which is installed here; run "
        f"`pip install --editable {ROOT}` first"
    )


def own_config(run: Any) -> dict[str, Any]:
    """What the user put into the configuration of a run: all but what names its action and the run above."""
    return {key: value for key, value in run.config.items() if key not in ("flyte", "flyte_parent_run_id")}


@pytest.fixture(scope="session", autouse=True)
def no_service_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have no service process of W&B outlive the tests of this worker that started it."""
    yield
    assert leftover_services(tmp_path_factory.getbasetemp()) == []


@pytest.fixture(scope="session", autouse=True)
def no_key_written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Search all that the tests of this worker have written for keys: pytest keeps it until the session ends.

    That is its policy unless `tmp_path_retention_policy` is set. The search reads some 7,000 files
    for the whole suite, in seconds.
    """
    yield
    found = find_keys(tmp_path_factory.getbasetemp())
    assert not found, "a key was written:\n" + "\n".join(found)


@pytest.fixture
def clean_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the test a W&B client that knows nothing of earlier tests, and end it afterwards."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_CONSOLE", "off")
    monkeypatch.setenv("WANDB__DISABLE_STATS", "true")
    for name, value in WITHOUT_PACKAGES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    _logging._logged.clear()
    wandb.teardown()  # a test that merely asked for a link has set a client up, with the environment of its time
    try:
        yield
        assert wandb.run is None, "a run was left behind in wandb.run"
    finally:
        wandb.teardown()  # else what a failing test has left open keeps the service, and the suite waits for it


@pytest.fixture
def offline(clean_client: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have W&B write its log to tmp_path only."""
    monkeypatch.setenv("WANDB_MODE", "offline")


@pytest.fixture
def run_local(tmp_path: Path) -> LocalRun:
    """Run a task with the real `flyte.run` in local mode and return its result."""

    def run(
        task: Any, *arguments: Any, context: Mapping[str, str] | None = None, name: str = "r1", **named: Any
    ) -> Any:
        runner: Any = flyte.with_runcontext(
            mode="local",
            name=name,
            custom_context=dict(context or {}),
            raw_data_path=str(tmp_path / "raw"),
        )
        # There is no public way, and the default is one folder for the whole machine.
        runner._metadata_path = str(tmp_path / "metadata")
        outputs = runner.run(task, *arguments, **named).outputs()
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    flyte.init()
    return run


class _Server(WandbServer):
    @property
    def environ(self) -> dict[str, str]:
        """What logs a process in, and spares it what no test looks at."""
        return {**super().environ, **WITHOUT_PACKAGES}


@pytest.fixture
def wandb_server() -> Iterator[WandbServer]:
    """The fixture that users have, with `_Server`."""
    with _Server() as server:
        yield server


@pytest.fixture
def server(wandb_server: WandbServer) -> Iterator[WandbServer]:
    """A W&B server that can answer everything that it is asked, with the teams that tests write to."""
    for team in ("team", "the team", "them"):
        wandb_server.add_team(team)
    yield wandb_server
    assert wandb_server.unknown_operations == ()


@pytest.fixture
def online(server: WandbServer, clean_client: None, monkeypatch: pytest.MonkeyPatch) -> WandbServer:
    """The server, to which the W&B client of this process writes."""
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def quick_agents() -> Iterator[None]:
    """Shorten W&B's wait between two heartbeats, which its source allows to tests."""
    before = Agent.HEARTBEAT_SLEEP_SECONDS
    Agent.HEARTBEAT_SLEEP_SECONDS = 0.02  # type: ignore[assignment]
    yield
    Agent.HEARTBEAT_SLEEP_SECONDS = before
