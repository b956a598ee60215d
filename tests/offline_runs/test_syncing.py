"""Kept and local offline runs reach the server: whole, once, with their outcome, or with the reason why not."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import flyte.storage
import pytest

from flyte_wandb import SettingError, SyncOutcome, sync_wandb_runs, sync_wandb_runs_async
from flyte_wandb.testing import RunRecord, WandbServer, run_container
from flyte_wandb.wandb_client._log_file import can_append
from tests.cli.running import run
from tests.container import tasks
from tests.keys import UNKNOWN_KEY
from tests.offline import read
from tests.offline_runs import edges
from tests.offline_runs.conftest import SETTINGS, mark_kept

Write = Callable[..., Path]
APPENDS = pytest.mark.skipif(not can_append(), reason="this version of wandb cannot append to a run")
NOT_COMPARED = {"url", "files", "file_sizes", "program"}
"""Each server has an address of its own, W&B's files have times, and `wandb sync` calls itself the program."""

ROWS = [{"x": number} for number in range(7)]


def sync_command(*arguments: object, folder: Path, server: WandbServer) -> subprocess.CompletedProcess[str]:
    return run("sync", *map(str, arguments), folder=folder, environ=server.environ)


def logged_steps(record: RunRecord) -> list[tuple[int, int]]:
    return [(row["_step"], row["x"]) for row in record.history]


def statuses(outcomes: tuple[SyncOutcome, ...]) -> list[tuple[str | None, str]]:
    return [(outcome.run_id, outcome.status) for outcome in outcomes]


def test_kept_runs_arrive_as_if_they_had_been_online_and_only_once(
    storage: Path, server: WandbServer, tmp_path: Path
) -> None:
    one = sync_command(storage, "--run", "good", folder=tmp_path, server=server)
    page = server.run("good-a0").url
    assert one.stdout.splitlines() == [f"good-a0: 3 rows -> {page}", "1 uploaded"], one.stderr
    rest = sync_command(storage, "--at-once", 2, folder=tmp_path, server=server)
    assert rest.returncode == 0, rest.stdout
    assert rest.stdout.splitlines()[-1] == "3 uploaded, 1 there already"
    asked = server.requests["*"]
    again = sync_command(storage, folder=tmp_path, server=server)
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "4 there already")
    assert server.requests["*"] == asked
    assert {record.id: (record.state, record.exit_code) for record in server.runs} == {
        "good-a0": ("finished", 0),
        "bad-a0": ("failed", 3),
        "two-a0-rank-0": ("finished", 0),
        "two-a0-rank-1": ("finished", 0),
    }
    assert {record.id for record in server.groups["two-a0"]} == {"two-a0-rank-0", "two-a0-rank-1"}
    assert UNKNOWN_KEY not in one.stdout + one.stderr + rest.stdout + rest.stderr
    assert server.environ["WANDB_API_KEY"] not in one.stdout + one.stderr + rest.stdout + rest.stderr
    with WandbServer(teams=["team"]) as online:
        options: dict[str, Any] = {"inputs": {"x": 3}, "context": SETTINGS, "run_name": "good"}
        run_container(tasks.leaf, folder=tmp_path, environ=online.environ, **options)
        live, synced = online.run("good-a0"), server.run("good-a0")
    compared = asdict(live).keys() - NOT_COMPARED
    assert {name: getattr(synced, name) for name in compared} == {name: getattr(live, name) for name in compared}
    assert synced.files.keys() == live.files.keys()
    assert "printed by the task" in synced.console


def test_without_a_server_every_run_says_why_and_later_all_arrive(
    storage: Path, tmp_path: Path, clean_client: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with WandbServer() as gone:
        pass
    failed = sync_command(storage, folder=tmp_path, server=gone)
    assert failed.returncode == 1
    assert failed.stdout.splitlines()[-1] == "4 failed"
    assert failed.stdout.count(f"{gone.url} does not answer as a W&B server: ") == 4
    with WandbServer(teams=["team"]) as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        (keyless,) = sync_wandb_runs(storage, run="good")
        assert str(keyless.reason).startswith(f"there is no API key for {server.url}; run `wandb login")
        monkeypatch.setenv("WANDB_API_KEY", UNKNOWN_KEY)
        (refused,) = sync_wandb_runs(storage, run="good")
        assert refused.reason == f"{server.url} does not know the key in WANDB_API_KEY"
        monkeypatch.setenv("WANDB_API_KEY", server.environ["WANDB_API_KEY"])
        (outcome,) = sync_wandb_runs(storage, run="good")
        assert (outcome.status, outcome.rows) == ("synced", 3), outcome.reason


def test_a_dry_run_lists_what_would_be_uploaded_and_asks_no_server(
    storage: Path, server: WandbServer, tmp_path: Path
) -> None:
    result = sync_command(storage, "--dry-run", folder=tmp_path, server=server)
    assert result.returncode == 0
    (bad,) = storage.glob("**/offline-run-*-bad-a0")
    assert f"bad-a0: would be uploaded to team/vision from {bad}" in result.stdout.splitlines()
    assert result.stdout.splitlines()[-1] == "4 to upload"
    assert server.requests["*"] == 0


CUTS = {"in-header": 3, "no-records": 7, "in-run": 60, "in-rows": 0.5, "in-exit": -5}


@pytest.mark.usefixtures("online")
def test_a_torn_log_arrives_up_to_its_tear_and_its_run_has_failed(
    server: WandbServer, offline_run: Write, tmp_path: Path
) -> None:
    wanted: dict[str, int] = {}
    for name, cut in CUTS.items():
        log = offline_run(name, rows=200) / f"run-{name}.wandb"
        content = log.read_bytes()
        log.write_bytes(content[: int(cut * len(content)) if isinstance(cut, float) else cut])
        wanted[name] = len(read(log).history) if cut not in (3, 7, 60) else -1
    outcomes = sync_wandb_runs(tmp_path / "wandb")
    assert {outcome.status for outcome in outcomes if outcome.run_id is None} == {"failed"}
    headless = [outcome.reason for outcome in outcomes if outcome.run_id is None]
    assert headless == ["its log ends before it names the run, so there is nothing to upload"] * 3
    arrived = {outcome.run_id: (outcome.status, outcome.torn, outcome.rows) for outcome in outcomes if outcome.run_id}
    assert 0 < wanted["in-rows"] < wanted["in-exit"] == 200
    assert arrived == {name: ("synced", True, wanted[name]) for name in ("in-rows", "in-exit")}
    assert [(record.state, len(record.history)) for record in server.runs] == [
        ("failed", wanted[record.id]) for record in server.runs
    ]
    asked = server.requests["*"]
    assert ("in-rows", "skipped") in statuses(sync_wandb_runs(tmp_path / "wandb"))
    assert server.requests["*"] == asked


@APPENDS
@pytest.mark.usefixtures("online")
def test_the_attempts_of_a_run_follow_each_other(server: WandbServer, offline_run: Write, tmp_path: Path) -> None:
    offline_run(rows=2, second=1, exit_code=1)
    offline_run(rows=2, first=10, second=2)
    assert statuses(sync_wandb_runs(tmp_path / "wandb")) == [("r1", "synced")] * 2
    assert logged_steps(server.run("r1")) == [(0, 0), (1, 1), (2, 10), (3, 11)]
    offline_run(rows=1, first=20, second=3, exit_code=3)
    assert statuses(sync_wandb_runs(tmp_path / "wandb")) == [("r1", "skipped")] * 2 + [("r1", "synced")]
    assert logged_steps(server.run("r1"))[-1] == (4, 20)
    assert (server.run("r1").state, server.run("r1").exit_code) == ("failed", 3)
    assert len(list(tmp_path.glob("wandb/*/*.wandb.synced"))) == 3


@APPENDS
@pytest.mark.usefixtures("online")
def test_an_attempt_of_a_task_goes_on_also_where_its_log_does_not_say_so(
    server: WandbServer, offline_run: Write, tmp_path: Path
) -> None:
    server.put_run("r1", project="p", history=ROWS[:2])
    mark_kept(offline_run(rows=1, second=1, first=10, resume=None))
    assert statuses(sync_wandb_runs(tmp_path / "wandb")) == [("r1", "synced")]
    assert logged_steps(server.run("r1")) == [(0, 0), (1, 1), (2, 10)]


@pytest.mark.skipif(can_append(), reason="this version of wandb appends to a run")
@pytest.mark.usefixtures("online")
def test_an_old_wandb_does_not_write_one_attempt_over_another(
    server: WandbServer, offline_run: Write, tmp_path: Path
) -> None:
    server.put_run("r1", project="p", history=ROWS[:2])
    (outcome,) = sync_wandb_runs(offline_run())
    assert "its run has rows of another attempt" in str(outcome.reason)
    assert len(server.run("r1").history) == 2


@pytest.mark.usefixtures("online")
def test_an_upload_that_was_cut_off_is_done_again_and_no_row_is_there_twice(
    server: WandbServer, offline_run: Write
) -> None:
    folder = offline_run()
    server.fault("file_stream", status=400, times=1)
    (failed,) = sync_wandb_runs(folder)
    assert failed.status == "failed"
    assert failed.reason is not None
    assert "while uploading data" in failed.reason
    server.heal()
    (outcome,) = sync_wandb_runs(folder)
    assert (outcome.status, outcome.rows) == ("synced", 5), outcome.reason
    assert logged_steps(server.run("r1")) == [(step, step) for step in range(5)]


def note(folder: Path, before: int) -> None:
    (folder / "flyte-wandb-sync.json").write_text(json.dumps({"synced": False, "before": before}))


@pytest.mark.parametrize(
    ("before", "there", "status", "after"),
    [
        (0, 2, "synced", 5),
        (0, 5, "synced", 5),
        pytest.param(2, 2, "synced", 7, marks=APPENDS),
        (2, 7, "synced", 7),
        (2, 4, "failed", 4),
    ],
    ids=["part-of-it", "all-of-it", "nothing", "all-after-others", "part-after-others"],
)
@pytest.mark.usefixtures("online")
def test_what_an_upload_that_was_cut_off_has_sent_counts(
    before: int, there: int, status: str, after: int, server: WandbServer, offline_run: Write
) -> None:
    server.put_run("r1", project="p", history=ROWS[:there])
    folder = offline_run()
    note(folder, before)
    (outcome,) = sync_wandb_runs(folder)
    assert (outcome.status, len(server.run("r1").history)) == (status, after), outcome.reason
    assert (server.requests["UpsertBucket"] > 0) is (there in (before, before + 2) and status == "synced")


@pytest.mark.usefixtures("online")
def test_a_file_of_the_user_that_is_named_like_a_log_is_a_file(server: WandbServer, offline_run: Write) -> None:
    folder = mark_kept(offline_run())
    (folder / "files" / "model.wandb").write_bytes(b"weights")
    system = flyte.storage.get_underlying_filesystem(path="memory://raw")  # which lists `files/` before the log
    system.put(str(folder), f"/named-like-a-log/{folder.name}", recursive=True)
    assert statuses(sync_wandb_runs("memory://named-like-a-log")) == [("r1", "synced")]
    assert logged_steps(server.run("r1")) == [(step, step) for step in range(5)]


@pytest.mark.usefixtures("online")
def test_a_run_that_w_and_b_itself_has_uploaded_is_left_alone(server: WandbServer, offline_run: Write) -> None:
    folder = offline_run()
    (folder / "run-r1.wandb.synced").touch()
    assert statuses(sync_wandb_runs(folder)) == [("r1", "skipped")]
    assert server.requests["*"] == 0


@pytest.mark.usefixtures("online")
def test_project_entity_and_host_go_over_those_of_the_run_and_nothing_else_does(
    server: WandbServer, offline_run: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = mark_kept(offline_run(), host="https://elsewhere.example.com")
    for name, value in {"MODE": "offline", "RUN_ID": "r9", "RUN_GROUP": "g9", "TAGS": "t9"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    (outcome,) = sync_wandb_runs(folder, project="other", entity="them", host=server.url)
    assert (outcome.status, outcome.url) == ("synced", f"{server.url}/them/other/runs/r1"), outcome.reason
    assert (server.run("r1").group, server.run("r1").tags) == (None, ())


@pytest.mark.usefixtures("online")
def test_a_storage_elsewhere_is_read_and_marked(server: WandbServer, offline_run: Write) -> None:
    folder = mark_kept(offline_run(), flyte_run="f1")
    system = flyte.storage.get_underlying_filesystem(path="memory://raw")
    system.put(str(folder), f"/sync/raw/wandb-offline/f1/a0/{folder.name}", recursive=True)
    assert statuses(sync_wandb_runs("memory://sync/raw", run="f1")) == [("r1", "synced")]
    assert statuses(sync_wandb_runs("memory://sync", run="f1")) == [("r1", "skipped")]
    assert len(server.run("r1").history) == 5
    with pytest.raises(SettingError, match="no offline run of the Flyte run 'f2' in or below 'memory://sync'"):
        sync_wandb_runs("memory://sync", run="f2")


def test_a_folder_without_offline_runs_is_an_error_where_somebody_names_it(clean_client: None, tmp_path: Path) -> None:
    assert sync_wandb_runs() == ()
    with pytest.raises(SettingError, match="there is no offline run in or below '/none'"):
        sync_wandb_runs("/none")
    with pytest.raises(SettingError, match="at_once must be 1 or more, not 0"):
        sync_wandb_runs(tmp_path, at_once=0)


@pytest.mark.usefixtures("online")
def test_what_does_not_come_from_a_task_is_refused_and_nobody_is_told_the_key(
    server: WandbServer, offline_run: Write, tmp_path: Path
) -> None:
    good = mark_kept(offline_run())
    other = mark_kept(Path(shutil.copytree(good, tmp_path / "other")), run_id="r2")
    unreadable = Path(shutil.copytree(good, tmp_path / "unreadable"))
    (unreadable / "offline.json").write_text('{"run_id": 5}')
    with WandbServer() as elsewhere:
        abroad = mark_kept(Path(shutil.copytree(good, tmp_path / "abroad")), host=elsewhere.url)
        outcomes = sync_wandb_runs(other, unreadable, abroad)
        assert elsewhere.requests["*"] == 0
    reasons = [outcome.reason or "" for outcome in outcomes]
    assert "it was saved as the run 'r2', but its log is that of 'r1'" in reasons[0]
    assert "its offline.json cannot be read: offline.json names no run" in reasons[1]
    assert f"it is meant for {elsewhere.url}, but W&B's client is configured for {server.url}" in reasons[2]
    assert [outcome.status for outcome in outcomes] == ["failed"] * 3
    assert server.runs == ()


@pytest.mark.usefixtures("online")
def test_what_wandb_finds_out_about_the_machine_after_the_end_of_a_short_run_is_uploaded(
    server: WandbServer, offline_run: Write
) -> None:
    def machine_last(honest: list[Any]) -> list[Any]:
        machine = edges.pb.Record(environment=edges.pb.EnvironmentRecord(host="gpu-7"))
        return [*(record for record in honest if record.WhichOneof("record_type") != "environment"), machine]

    (outcome,) = sync_wandb_runs(mark_kept(edges.rewrite(offline_run(), machine_last)))
    assert (outcome.status, outcome.left_out) == ("synced", ())
    written = server.run("r1").files
    assert {"config.yaml", "wandb-metadata.json", "wandb-summary.json"} == written.keys()  # its folder had none
    assert json.loads(written["wandb-metadata.json"])["host"] == "gpu-7"


@pytest.mark.parametrize("name", ["../../evil.txt", "a/../../../evil.txt", "back\\slash"])
@pytest.mark.usefixtures("online")
def test_a_name_in_storage_that_leads_elsewhere_is_left_out(name: str, server: WandbServer, offline_run: Write) -> None:
    folder = mark_kept(offline_run())
    place = f"/hostile/{abs(hash(name))}/{folder.name}"
    system: Any = flyte.storage.get_underlying_filesystem(path="memory://raw")
    system.put(str(folder), place, recursive=True)
    system.pipe_file(f"{place}/evil", b"evil")
    system.store[f"{place}/files/{name}"] = system.store.pop(f"{place}/evil")
    (outcome,) = sync_wandb_runs(f"memory:/{place}")
    assert outcome.status == "synced", outcome.reason
    assert outcome.left_out == (f"the file {name!r}: its name is not a plain path",)
    assert b"evil" not in server.run("r1").files.values()


@pytest.mark.usefixtures("online")
def test_an_async_upload_leaves_the_loop_free_and_ends_when_it_is_cancelled(
    server: WandbServer, offline_run: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = offline_run()

    async def cancelled() -> None:
        task = asyncio.create_task(sync_wandb_runs_async(folder))
        await asyncio.to_thread(server.wait_for, lambda server: server.held)
        assert processes_in(tmp_path) != []
        task.cancel()
        await task

    with server.paused(), pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert processes_in(tmp_path) == []
    assert list(tmp_path.glob("wandb-sync-*")) == []
    assert statuses(asyncio.run(sync_wandb_runs_async(folder))) == [("r1", "synced")]
    assert len(server.run("r1").history) == 5


def processes_in(folder: Path) -> list[str]:
    """Commands of the processes that are given a path below a folder."""
    listed = subprocess.run(["ps", "-ww", "-eo", "command"], capture_output=True, text=True, check=True).stdout
    return [command for command in listed.splitlines() if f"{folder}/wandb-sync-" in command]
