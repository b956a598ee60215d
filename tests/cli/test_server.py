"""`flyte-wandb server`: the double in a process of its own."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
import wandb

from tests.checkout import SCRIPTS, process_environ
from tests.cli.running import run


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_ended(
    number: signal.Signals, tmp_path: Path, clean_client: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [str(SCRIPTS / "flyte-wandb"), "server", "--environ-file", "wandb.env", "--entity", "me"]
    environ = process_environ(tmp_path)
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert "listens at http://127.0.0.1:" in first
        assert any(line.startswith("Press Ctrl-C") for line in process.stdout)
        for line in (tmp_path / "wandb.env").read_text().splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            monkeypatch.setenv(name, value)
        with wandb.init(id="run1", project="p") as opened:
            opened.log({"loss": 0.5})
        assert wandb.Api().run("me/p/run1").state == "finished"
        process.send_signal(number)
        rest = process.stdout.read()
    assert (process.returncode, rest) == (0, "Ended. 1 run is forgotten.\n")
    wandb.teardown()


def test_a_port_that_is_in_use_is_one_line(tmp_path: Path) -> None:
    command = [str(SCRIPTS / "flyte-wandb"), "server"]
    environ = process_environ(tmp_path)
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().split("127.0.0.1:")[1].split(".")[0]
        ended = run("server", "--port", port, folder=tmp_path)
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "in use" in ended.stderr
