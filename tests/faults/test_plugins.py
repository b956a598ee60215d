"""Plugins that raise, in each of the hooks, and one that hangs: real processes, an installed distribution."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyte_wandb.testing import ContainerResult, WandbServer, run_container
from tests.checkout import process_environ
from tests.distributions import install
from tests.faults import tasks
from tests.faults.acting import QUICK, ROWS, run_outcome
from tests.programs import run_python

DECISIONS = ["detect_topology", "locate_rank", "choose_initializer", "compute_run_id", "compute_group"]
OTHERS = ["contribute_run_settings", "run_started", "run_finished"]


def run_with(source: str, server: WandbServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ContainerResult:
    installed = folder / "installed"
    installed.mkdir()
    install(installed, "acme-names", f"import threading\nfrom flyte_wandb import hookimpl\n{source}", plugin="acme")
    monkeypatch.syspath_prepend(installed)
    return run_container(tasks.goes_on, folder=folder, inputs={"rows": ROWS}, environ={**server.environ, **QUICK})


def raising(hook: str) -> str:
    return f"@hookimpl\ndef {hook}(plan):\n    raise LookupError('no team')\n"


def test_a_plugin_that_raises_where_it_only_adds_or_watches_costs_nothing(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run_with("".join(map(raising, OTHERS)), server, tmp_path, monkeypatch)
    assert (result.error, result.value) == (None, "run1-a0"), result.log
    assert run_outcome(server.run("run1-a0")) == ("finished", 0, [0, 1, 2])
    for hook in OTHERS:
        assert f"the task continues: plugin 'acme' failed in {hook}: LookupError: no team" in result.log


def test_a_plugin_that_hangs_costs_its_time_limit(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = "@hookimpl\ndef run_started(plan):\n    threading.Event().wait()\n"
    result = run_with(hanging, server, tmp_path, monkeypatch)
    assert (result.error, result.value) == (None, "run1-a0"), result.log
    assert run_outcome(server.run("run1-a0")) == ("finished", 0, [0, 1, 2])
    assert "run_started of plugin 'acme' is still running after 5 s" in result.log


DECIDES = """
import os
from flyte_wandb import hookimpl

def fail(hook):
    if os.environ.get("FAILING") == hook:
        raise LookupError("no team")

@hookimpl
def detect_topology(environ): fail("detect_topology")
@hookimpl
def locate_rank(request): fail("locate_rank")
@hookimpl
def choose_initializer(request): fail("choose_initializer")
@hookimpl
def compute_run_id(request): fail("compute_run_id")
@hookimpl
def compute_group(request): fail("compute_group")
"""
DRIVER = """
import asyncio, os, sys
import os
import subprocess
import sys
from pathlib import Path
from tests.faults import local_tasks
from tests.remote import run_action

for hook in sys.argv[1:]:
    os.environ["FAILING"] = hook
    try:
        print(asyncio.run(run_action(local_tasks.logs, rows=1, folder=Path.cwd())))
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_a_plugin_that_raises_where_it_decides_stops_the_task_before_its_run(
    server: WandbServer, tmp_path: Path
) -> None:
    install(tmp_path, "acme-names", DECIDES, plugin="acme")
    environ = process_environ(tmp_path, {**server.environ, **QUICK})
    result = run_python("-c", DRIVER, *DECISIONS, "none", folder=tmp_path, environ=environ)
    assert result.stdout.splitlines() == [
        *(f"HookError plugin 'acme' failed in {hook}: LookupError: no team" for hook in DECISIONS),
        "r1-a0",
    ], result.stderr
    assert [run_outcome(record) for record in server.runs] == [("finished", 0, [0])]
