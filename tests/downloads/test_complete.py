"""Everything of a run comes home, byte for byte, whatever the server and the process go through."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import wandb

from flyte_wandb import DownloadError, download_wandb_run_dir
from flyte_wandb.results._file_names import assign_local_paths
from flyte_wandb.testing import WandbServer
from tests.downloads.runs import BIG, document, files_here, large_run, read_rows, small_run, whole
from tests.programs import client_environ, running_python

pytestmark = pytest.mark.usefixtures("online")
_DOWNLOAD = "import flyte_wandb; flyte_wandb.download_wandb_run_dir('large', 'run', project='p')"


def counts(server: WandbServer) -> dict[str, int]:
    return {name: count for name, count in server.requests.items() if name.startswith("download:large/")}


def test_a_large_run_is_whole_after_a_kill_under_faults(server: WandbServer, tmp_path: Path) -> None:
    record, folder, of_big = large_run(server), tmp_path / "run", f"download:large/{BIG}"
    names = {path: name for name, path in assign_local_paths(record.files).items()}
    server.fault(of_big, drop=True, times=None)
    server.fault("download", status=429, retry_after=1, times=2)
    server.fault("download", drop=True, times=2)
    with running_python("-c", _DOWNLOAD, folder=tmp_path, environ=client_environ()) as (process, _):
        server.wait_for(lambda server: server.requests["download"] > 60 and server.requests[of_big] > 1)
        process.send_signal(signal.SIGKILL)
    asked, staging = counts(server), folder / ".flyte-wandb-download" / "staging"
    assert list(staging.iterdir()) != []
    half = {names[path]: content for path, content in files_here(folder).items()}
    assert half.items() <= record.files.items()
    assert 30 < len(half) < len(record.files)
    assert not (folder / "run.json").exists()

    server.heal()
    server.fault("download", status=503, times=3)
    server.fault(of_big, drop=True)
    server.fault("HistoryPage", status=429, times=1)
    server.fault("RunFiles", status=503, times=1)
    assert download_wandb_run_dir("large", folder, project="p") == str(folder)
    assert whole(folder, record)
    assert document(folder, "run.json")["history_rows"] == 5000
    assert list(staging.iterdir()) == []
    again = {name for name, count in counts(server).items() if count != asked.get(name, 0)}
    assert again & {f"download:large/{name}" for name in half} == set()
    assert of_big in again

    asked = dict(server.requests)
    download_wandb_run_dir("large", folder, project="p")
    assert counts(server).items() <= asked.items()
    assert server.requests["HistoryPage"] == asked["HistoryPage"]
    assert whole(folder, record)


def test_a_file_that_changed_on_the_server_is_fetched_again_and_no_other(server: WandbServer, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    small_run(server, files={"a.txt": b"one", "b.txt": b"b"}, state="running")
    download_wandb_run_dir("r1", folder, project="p")
    Path("a.txt").write_bytes(b"two")
    wandb.Api().run("local/p/r1").upload_file("a.txt")
    download_wandb_run_dir("r1", folder, project="p")
    assert files_here(folder) == {"a.txt": b"two", "b.txt": b"b"}
    assert (server.requests["download:r1/a.txt"], server.requests["download:r1/b.txt"]) == (2, 1)


def test_a_file_whose_journal_was_lost_is_known_by_its_hash(server: WandbServer, tmp_path: Path) -> None:
    small_run(server, files={"a.txt": b"one", "b.txt": b"two"})
    download_wandb_run_dir("r1", tmp_path, project="p")
    (tmp_path / ".flyte-wandb-download" / "journal.jsonl").unlink()
    (tmp_path / "files" / "b.txt").write_bytes(b"new")
    download_wandb_run_dir("r1", tmp_path, project="p")
    assert files_here(tmp_path) == {"a.txt": b"one", "b.txt": b"two"}
    assert (server.requests["download:r1/a.txt"], server.requests["download:r1/b.txt"]) == (1, 2)


def test_a_file_that_cannot_be_had_is_named_and_the_others_are_there(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYTE_WANDB_DOWNLOAD_PATIENCE", "1")
    small_run(server, files={"a.txt": b"a", "b.txt": b"b", "c.txt": b"c"})
    server.fault("download:r1/b.txt", status=503, times=None)
    server.fault("download:r1/c.txt", status=403, times=None)
    with pytest.raises(DownloadError) as caught:
        download_wandb_run_dir("r1", tmp_path, project="p")
    said = str(caught.value)
    assert "files/b.txt: the server answered 503" in said
    assert "files/c.txt: the server answered 403" in said
    assert f"{server.url}/local/p/runs/r1" in said
    assert files_here(tmp_path) == {"a.txt": b"a"}
    assert len(read_rows(tmp_path)) == 2
    assert not (tmp_path / "run.json").exists()


def test_a_server_that_wants_more_patience_than_there_is_is_asked_once(server: WandbServer, tmp_path: Path) -> None:
    small_run(server)
    server.fault("download:r1/a.txt", status=429, retry_after=600)
    with pytest.raises(DownloadError, match=r"files/a.txt: the server answered 429"):
        download_wandb_run_dir("r1", tmp_path, project="p")
    assert server.requests["download:r1/a.txt"] == 1


def test_rows_keep_every_key_and_are_strict_json(server: WandbServer, tmp_path: Path) -> None:
    history = [
        {"_step": 0, "loss": float("nan"), "range": [float("inf"), float("-inf")]},
        {"_step": 7_000_000, "layers": {"a.b": {"c": [1, {"d": None}]}}, "large": 2**60 + 1},
    ]
    metrics = [{"_runtime": 15, "system.cpu": 3.5}]
    small_run(server, history=history, system_metrics=metrics, summary={"best": float("nan")})
    download_wandb_run_dir("r1", tmp_path, project="p")
    assert read_rows(tmp_path) == [
        {"_step": 0, "loss": "NaN", "range": ["Infinity", "-Infinity"]},
        {"_step": 7_000_000, "layers": {"a.b": {"c": [1, {"d": None}]}}, "large": 2**60 + 1},
    ]
    assert read_rows(tmp_path, "system_metrics.jsonl") == metrics
    assert document(tmp_path, "summary.json") == {"best": "NaN"}
    assert server.requests["HistoryPage"] == 1


def test_without_history_only_the_rows_are_left_out(server: WandbServer, tmp_path: Path) -> None:
    small_run(server)
    download_wandb_run_dir("r1", tmp_path, include_history=False, project="p")
    assert not (tmp_path / "history.jsonl").exists()
    assert files_here(tmp_path) == {"a.txt": b"a"}
    assert document(tmp_path, "run.json")["history_rows"] is None


def test_a_link_in_the_folder_keeps_its_file_out_and_nothing_else(server: WandbServer, tmp_path: Path) -> None:
    small_run(server, files={"link/a.txt": b"a", "b.txt": b"b"})
    (tmp_path / "run" / "files").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "run" / "files" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(DownloadError, match=r"files/link/a.txt: .* is in the way"):
        download_wandb_run_dir("r1", tmp_path / "run", project="p")
    assert list((tmp_path / "outside").iterdir()) == []
    assert (tmp_path / "run" / "files" / "b.txt").read_bytes() == b"b"


def test_the_temporary_folder_is_the_owners_alone_and_another_each_time(
    server: WandbServer, temporary_folders: Path
) -> None:
    small_run(server)
    folders = {Path(download_wandb_run_dir("r1", project="p")) for _ in range(2)}
    assert len(folders) == 2
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}
    assert {folder.parent for folder in folders} == {temporary_folders}
