"""SIGTERM ends any task, whatever it is doing: rows kept, W&B told, exit code 143."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pytest

from flyte_wandb.testing import Container, WandbServer
from tests.cli.running import run as run_command
from tests.faults import sigterm_tasks, tasks
from tests.faults.acting import run_outcome, start, wait_for_output, wait_until_ready
from tests.faults.sigterm_tasks import READY
from tests.offline import read
from tests.versions import TORCH, with_torch

ROWS: Final = 23
OWN_INTERVAL: Final = MappingProxyType({"WANDB__FILE_STREAM_TRANSMIT_INTERVAL": "15"})
"""W&B's client sends rows every 15 s, as users have it: what is there sooner was sent because of SIGTERM."""
AS_PROCESS_1: Final = ("unshare", "--pid", "--fork", "--kill-child")
AT_ONCE: Final = 4
"""Containers that run at the same time."""

can_unshare = pytest.mark.skipif(
    subprocess.run([*AS_PROCESS_1, "true"], capture_output=True, check=False).returncode != 0,
    reason="this machine lets no test start a process 1 of its own (unshare --pid)",
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One task that gets SIGTERM.

    Attributes:
        task: Its name in `tests.faults.sigterm_tasks`.
        doing: What it is doing then.
        offline: Whether W&B is offline.
        first: Whether it is the first process of its namespace, as in a pod without an init program.
        times: How often SIGTERM arrives.
    """

    task: str
    doing: str
    offline: bool = False
    first: bool = False
    times: int = 1

    @property
    def name(self) -> str:
        flags = (("offline", self.offline), ("first", self.first), ("twice", self.times > 1))
        return "-".join([self.task.replace("_", ""), self.doing, *(flag for flag, there in flags if there)])


def started(case: Case, server: WandbServer, folder: Path) -> Container:
    """Start a task, and return when it has logged its rows."""
    folder.mkdir()
    os.mkfifo(folder / READY)
    container = start(
        getattr(sigterm_tasks, case.task),
        server,
        folder,
        inputs={"rows": ROWS, "doing": case.doing},
        environ={**OWN_INTERVAL, "WANDB_MODE": "offline" if case.offline else "online"},
        action_name=case.name,
        launcher=AS_PROCESS_1 if case.first else (),
    )
    wait_until_ready(container, folder)
    return container


def process_of(container: Container, case: Case) -> int:
    own = container.process.pid
    return int(Path(f"/proc/{own}/task/{own}/children").read_text()) if case.first else own


def outcome(case: Case, server: WandbServer, folder: Path) -> tuple[Any, ...]:
    """Return the exit code of the process, and what became of the run: in W&B, or in Flyte's storage."""
    container = started(case, server, folder)
    process = process_of(container, case)
    for _ in range(case.times):
        os.kill(process, signal.SIGTERM)
    code = container.wait().exit_code
    if not case.offline:
        record = server.run(f"run1-{case.name}")
        return code, record.state, record.exit_code, len(record.logged("row"))
    (log,) = (folder / "flyte").rglob("wandb-offline/**/*.wandb")
    return code, "kept", read(log).exit_code, len(read(log).logged("row"))


def outcomes(cases: Sequence[Case], server: WandbServer, folder: Path) -> dict[str, tuple[Any, ...]]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = pool.map(lambda case: outcome(case, server, folder / case.name), cases)
    return dict(zip((case.name for case in cases), ended, strict=True))


def test_sigterm_ends_any_task_with_all_rows_in_wandb(server: WandbServer, tmp_path: Path) -> None:
    cases = [Case(task="sync", doing=doing) for doing in ("python", "sleep", "native", "finally", "swallow")]
    cases += [Case(task="sync", doing="torch")] if find_spec("torch") else []
    cases += [Case(task="a_sync", doing=doing) for doing in ("await", "thread", "python", "native")]
    cases += [Case(task="rank", doing=doing) for doing in ("python", "native")]
    cases += [Case(task="sync", doing="finally", times=2)]
    preempted = (143, "preempted", 143, ROWS)
    assert outcomes(cases, server, tmp_path) == {case.name: preempted for case in cases}
    for case in cases:
        assert (tmp_path / case.name / sigterm_tasks.CLEANED_UP).exists() == (case.doing == "finally"), case.name


def test_sigterm_keeps_an_offline_run_in_flytes_storage(server: WandbServer, tmp_path: Path) -> None:
    cases = [Case(task="sync", doing=doing, offline=True) for doing in ("python", "native")]
    cases += [Case(task="a_sync", doing="await", offline=True)]
    assert outcomes(cases, server, tmp_path) == {case.name: (143, "kept", 143, ROWS) for case in cases}


@can_unshare
def test_sigterm_ends_process_1(server: WandbServer, tmp_path: Path) -> None:
    online = [Case(task="sync", doing=doing, first=True) for doing in ("python", "native")]
    online += [Case(task="a_sync", doing="await", first=True)]
    offline = [Case(task="sync", doing="python", first=True, offline=True)]
    wanted = {case.name: (143, "preempted", 143, ROWS) for case in online}
    wanted |= {case.name: (143, "kept", 143, ROWS) for case in offline}
    assert outcomes([*online, *offline], server, tmp_path) == wanted


def test_sigterm_while_the_run_is_being_opened_keeps_the_function_from_starting(
    server: WandbServer, tmp_path: Path
) -> None:
    opening = {"sync": tasks.waits, "async": tasks.waits_async}
    with server.paused():
        containers = {}
        for name, task in opening.items():
            (tmp_path / name).mkdir()
            containers[name] = start(task, server, tmp_path / name, inputs={"rows": ROWS}, action_name=name)
        server.wait_for(lambda server: server.held >= len(containers), timeout=90)
        for container in containers.values():
            container.process.send_signal(signal.SIGTERM)
        for container in containers.values():
            wait_for_output(container, "SIGTERM arrived")  # before the server answers, which opens the run
    for name, container in containers.items():
        result = container.wait()
        assert (result.exit_code, result.value) == (143, None), result.log
        assert run_outcome(server.run(f"run1-{name}")) == ("preempted", 143, [])


def test_sigterm_ends_elastic_ranks_in_native_code(server: WandbServer, tmp_path: Path) -> None:
    elastic_tasks = with_torch("tests.faults.elastic_tasks")
    os.mkfifo(tmp_path / READY)
    container = start(elastic_tasks.in_native_code, server, tmp_path, inputs={"rows": ROWS}, warm=TORCH)
    wait_until_ready(container, tmp_path)
    container.process.send_signal(signal.SIGTERM)
    container.wait()
    record = server.run("run1-a0")
    assert (record.state, record.exit_code, len(record.logged("row"))) == ("preempted", 143, ROWS)


def test_sigterm_after_the_function_has_returned_loses_no_result(server: WandbServer, tmp_path: Path) -> None:
    """The server is silent while a run is finished: W&B gets seconds, Flyte its outputs, and the storage its rows."""
    os.mkfifo(tmp_path / READY)
    container = start(sigterm_tasks.returns, server, tmp_path, inputs={"rows": ROWS})
    wait_until_ready(container, tmp_path)
    with server.paused():
        (tmp_path / READY).write_bytes(b"")
        server.wait_for(lambda server: server.held, timeout=90)
        container.process.send_signal(signal.SIGTERM)
        result = container.wait()
    assert (result.exit_code, result.error, result.value) == (0, None, ROWS), result.log
    (kept,) = tmp_path.glob("flyte/**/wandb-offline/run1/a0/run-*")
    assert result.log.replace("\n", "").count("W&B has not acknowledged") == 1, result.log
    synced = run_command("sync", str(kept), folder=tmp_path, environ=server.environ)
    assert synced.returncode == 0, synced.stdout
    record = server.run("run1-a0")
    assert (record.state, record.exit_code, record.logged("row")) == ("finished", 0, [*range(ROWS + 1)])
