"""Artifacts, from writing one to reading it, as W&B's client does it."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import wandb

from flyte_wandb.testing import WandbServer
from tests.double.raw import ask


def open_run(run_id: str, **options: Any) -> wandb.Run:
    return wandb.init(id=run_id, project="p", reinit="create_new", **options)


def log(run: wandb.Run, folder: Path, contents: dict[str, str], name: str = "model", **options: Any) -> wandb.Artifact:
    """Log an artifact with files, and wait for its end."""
    about = {key: options.pop(key) for key in ("metadata", "description") if key in options}
    artifact = wandb.Artifact(name, type="model", **about)
    for number, (path, content) in enumerate(contents.items()):
        (folder / f"{number}").write_text(content)
        artifact.add_file(str(folder / f"{number}"), name=path)
    return run.log_artifact(artifact, **options).wait()


def test_an_artifact_is_written_used_and_read(server: WandbServer, tmp_path: Path) -> None:
    with open_run("trainer") as run:
        logged = log(
            run,
            tmp_path,
            {"weights.bin": "w", "sub dir/größe.txt": "g"},
            aliases=["best"],
            metadata={"loss": 0.5},
            description="why",
            tags=["t"],
        )
        assert (logged.name, logged.version, logged.aliases) == ("model:v0", "v0", ["latest", "best"])
    record = server.artifact("model:best", "p")
    assert (record.entity, record.type, record.version, record.state) == ("local", "model", 0, "COMMITTED")
    assert (record.files, record.metadata) == ({"weights.bin": b"w", "sub dir/größe.txt": b"g"}, {"loss": 0.5})
    assert (record.description, record.logged_by, record.used_by, record.digest) == (
        "why",
        "trainer",
        (),
        logged.digest,
    )

    with open_run("user") as run:
        folder = Path(run.use_artifact("model:latest").download(str(tmp_path / "used")))
        assert (folder / "sub dir" / "größe.txt").read_text() == "g"
    assert server.artifact("model", "p").used_by == ("user",)

    api: Any = wandb.Api()
    read = api.artifact("local/p/model:v0")
    assert (read.metadata, read.description, read.size, read.file_count) == ({"loss": 0.5}, "why", 2, 2)
    assert (read.type, read.aliases, read.tags) == ("model", ["latest", "best"], ["t"])
    assert (Path(read.download(str(tmp_path / "read"))) / "weights.bin").read_text() == "w"
    assert Path(read.get_entry("weights.bin").download(str(tmp_path / "one"))).read_text() == "w"
    assert sorted(file.name for file in read.files()) == ["sub dir/größe.txt", "weights.bin"]
    assert read.verify(str(tmp_path / "read")) is None
    assert (read.logged_by().id, [run.id for run in read.used_by()]) == ("trainer", ["user"])
    assert [one.name for one in api.run("p/trainer").logged_artifacts()] == ["model:v0"]
    assert [one.name for one in api.run("p/user").used_artifacts()] == ["model:v0"]
    with pytest.raises(LookupError, match=r"no artifact 'model:v9' .* known artifacts: p/model:v0"):
        server.artifact("model:v9", "p")
    with pytest.raises(wandb.errors.CommError, match="not found"):
        api.artifact("p/model:v9")


def test_versions_share_files_and_aliases_move(server: WandbServer, tmp_path: Path) -> None:
    with open_run("run1") as run:
        log(run, tmp_path, {"same.bin": "s", "other.bin": "1"}, aliases=["best"])
        uploads = server.requests["artifact_upload"]
        log(run, tmp_path, {"same.bin": "s", "other.bin": "2"}, aliases=["best"])
        assert server.requests["artifact_upload"] == uploads + 2, "a manifest and the file that is new"
        assert log(run, tmp_path, {"same.bin": "s", "other.bin": "1"}, aliases=["old"]).version == "v0"
    assert [(one.version, one.aliases) for one in server.artifacts] == [(0, ("latest", "old")), (1, ("best",))]
    assert server.artifact("model:v1", "p").files == {"same.bin": b"s", "other.bin": b"2"}
    api: Any = wandb.Api()
    assert [one.version for one in api.artifacts("model", "p/model")] == ["v1", "v0"]
    assert [one.name for one in api.artifact_type("model", "p").collections()] == ["model"]
    assert [one.name for one in api.artifact_types("p")] == ["model"]
    assert sorted(api.artifact_collection("model", "p/model").aliases) == ["best", "latest", "old"]
    assert (api.artifact_exists("p/model:v0"), api.artifact_exists("p/model:v7")) == (True, False)

    collection = api.artifact_collection("model", "p/model")
    collection.description = "all of them"
    collection.save()
    assert api.artifact_collection("model", "p/model").description == "all of them"

    first = api.artifact("p/model:v0")
    first.ttl = timedelta(days=30)
    first.aliases.append("good")
    first.aliases.remove("old")
    first.metadata["late"] = True
    first.description = "later"
    first.save()
    record = server.artifact("model:good", "p")
    assert (record.version, record.aliases, record.metadata, record.description) == (
        0,
        ("latest", "good"),
        {"late": True},
        "later",
    )
    assert wandb.Api().artifact("p/model:good").ttl == timedelta(days=30)
    api.artifact("p/model:v0").delete(delete_aliases=True)
    assert server.artifacts[0].state == "DELETED"
    assert not api.artifact_exists("p/model:v0")


def test_references_links_tables_and_media(server: WandbServer, tmp_path: Path) -> None:
    with open_run("run1") as run:
        elsewhere = wandb.Artifact("elsewhere", type="dataset")
        elsewhere.add_reference("https://example.com/data.bin", checksum=False)
        run.log_artifact(elsewhere).wait()
        artifact = wandb.Artifact("data", type="dataset")
        artifact.add(wandb.Table(columns=["a"], data=[[1], [2]]), "table")
        logged = run.log_artifact(artifact).wait()
        run.link_artifact(logged, "shelf", aliases=["prod"])
        run.log({"seen": wandb.Table(columns=["b"], data=[[3]])})
    assert server.artifact("elsewhere", "p").references == {"data.bin": "https://example.com/data.bin"}
    assert server.artifact("data", "p").linked == ("local/p/shelf",)
    api: Any = wandb.Api()
    assert api.artifact("p/shelf:prod").source_name == "data:v0"
    assert api.artifact("p/data:latest").get("table").data == [[1], [2]]
    names = [one.name for one in api.run("p/run1").logged_artifacts()]
    assert (names[:2], len(names)) == (["elsewhere:v0", "data:v0"], 3)
    assert api.artifact(f"p/{names[2]}").get("seen").data == [[3]]
    linked = api.artifact("p/data:v0").linked_artifacts
    assert [one.name for one in linked] == ["shelf:v0"]


def test_an_artifact_that_is_saved_without_a_run_and_one_that_is_used_unsaved(server: WandbServer) -> None:
    with open_run("run1") as run:
        fresh = wandb.Artifact("fresh", type="config")
        with fresh.new_file("a.txt") as file:
            file.write("a")
        assert run.use_artifact(fresh).wait().version == "v0"
    assert server.artifact("fresh", "p").used_by == ("run1",)


def put(url: str, content: bytes) -> int:
    with urlopen(Request(url, data=content, method="PUT")) as answer:
        assert answer.headers["ETag"]
        return int(answer.status)


def test_a_file_comes_in_parts_and_another_content_than_announced_is_refused(server: WandbServer) -> None:
    """The client sends parts from 2 GiB on."""
    whole = {"artifactTypeName": "model", "artifactCollectionName": "big", "entityName": "local", "projectName": "p"}
    made = ask(server, "mutation CreateArtifact {}", input={**whole, "digest": "d"})["data"]["createArtifact"][
        "artifact"
    ]
    digest = base64.b64encode(hashlib.md5(b"onetwo").digest()).decode()
    contents = (b"one", b"two")
    parts = [{"partNumber": number, "hexMD5": hashlib.md5(part).hexdigest()} for number, part in enumerate(contents, 1)]
    spec = {"artifactID": made["id"], "name": "big.bin", "md5": digest}
    asked = {"artifactFiles": [{**spec, "uploadPartsInput": parts}]}
    (edge,) = ask(server, "mutation CreateArtifactFiles {}", input=asked)["data"]["createArtifactFiles"]["files"][
        "edges"
    ]
    urls = [part["uploadUrl"] for part in edge["node"]["uploadMultipartUrls"]["uploadUrlParts"]]
    assert put(urls[0], b"one") == 200
    done = {"artifactID": made["id"], "storagePath": digest, "uploadID": digest, "completedParts": parts}
    for refused in (
        lambda: put(urls[1], b"one"),
        lambda: ask(server, "mutation CompleteMultipartUploadArtifact {}", **done),
    ):
        with pytest.raises(HTTPError, match="400"):
            refused()
    assert put(urls[1], b"two") == 200
    with pytest.raises(HTTPError, match="400"):
        put(edge["node"]["uploadUrl"], b"wrong")
    manifest = {"contents": {"big.bin": {"digest": digest, "size": 6}}}
    answer = ask(server, "mutation CreateArtifactManifest {}", artifactID=made["id"])["data"]["createArtifactManifest"]
    put(answer["artifactManifest"]["file"]["uploadUrl"], json.dumps(manifest).encode())
    with pytest.raises(HTTPError, match="400"):
        ask(server, "mutation CommitArtifact {}", artifactID=made["id"])
    for _ in ("once", "again, as a client that got no answer in time"):
        ask(server, "mutation CompleteMultipartUploadArtifact {}", **done)
    ask(server, "mutation CommitArtifact {}", artifactID=made["id"])
    assert server.artifact("big", "p").files == {"big.bin": b"onetwo"}
    with urlopen(Request(edge["node"]["uploadUrl"], headers={"Range": "bytes=2-3"})) as answer:
        assert (answer.status, answer.read(), answer.headers["Content-Range"]) == (206, b"et", "bytes 2-3/6")
