"""Artifacts come home: whole, each content once, within the bound, and nothing that a name or a reference leads to."""

from __future__ import annotations

import asyncio
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flyte_wandb import DownloadError, download_wandb_run_dir, download_wandb_run_logs
from flyte_wandb.testing import WandbServer
from flyte_wandb.testing.state._files import File
from tests.cli.running import run
from tests.downloads.artifacts import artifact_files, delete_artifact, digest, logged, put_artifact, use_artifact
from tests.downloads.runs import document, files_here, small_run
from tests.programs import client_environ, running_python

pytestmark = pytest.mark.usefixtures("online")
_DOWNLOAD = "import flyte_wandb; flyte_wandb.download_wandb_run_dir('r1', 'run', project='p')"
MIB = 1 << 20
DRAW = random.Random(1)
LARGE, SHARED = DRAW.randbytes(20 * MIB), DRAW.randbytes(MIB)
MANY = {f"part/{number % 10}/{number}.txt": b"%d" % number for number in range(1000)}


def counts(server: WandbServer) -> dict[str, int]:
    return {name: count for name, count in server.requests.items() if name.startswith("artifact_download:")}


def test_all_is_here_after_a_kill_under_faults_and_no_content_came_twice(server: WandbServer, tmp_path: Path) -> None:
    small_run(server, files={"media/table.json": b"table"})
    put_artifact(server, "model", {"large.bin": LARGE, "shared.bin": SHARED, "empty": b""}, aliases=("best",))
    put_artifact(server, "model", {"shared.bin": SHARED, "new.bin": b"new"}, metadata={"loss": 0.5})
    put_artifact(server, "many", MANY, kind="dataset")
    put_artifact(server, "run-r1-table", {"table.json": b"table"}, kind="run_table")
    put_artifact(server, "run-r1-history", {"0.parquet": b"rows"}, kind="wandb-history")
    folder, of_large = tmp_path / "run", "artifact_download:large.bin"
    server.fault(of_large, drop=True, times=None)
    server.fault("artifact_download", status=503, times=5)
    server.fault("artifact_download", drop=True, times=2)
    with running_python("-c", _DOWNLOAD, folder=tmp_path, environ=client_environ()) as (process, _):
        server.wait_for(lambda server: server.requests["artifact_download"] > 300 and server.requests[of_large] > 1)
        process.send_signal(signal.SIGKILL)
    half, asked = artifact_files(folder), counts(server)
    assert len(half) > 100
    assert "model/v0/large.bin" not in half
    assert not (folder / "run.json").exists()

    server.heal()
    server.fault("artifact_download", status=429, retry_after=0, times=3)
    server.fault("RunOutputArtifacts", status=503, times=1)
    server.fault("FetchArtifactManifest", status=503, times=1)
    server.fault("ArtifactMembershipFiles", status=503, times=1)
    assert download_wandb_run_dir("r1", folder, project="p") == str(folder)
    wanted = {"model/v0/large.bin": LARGE, "model/v0/shared.bin": SHARED, "model/v0/empty": b""}
    wanted |= {"model/v1/shared.bin": SHARED, "model/v1/new.bin": b"new", "run-r1-table/v0/table.json": b"table"}
    wanted |= {f"many/v0/{name}": content for name, content in MANY.items()}
    assert artifact_files(folder) == wanted
    assert files_here(folder) == {"media/table.json": b"table"}
    once = [name for name in MANY if counts(server)[f"artifact_download:{name}"] == 1]
    assert len(once) > 950
    here = [name for name in MANY if f"many/v0/{name}" in half]
    assert all(counts(server)[f"artifact_download:{name}"] == asked[f"artifact_download:{name}"] for name in here)
    of_table = server.requests["download:r1/media/table.json"] + server.requests["artifact_download:table.json"]
    assert (server.requests["artifact_download:shared.bin"], of_table) == (1, 1)
    told = logged(folder)
    assert (told["model:v0"]["aliases"], told["model:v1"]["metadata"]) == (["best"], {"loss": 0.5})
    assert {name: one["folder"] for name, one in told.items()} == {
        "model:v0": "artifacts/model/v0",
        "model:v1": "artifacts/model/v1",
        "many:v0": "artifacts/many/v0",
        "run-r1-table:v0": "artifacts/run-r1-table/v0",
        "run-r1-history:v0": None,
    }
    assert told["run-r1-history:v0"]["left_out"] == "an internal artifact of W&B"

    asked = dict(server.requests)
    download_wandb_run_dir("r1", folder, project="p")
    assert counts(server).items() - {("artifact_download:", counts(server)["artifact_download:"])} <= asked.items()
    assert not (tmp_path / ".cache" / "wandb" / "artifacts").exists()


def test_references_and_inputs_are_listed_and_never_followed(server: WandbServer, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("mine")
    small_run(server)
    small_run(server, "r0")
    places = {"a": f"file://{tmp_path}/secret.txt", "b": "s3://bucket/b.bin", "c": f"{server.url}/api/secret"}
    put_artifact(server, "elsewhere", {"own.txt": b"own"}, references=places)
    put_artifact(server, "pointers", {}, references=places)
    use_artifact(server, put_artifact(server, "input", {"input.txt": b"input"}, run_id="r0"), "r1")
    folder = Path(download_wandb_run_dir("r1", tmp_path / "run", project="p"))
    assert artifact_files(folder) == {"elsewhere/v0/own.txt": b"own"}
    assert logged(folder)["elsewhere:v0"]["references"] == places
    assert logged(folder)["pointers:v0"]["references"] == places
    assert [one["name"] for one in document(folder, "artifacts.json")["used"]] == ["input"]
    assert server.requests["page"] == 0


HOSTILE = ["../../../evil.txt", "/etc/evil", "C:\\evil.dll", "a/../../evil", "line\nend", "nul.txt", "d", "d/e", ""]


def test_names_stay_in_the_folder_whatever_they_are(server: WandbServer, tmp_path: Path) -> None:
    small_run(server)
    files = {name: b"%d" % number for number, name in enumerate(HOSTILE)}
    put_artifact(server, "../../../../evil", files)
    put_artifact(server, "a/v0", {"v0/x": b"one"})
    put_artifact(server, "a", {"v0/v0/x": b"two"})
    folder = tmp_path / "deep" / "run"
    download_wandb_run_dir("r1", folder, project="p")
    assert [path for path in tmp_path.rglob("*evil*") if not path.is_relative_to(folder)] == []
    assert not Path("/etc/evil").exists()
    told = logged(folder)
    evil = told["../../../../evil:v0"]
    root = folder / evil["folder"]
    assert {name: (root / evil["renamed_files"].get(name, name)).read_bytes() for name in HOSTILE} == files
    assert (folder / told["a:v0"]["folder"] / "v0/v0/x").read_bytes() == b"two"
    assert (folder / told["a/v0:v0"]["folder"] / "v0/x").read_bytes() == b"one"


def test_beyond_the_bound_the_rest_is_named_with_the_command_that_fetches_it(
    server: WandbServer, tmp_path: Path
) -> None:
    small_run(server)
    contents = [DRAW.randbytes(MIB) for _ in range(3)]
    for content in contents:
        put_artifact(server, "model", {"weights.bin": content})
    environ = server.environ | {"FLYTE_WANDB_DOWNLOAD_ARTIFACTS_GIB": "0.002"}
    first = run("download", "local/p/r1", folder=tmp_path, environ=environ)
    command = f"flyte-wandb download {server.url}/local/p/runs/r1 --to {tmp_path}/r1 --artifacts"
    assert (
        "1 of 3 artifacts of the run r1 were not fetched, for they are more than the 0.002 GiB of "
        f"FLYTE_WANDB_DOWNLOAD_ARTIFACTS_GIB: model:v0 (1,048,576 bytes); fetch them with `{command}`"
    ) in " ".join(first.stderr.split())
    assert first.stdout.splitlines()[0] == "r1: 2 rows, 1 file (1 byte), 2 artifacts (2 files, 2,097,152 bytes)"
    newest = {"model/v1/weights.bin": contents[1], "model/v2/weights.bin": contents[2]}
    assert artifact_files(tmp_path / "r1") == newest
    assert logged(tmp_path / "r1")["model:v0"]["left_out"] == "over the limit FLYTE_WANDB_DOWNLOAD_ARTIFACTS_GIB"
    rest = run(*command.split()[1:], folder=tmp_path, environ=environ)
    assert rest.stdout.splitlines()[0].endswith("3 artifacts (3 files, 3,145,728 bytes), 3 of them there already")
    assert artifact_files(tmp_path / "r1") == newest | {"model/v0/weights.bin": contents[0]}
    assert rest.stderr == ""


def test_some_all_or_none(server: WandbServer, tmp_path: Path) -> None:
    small_run(server)
    put_artifact(server, "model", {"a": b"0"}, aliases=("best",))
    put_artifact(server, "model", {"a": b"1"})
    put_artifact(server, "run-r1-history", {"a": b"2"}, kind="wandb-history")
    named = run(
        *("download", "local/p/r1", "--to", "named", "--artifact", "model:best", "--artifact", "run-r1-history"),
        folder=tmp_path,
        environ=server.environ,
    )
    assert named.returncode == 0, named
    assert artifact_files(tmp_path / "named") == {"model/v0/a": b"0", "run-r1-history/v0/a": b"2"}
    assert logged(tmp_path / "named")["model:v1"]["left_out"] == "not named"
    stored = asyncio.run(download_wandb_run_logs("p/r1", include_artifacts=["model:v1"]))
    assert artifact_files(Path(stored.path)) == {"model/v1/a": b"1"}
    before = server.requests["RunOutputArtifacts"]
    download_wandb_run_dir("r1", tmp_path / "none", project="p", include_artifacts=False)
    assert (server.requests["RunOutputArtifacts"], list(tmp_path.glob("none/artifacts*"))) == (before, [])
    with pytest.raises(DownloadError, match=r"has logged no artifact 'modle'; it has logged .*model:v1, model:v0"):
        download_wandb_run_dir("r1", tmp_path / "typo", project="p", include_artifacts="modle")
    both = run("download", "r1", "--no-artifacts", "--artifact", "model", folder=tmp_path, environ=server.environ)
    assert "--artifact NAME goes with neither --artifacts nor --no-artifacts" in both.stderr


@pytest.mark.parametrize("when", ["ArtifactMembershipFiles", "artifact_download:one.bin"])
def test_what_is_deleted_meanwhile_is_left_out_and_what_shares_its_files_is_whole(
    when: str, server: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    small_run(server)
    shared, own = DRAW.randbytes(1000), DRAW.randbytes(1000)
    put_artifact(server, "old", {"shared.bin": shared})
    doomed = put_artifact(server, "doomed", {"one.bin": own, "shared.bin": shared})
    server.fault(when, status=503, times=None)

    def delete() -> None:
        server.wait_for(lambda server: server.requests[when])
        delete_artifact(server, doomed, own)
        server.heal()

    with ThreadPoolExecutor(1) as pool:
        deleted = pool.submit(delete)
        folder = Path(download_wandb_run_dir("r1", tmp_path / "run", project="p"))
        deleted.result()
    assert artifact_files(folder) == {"old/v0/shared.bin": shared}
    told = logged(folder)["doomed:v0"]
    assert (told["folder"], told["left_out"]) == (None, "deleted during the download")
    assert "the artifact doomed:v0 of the run r1 was deleted during the download" in caplog.text


def test_a_content_that_is_gone_under_one_name_comes_from_the_other(server: WandbServer, tmp_path: Path) -> None:
    small_run(server)
    put_artifact(server, "model", {"first.bin": b"same"})
    put_artifact(server, "model", {"second.bin": b"same"})
    server.fault("artifact_download:second.bin", status=404, times=None)
    folder = Path(download_wandb_run_dir("r1", tmp_path / "run", project="p"))
    assert artifact_files(folder) == {"model/v0/first.bin": b"same", "model/v1/second.bin": b"same"}


def test_what_cannot_be_had_is_named_and_the_others_are_there(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYTE_WANDB_DOWNLOAD_PATIENCE", "1")
    small_run(server)
    put_artifact(server, "good", {"good.bin": b"good"})
    put_artifact(server, "bad", {"bad.bin": b"bad", "changed.bin": b"right"})
    put_artifact(server, "broken", {"a": b"a"})
    artifacts = server._store.artifacts
    artifacts.contents[digest(b"right")] = File([b"wrong"])
    broken = next(one for one in artifacts.by_id.values() if one.source.key.name == "broken")
    broken.set_manifest(File([b'{"contents": {"a": {"digest": "d", "extra": 5}}}']))
    server.fault("artifact_download:bad.bin", status=503, times=None)
    with pytest.raises(DownloadError) as caught:
        download_wandb_run_dir("r1", tmp_path / "run", project="p")
    said = str(caught.value)
    assert "the manifest of broken:v0: its manifest cannot be read" in said
    assert "artifacts/bad/v0/bad.bin: the server answered 503" in said
    assert "artifacts/bad/v0/changed.bin: the bytes that arrived do not have the md5" in said
    assert artifact_files(tmp_path / "run") == {"good/v0/good.bin": b"good"}
    assert not (tmp_path / "run" / "run.json").exists()
