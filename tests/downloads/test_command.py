"""`flyte-wandb download`, as people call it."""

from __future__ import annotations

from pathlib import Path

from flyte_wandb.testing import WandbServer
from tests.cli.running import run, run_in_terminal
from tests.downloads.runs import small_run, whole
from tests.versions import WANDB_BEFORE_0_30


def own_lines(stderr: str) -> list[str]:
    """Lines that are not W&B's own: before 0.30 its client says where it found the key."""
    return [line for line in stderr.splitlines() if not (WANDB_BEFORE_0_30 and line.startswith("wandb: "))]


def test_a_terminal_shows_a_bar_and_the_next_call_finds_everything_there(server: WandbServer, tmp_path: Path) -> None:
    record = small_run(server)
    address = f"{server.url}/local/p/runs/r1"
    shown = run_in_terminal("download", address, folder=tmp_path, environ=server.environ, stream="stderr")
    assert "run r1" in shown
    assert "1/1 files, 2 rows" in shown
    result = run("download", address, folder=tmp_path, environ=server.environ)
    assert result.stdout.splitlines() == [
        "r1: 2 rows, 1 file (1 byte), 1 of them there already",
        f"run r1 is in {tmp_path}/r1",
    ]
    assert (result.returncode, own_lines(result.stderr)) == (0, [])
    assert whole(tmp_path / "r1", record)
    assert server.requests["download"] == 1


def test_the_runs_of_a_sweep_go_to_folders_of_their_own(server: WandbServer, tmp_path: Path) -> None:
    sweep = server.put_sweep({"method": "grid", "parameters": {"x": {"values": [1]}}}, project="p")
    records = [small_run(server, run_id, sweep=sweep) for run_id in ("r1", "r2")]
    result = run(
        *("download", sweep, "--sweep", "--project", "p", "--no-history"), folder=tmp_path, environ=server.environ
    )
    assert result.stdout.splitlines() == [
        "r1: 1 file (1 byte)",
        "r2: 1 file (1 byte)",
        f"sweep {sweep} is in {tmp_path}/{sweep}",
    ], result.stderr
    assert [(tmp_path / sweep / record.id / "files" / "a.txt").read_bytes() for record in records] == [b"a", b"a"]


def test_an_error_is_one_line_and_exit_code_1(server: WandbServer, tmp_path: Path) -> None:
    result = run("download", "local/p/none", folder=tmp_path, environ=server.environ)
    assert result.returncode == 1
    (line,) = own_lines(result.stderr)
    assert line.startswith("Error: W&B does not know the run local/p/none")
