"""A log from elsewhere is data: it uploads no file of the machine that reads it, and breaks no other run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flyte.storage
import pytest

from flyte_wandb import SettingError, sync_wandb_runs
from flyte_wandb.results.offline._storage import LeadsOutError, open_storage
from flyte_wandb.testing import WandbServer
from flyte_wandb.wandb_client._logged_artifacts import staging_folder
from tests.cli.running import run
from tests.offline_runs import edges
from tests.offline_runs.conftest import mark_kept

Write = Callable[..., Path]
SECRET = b"the content of a file that is none of the run's"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file outside of every run's folder."""
    (tmp_path / "private").mkdir()
    path = tmp_path / "private" / "secret.txt"
    path.write_bytes(SECRET)
    return path


@pytest.fixture
def edge(online: WandbServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[edges.TakingArtifacts]:
    """A server that takes artifacts, to which the W&B client of this process is set."""
    edge = edges.TakingArtifacts(online)
    monkeypatch.setenv("WANDB_BASE_URL", edge.url)
    with edge.serving():
        yield edge


def test_an_artifact_that_names_a_file_of_the_machine_uploads_nothing_of_it(
    edge: edges.TakingArtifacts, server: WandbServer, offline_run: Write, secret: Path
) -> None:
    folder = mark_kept(edges.rewrite(offline_run(), edges.inserted(edges.artifact(secret))))
    (outcome,) = sync_wandb_runs(folder)
    assert SECRET not in edge.received()
    assert edge.artifacts == []
    assert (outcome.status, outcome.rows, len(server.run("r1").history)) == ("synced", 5, 5), outcome.reason
    assert outcome.left_out == ("the artifact 'stolen': its file 'stolen.txt' is not with the run, or has changed",)


def test_whatever_else_a_log_says_to_the_service_is_left_out_and_told(
    edge: edges.TakingArtifacts, server: WandbServer, offline_run: Write, secret: Path, tmp_path: Path
) -> None:
    other = edges.pb.Record(run=edges.pb.RunRecord(run_id="r9", project="theirs", entity="them"))
    hostile = [
        edges.artifact(secret, "\x1b]8;;http://evil\x07a"),
        edges.logged_artifact(secret),
        edges.tensorboard(secret.parent),
        edges.files(str(secret), f"../../{secret.parent.name}/{secret.name}", "media/../../../private/secret.txt"),
        edges.pb.Record(use_artifact=edges.pb.UseArtifactRecord(name="theirs")),
        edges.pb.Record(),
        other,
    ]
    first = edges.pb.RunRecord(project="theirs", entity="them", storage_id="another-run", run_id="r1")

    def changed(honest: list[Any]) -> list[Any]:
        next(record for record in honest if record.WhichOneof("record_type") == "run").run.MergeFrom(first)
        return [*honest[:-1], *hostile, honest[-1], *hostile[:1], honest[-1]]

    folder = mark_kept(edges.rewrite(offline_run(), changed))
    printed = run("sync", str(folder), folder=tmp_path, environ=server.environ | {"WANDB_BASE_URL": edge.url})
    assert SECRET not in edge.received()
    assert (edge.artifacts, len(server.run("r1").history)) == ([], 5)
    assert {(record.entity, record.project) for record in server.runs} == {("local", "p")}
    line = printed.stdout.splitlines()[0]
    assert line.endswith(
        r"; left out: the artifact '\x1b]8;;http://evil\x07a': W&B does not accept its name, "
        "records of the kind request, "
        f"TensorBoard's folder '{secret.parent}' and 7 more"
    ), printed
    assert printed.returncode == 0


def hostile_artifacts(secret: Path) -> dict[str, Any]:
    """Records of artifacts that name more than what was kept with the run, by why they are left out."""
    records = {
        "the type 'job' is W&B's own": ("type", "job"),
        "the type 'wandb-history' is W&B's own": ("type", "wandb-history"),
        "it is a part of a version, or changes another version": ("base_id", "QXJ0aWZhY3Q6MQ=="),
        "its digest is not that of its files": ("digest", "0" * 32),
    }
    found = {why: edges.artifact(secret, f"a{number}") for number, why in enumerate(records)}
    for why, (name, value) in records.items():
        setattr(found[why].artifact, name, value)
    of_list = edges.artifact(secret, "list")
    of_list.artifact.manifest.manifest_file_path = str(secret)
    found["its list of files is in a separate file, as W&B writes it for more than 100,000 files"] = of_list
    found["the name of its file '../../evil' is not a plain path"] = edges.artifact(secret, "up", "../../evil")
    other = edges.artifact(secret, "other")
    other.artifact.manifest.contents[0].ref = "wandb-artifact://1234/secret.txt"
    found["its file 'stolen.txt' belongs to another artifact"] = other
    return found


def test_an_artifact_is_left_out_that_names_more_than_its_own_kept_files(
    edge: edges.TakingArtifacts, offline_run: Write, secret: Path
) -> None:
    hostile = hostile_artifacts(secret)
    folder = mark_kept(edges.rewrite(offline_run(), edges.inserted(*hostile.values())))
    (folder / "artifacts").mkdir()
    shutil.copy(secret, folder / "artifacts" / hashlib.md5(SECRET).hexdigest())
    (outcome,) = sync_wandb_runs(folder)
    names = [record.artifact.name for record in hostile.values()]
    assert outcome.left_out == tuple(f"the artifact '{name}': {why}" for name, why in zip(names, hostile, strict=True))
    assert (edge.artifacts, SECRET in edge.received(), secret.read_bytes()) == ([], False, SECRET)


@pytest.mark.parametrize("how", ["link", "hard-link", "linked-folder", "other-content"])
def test_a_kept_file_of_an_artifact_that_is_another_ones_is_not_uploaded(
    how: str, edge: edges.TakingArtifacts, offline_run: Write, secret: Path
) -> None:
    folder = mark_kept(edges.rewrite(offline_run(), edges.inserted(edges.artifact(secret))))
    stolen = folder / "artifacts" / hashlib.md5(SECRET).hexdigest()
    if how == "linked-folder":
        secret.rename(secret.with_name(stolen.name)).parent.rename(folder.parent / "elsewhere")
        (folder / "artifacts").symlink_to(folder.parent / "elsewhere")
    else:
        (folder / "artifacts").mkdir()
    if how == "link":
        stolen.symlink_to(secret)
    elif how == "hard-link":
        stolen.hardlink_to(secret)
    elif how == "other-content":
        stolen.write_bytes(b"other")
    (outcome,) = sync_wandb_runs(folder)
    assert SECRET not in edge.received()
    assert outcome.left_out == ("the artifact 'stolen': its file 'stolen.txt' is not with the run, or has changed",)


def test_a_log_that_a_task_has_kept_takes_nothing_from_w_and_bs_staging_folder(
    edge: edges.TakingArtifacts, offline_run: Write
) -> None:
    staged = staging_folder() / "tmpabcd"
    staged.parent.mkdir(parents=True)
    staged.write_bytes(SECRET)
    (outcome,) = sync_wandb_runs(mark_kept(edges.rewrite(offline_run(), edges.inserted(edges.artifact(staged)))))
    assert (SECRET in edge.received(), edge.artifacts, len(outcome.left_out)) == (False, [], 1)


def test_a_log_in_the_users_own_folder_takes_files_from_w_and_bs_staging_folder_alone(
    edge: edges.TakingArtifacts, offline_run: Write, secret: Path
) -> None:
    staging = staging_folder()
    staging.mkdir(parents=True)
    (staging / "link").symlink_to(secret)
    (staging / "linked").symlink_to(secret.parent)
    (staging / "changed").write_bytes(SECRET)
    around = f"{staging}/../{os.path.relpath(secret, staging.parent)}"
    paths = [
        str(secret),
        around,
        f"{staging}/link",
        f"{staging}/linked/secret.txt",
        f"{staging}/..",
        f"{staging}/changed",
    ]
    records = [edges.artifact(secret, f"a{number}") for number in range(len(paths))]
    for record, path in zip(records, paths, strict=True):
        record.artifact.manifest.contents[0].local_path = path
    (staging / "changed").write_bytes(b"other")
    (outcome,) = sync_wandb_runs(edges.rewrite(offline_run(), edges.inserted(*records)))
    assert SECRET not in edge.received()
    assert (outcome.status, len(outcome.left_out), edge.artifacts) == ("synced", len(paths), [])


@pytest.mark.parametrize("how", ["link", "hard-link", "linked-folder"])
@pytest.mark.parametrize("who", ["kept", "own"])
def test_a_file_that_is_kept_elsewhere_is_left_out_and_told(
    how: str, who: str, edge: edges.TakingArtifacts, offline_run: Write, secret: Path
) -> None:
    folder = edges.rewrite(offline_run(), edges.inserted(edges.files("secret.txt", "below/secret.txt")))
    stolen = folder / "files" / "secret.txt"
    if how == "link":
        stolen.symlink_to(secret)
    elif how == "hard-link":
        stolen.hardlink_to(secret)
    else:
        (folder / "files" / "below").symlink_to(secret.parent)
    (outcome,) = sync_wandb_runs(mark_kept(folder) if who == "kept" else folder)
    assert SECRET not in edge.received()
    assert outcome.status == "synced", outcome.reason
    missing = "the file 'below/secret.txt', which is not in its folder"
    reasons = {
        "link": ("the file 'secret.txt': it, or a folder on the way to it, is a link",),
        "hard-link": ("the file 'secret.txt': it has a second name elsewhere (a hard link)",),
        "linked-folder": (),
    }
    assert outcome.left_out == (*reasons[how], "the file 'secret.txt', which is not in its folder", missing)


def test_a_log_a_manifest_or_a_note_that_is_kept_elsewhere_is_neither_read_nor_written(
    edge: edges.TakingArtifacts, offline_run: Write, secret: Path, tmp_path: Path
) -> None:
    good = offline_run()
    linked = {name: Path(shutil.copytree(good, tmp_path / name)) for name in ("log", "manifest", "note")}
    (linked["log"] / "run-r1.wandb").unlink()
    (linked["log"] / "run-r1.wandb").symlink_to(good / "run-r1.wandb")
    (linked["manifest"] / "offline.json").symlink_to(secret)
    (linked["note"] / "flyte-wandb-sync.json").symlink_to(secret)
    for name in ("log", "note"):
        mark_kept(linked[name])
    outcomes = sync_wandb_runs(*linked.values())
    assert [(outcome.status, outcome.reason) for outcome in outcomes] == [
        ("failed", "it, or a folder on the way to it, is a link")
    ] * 3
    assert secret.read_bytes() == SECRET
    assert len(edge.bodies) == len([body for body in edge.bodies if b"UpsertBucket" not in body])


def test_a_name_that_changes_between_check_and_use_leads_nowhere(secret: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "files" / "below").mkdir(parents=True)
    for name in ("files/a.txt", "files/below/secret.txt", "files/pipe"):
        (folder / name).write_bytes(b"mine")
    home = open_storage(str(tmp_path)).below("run")
    assert set(home.sizes()) == {"files/a.txt", "files/below/secret.txt", "files/pipe"}
    (folder / "files" / "a.txt").unlink()
    (folder / "files" / "a.txt").symlink_to(secret)
    shutil.rmtree(folder / "files" / "below")
    (folder / "files" / "below").symlink_to(secret.parent)
    (folder / "files" / "pipe").unlink()
    os.mkfifo(folder / "files" / "pipe")
    for name in ("files/a.txt", "files/below/secret.txt", "files/pipe"):
        with pytest.raises(LeadsOutError):
            home.fetch(name, tmp_path / "copy")
        with pytest.raises(LeadsOutError):
            home.write(name, b"overwritten")
    folder.rename(tmp_path / "away")
    (tmp_path / "run").symlink_to(secret.parent)
    with pytest.raises(LeadsOutError):
        home.read("secret.txt", 100)
    assert secret.read_bytes() == SECRET


def test_a_name_that_goes_on_changing_never_gives_what_is_elsewhere(secret: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "mine").write_bytes(b"mine")
    (folder / "link").symlink_to(secret)
    ended = threading.Event()

    def change() -> None:
        while not ended.is_set():
            for name in ("mine", "link"):
                os.replace(folder / name, folder / "file")
                if name == "mine":
                    (folder / "mine").write_bytes(b"mine")
                else:
                    (folder / "link").symlink_to(secret)

    thread = threading.Thread(target=change)
    (folder / "file").write_bytes(b"mine")
    thread.start()
    seen = set()
    try:
        for _ in range(2000):
            try:
                open_storage(str(folder)).fetch("file", tmp_path / "copy")
                seen.add((tmp_path / "copy").read_bytes())
            except LeadsOutError:
                seen.add(b"refused")
    finally:
        ended.set()
        thread.join()
    assert seen == {b"mine", b"refused"}


BROKEN = {
    "deep-manifest": {"offline.json": "[" * 100_000},
    "nul-in-project": {"offline.json": json.dumps({"run_id": "r1", "project": "p\0"})},
    "surrogate-in-id": {"offline.json": '{"run_id": "\\ud800"}'},
    "number-for-host": {"offline.json": json.dumps({"run_id": "r1", "host": 5})},
    "host-of-nobody": {"offline.json": json.dumps({"run_id": "r1", "host": "file:///etc/passwd"})},
    "long-id": {"offline.json": json.dumps({"run_id": "r" * 1_000_000})},
    "no-text": {"offline.json": "\udcff\udcfe"},
    "long-number": {"offline.json": '{"run_id": "r1", "exit_code": ' + "9" * 5000 + "}"},
    "deep-note": {"flyte-wandb-sync.json": "[" * 100_000},
    "endless-note": {"flyte-wandb-sync.json": '{"synced": false, "before": 1e999}'},
    "negative-note": {"flyte-wandb-sync.json": '{"synced": false, "before": -5}'},
    "text-in-note": {"flyte-wandb-sync.json": '{"synced": false, "before": "7"}'},
    "list-for-note": {"flyte-wandb-sync.json": "[1]"},
    "log-of-nothing": {"run-r1.wandb": "\0" * 4096},
}


def test_a_broken_manifest_or_note_is_the_outcome_of_its_run_and_stops_no_other(
    server: WandbServer, offline_run: Write, tmp_path: Path
) -> None:
    good = mark_kept(offline_run())
    for name, files in BROKEN.items():
        folder = mark_kept(Path(shutil.copytree(good, tmp_path / "raw" / name)))
        for file, content in files.items():
            (folder / file).write_bytes(content.encode("utf-8", "surrogateescape"))
    mark_kept(Path(shutil.copytree(good, tmp_path / "raw" / "nasty\x1b[2J\udcff")), run_id="")
    good.rename(tmp_path / "raw" / "zz-good")
    result = run("sync", str(tmp_path / "raw"), folder=tmp_path, environ=server.environ)
    *lines, total = result.stdout.splitlines()
    assert result.returncode == 1, result
    assert total == f"1 uploaded, {len(BROKEN) + 1} failed"
    assert len(server.run("r1").history) == 5
    assert len(lines) == len(BROKEN) + 2
    assert "\x1b" not in result.stdout
    assert len([line for line in lines if "its offline.json cannot be read: " in line]) == 9
    assert len([line for line in lines if "its flyte-wandb-sync.json cannot be read; remove it" in line]) == 5


@pytest.mark.usefixtures("online")
def test_who_writes_a_storage_does_not_choose_where_its_runs_go(server: WandbServer, offline_run: Write) -> None:
    server.put_run("r0", entity="victims", project="production")
    folder = mark_kept(offline_run(), entity="victims", project="production")
    system: Any = flyte.storage.get_underlying_filesystem(path="memory://raw")
    system.put(str(folder), f"/theirs/{folder.name}", recursive=True)
    (seen,) = sync_wandb_runs("memory://theirs", dry_run=True)
    assert (seen.status, seen.target) == ("found", "victims/production")
    (refused,) = sync_wandb_runs("memory://theirs")
    assert refused.reason == (
        "it asks to go to victims/production, which does not belong to local; set project= and entity= "
        "(--project, --entity), or allow it with allow= (--allow victims/production)"
    )
    (forbidden,) = sync_wandb_runs("memory://theirs", allow=["local/*", "victims/prod"])
    assert "it asks to go to victims/production, which is not allowed" in str(forbidden.reason)
    (unwanted,) = sync_wandb_runs(folder, allow=["local/*"])
    assert (unwanted.status, [record.id for record in server.runs]) == ("failed", ["r0"])
    (named,) = sync_wandb_runs("memory://theirs", entity="local", project="mine")
    assert (named.status, named.target) == ("synced", "local/mine")
    (own,) = sync_wandb_runs(folder)
    assert (own.status, own.target) == ("synced", "victims/production")
    assert {(record.entity, record.project) for record in server.runs} == {("local", "mine"), ("victims", "production")}


@pytest.mark.usefixtures("online")
def test_an_allowed_project_needs_no_other_word(server: WandbServer, offline_run: Write) -> None:
    server.put_run("r0", entity="victims", project="production")
    folder = mark_kept(offline_run(), entity="victims", project="production")
    folder.joinpath("run-r1.wandb").chmod(0o666)  # now anybody on this machine may have written it
    assert [outcome.status for outcome in sync_wandb_runs(folder)] == ["failed"]
    (outcome,) = sync_wandb_runs(folder, allow=["victims/prod*"])
    assert (outcome.status, outcome.target) == ("synced", "victims/production"), outcome.reason
    assert {(record.id, record.entity) for record in server.runs} == {("r0", "victims"), ("r1", "victims")}


@pytest.mark.usefixtures("online")
def test_rows_that_a_manifest_says_were_delivered_and_were_not_are_sent(
    server: WandbServer, offline_run: Write
) -> None:
    server.put_run("r1", project="p", history=[{"y": 1}, {"y": 2}])
    folder = mark_kept(offline_run(), delivered=[[0, 1], [2, 10**18]])
    (outcome,) = sync_wandb_runs(folder)
    assert (outcome.status, outcome.rows) == ("synced", 5), outcome.reason
    assert server.run("r1").logged("x") == [0, 1, 2, 3, 4]
    assert [record.id for record in server.runs] == ["r1"]


@pytest.mark.usefixtures("online")
def test_a_server_that_takes_nothing_holds_no_upload_for_ever(
    server: WandbServer, offline_run: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = mark_kept(offline_run())
    with monkeypatch.context() as patch, server.paused():
        patch.setattr("flyte_wandb.results.offline._upload._UPLOAD_SECONDS", 1.0)
        (outcome,) = sync_wandb_runs(folder)
    assert outcome.reason == "`wandb sync` did not end within 1 s, and was stopped"
    (outcome,) = sync_wandb_runs(folder)
    assert (outcome.status, len(server.run("r1").history)) == ("synced", 5), outcome.reason


@pytest.mark.usefixtures("online")
def test_a_log_that_is_mostly_a_hole_does_not_fill_the_disk(offline_run: Write) -> None:
    folder = mark_kept(offline_run())
    os.truncate(folder / "run-r1.wandb", 1 << 42)
    (outcome,) = sync_wandb_runs(folder)
    assert str(outcome.reason).startswith("it has 4,398,046,511,104 bytes, and there is room for ")


@pytest.mark.parametrize("kind", ["none", "pipe", "folder"])
def test_a_kept_run_without_a_log_has_an_outcome(kind: str, offline_run: Write, tmp_path: Path) -> None:
    folder = mark_kept(offline_run())
    (log,) = folder.glob("*.wandb")
    log.unlink()
    if kind == "pipe":
        os.mkfifo(log)
    elif kind == "folder":
        log.mkdir()
    (tmp_path / "site").mkdir()
    mark_kept(tmp_path / "site")  # a file of that name is no run by itself
    (outcome,) = sync_wandb_runs(tmp_path)
    assert (outcome.status, outcome.place) == ("failed", str(folder))
    assert outcome.reason == "its folder has no log, or the log is not a plain file"


@pytest.mark.parametrize("place", ["~nobody-of-this-name/x", "s3://", "nosuch://x"])
def test_a_place_that_cannot_be_read_is_named(place: str) -> None:
    with pytest.raises(SettingError, match=f"'{place}' cannot be searched for offline runs: "):
        sync_wandb_runs(place, dry_run=True)


@pytest.mark.parametrize("address", ["{folder}", "memory://many"])
def test_a_place_with_very_many_files_is_not_searched(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system: Any = flyte.storage.get_underlying_filesystem(path="memory://many")
    for number in range(5):
        (tmp_path / str(number)).write_bytes(b"")
        system.pipe_file(f"/many/{number}", b"")
    monkeypatch.setattr("flyte_wandb.results.offline._storage._MOST_FILES", 4)
    with pytest.raises(SettingError, match=r"there are more than 4 files below it; name a folder further down"):
        sync_wandb_runs(address.format(folder=tmp_path), dry_run=True)
