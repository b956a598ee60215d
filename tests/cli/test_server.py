"""`flyte-wandb server`: the double in a process of its own."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest
import wandb

from tests.checkout import SCRIPTS, process_environ
from tests.cli.running import run
from tests.programs import Process, running_python

SIZE = 150_000_000
COMMAND = str(SCRIPTS / "flyte-wandb"), "server"


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[tuple[Process, TextIO]]:
    with running_python(*COMMAND, *arguments, folder=folder, environ=process_environ(folder)) as (process, output):
        try:
            yield process, output
        finally:
            process.terminate()


def log_in(output: TextIO, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait until it listens, and let this process's client write to it."""
    assert any(line.startswith("Press Ctrl-C") for line in output)
    for line in (folder / "wandb.env").read_text().splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_ended(
    number: signal.Signals, tmp_path: Path, clean_client: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path, "--port", "0", "--environ-file", "wandb.env", "--entity", "me") as (process, output):
        assert "listens at http://127.0.0.1:" in output.readline()
        log_in(output, tmp_path, monkeypatch)
        with wandb.init(id="run1", project="p") as opened:
            opened.log({"loss": 0.5})
        assert wandb.Api().run("me/p/run1").state == "finished"
        process.send_signal(number)
        rest = output.read()
    assert (process.returncode, rest) == (0, "Ended. 1 run is forgotten.\n")
    wandb.teardown()


def test_a_port_that_is_in_use_is_one_line(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, output):
        port = output.readline().split("127.0.0.1:")[1].split(".")[0]
        ended = run("server", "--port", port, folder=tmp_path)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "in use" in ended.stderr


def test_large_files_stay_out_of_its_memory(
    tmp_path: Path, clean_client: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "sparse.bin").open("wb") as file:
        file.truncate(SIZE)
        file.seek(SIZE - 3)
        file.write(b"end")
    with serving(tmp_path, "--environ-file", "wandb.env") as (process, output):
        log_in(output, tmp_path, monkeypatch)
        before = peak_memory(process.pid)
        artifact = wandb.Artifact("big", type="model")
        artifact.add_file(str(tmp_path / "sparse.bin"), policy="immutable")
        with wandb.init(id="run1", project="p", dir=str(tmp_path)) as run:
            run.log_artifact(artifact).wait()
        path = wandb.Api().artifact("p/big:v0").get_entry("sparse.bin").download(str(tmp_path / "copy"))
        with Path(path).open("rb") as file:
            file.seek(SIZE - 5)
            assert (file.read(), file.tell()) == (b"\0\0end", SIZE)
        assert peak_memory(process.pid) - before < SIZE / 2
    wandb.teardown()


def peak_memory(process: int) -> int:
    """Return the most bytes of memory that a process has ever had."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
