"""No key in anything that is written: logs, errors, outputs, folders, context, plans, links, configs, pickles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle

from flyte_wandb import wandb_config
from flyte_wandb.testing import ContainerResult, WandbServer, run_container
from tests.cli.running import run
from tests.container.tasks import fails
from tests.faults import tasks
from tests.faults.acting import QUICK, ROWS
from tests.keys import UNKNOWN_KEY
from tests.links.rendering import wire_links


def test_no_key_is_written_anywhere(server: WandbServer, tmp_path: Path) -> None:
    known = server.environ["WANDB_API_KEY"]
    environ = {**server.environ, **QUICK, "WANDB_API_KEY": UNKNOWN_KEY}
    options: dict[str, Any] = {"folder": tmp_path, "inputs": {"rows": ROWS}, "context": wandb_config(project="vision")}
    ended = [
        run_container(fails, folder=tmp_path, inputs={"how": "raise"}, environ=server.environ, action_name="a1"),
        run_container(tasks.goes_on, environ={**environ, "WANDB_MODE": "offline"}, action_name="a2", **options),
        run_container(tasks.goes_on, environ=environ, action_name="a3", **options),
    ]
    assert [bool(result.error) for result in ended] == [True, False, True]
    assert (server.run("run1-a1").state, [result.value for result in ended]) == ("failed", [None, "run1-a2", None])
    written = {**dict(files(tmp_path)), **dict(printed_or_sent(ended, server, environ, tmp_path))}
    assert len(written) > 20
    assert [
        where for where, content in written.items() if UNKNOWN_KEY.encode() in content or known.encode() in content
    ] == []


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield everything on the disk: W&B's folders, inputs, outputs, errors, what is kept of offline runs."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield str(path), path.read_bytes()


def printed_or_sent(
    ended: list[ContainerResult], server: WandbServer, environ: dict[str, str], folder: Path
) -> Iterator[tuple[str, bytes]]:
    """Yield everything that was printed, told to W&B or to Flyte, or that travels with a task."""
    yield from ((f"log {number}", f"{result.error}{result.log}".encode()) for number, result in enumerate(ended))
    yield from ((f"run {record.id}", repr(record).encode()) for record in server.runs)
    planned = run("plan", "--json", folder=folder, environ=environ)
    yield "plan", f"{planned.stdout}{planned.stderr}".encode()
    context = wandb_config(project="vision", entity="local", on_error="ignore")
    yield "context", repr(dict(context)).encode()
    yield "links", repr(wire_links(tasks.goes_on, context)).encode()
    yield "pickle", cloudpickle.dumps(tasks.goes_on)
