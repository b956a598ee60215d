"""Artifacts to download, put on the double as W&B's client does it, and what of them has to be on this machine."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from flyte_wandb.testing import WandbServer
from tests.double.raw import ask
from tests.downloads.runs import document


def put_artifact(
    server: WandbServer,
    name: str,
    files: Mapping[str, bytes],
    *,
    references: Mapping[str, str] | None = None,
    kind: str = "model",
    run_id: str = "r1",
    place: tuple[str, str] = ("local", "p"),
    aliases: tuple[str, ...] = (),
    metadata: Mapping[str, Any] | None = None,
) -> str:
    """Log a version of an artifact for a run, whatever its names are, and return its id."""
    contents: dict[str, Any] = {
        path: {"digest": digest(content), "size": len(content)} for path, content in files.items()
    }
    contents |= {path: {"digest": ref, "ref": ref, "size": 10**12} for path, ref in (references or {}).items()}
    manifest = json.dumps({"version": 1, "storagePolicy": "wandb-storage-policy-v1", "contents": contents}).encode()
    whole: dict[str, Any] = {"entityName": place[0], "projectName": place[1], "runName": run_id}
    whole |= {"artifactTypeName": kind, "artifactCollectionName": name, "digest": hashlib.md5(manifest).hexdigest()}
    whole |= {"aliases": [{"alias": alias} for alias in aliases], "metadata": json.dumps(metadata or {})}
    created = ask(server, "mutation CreateArtifact {}", input=whole)["data"]["createArtifact"]["artifact"]["id"]
    specs = [{"artifactID": created, "name": path, "md5": digest(content)} for path, content in files.items()]
    answer = ask(server, "mutation CreateArtifactFiles {}", input={"artifactFiles": specs})
    edges = answer["data"]["createArtifactFiles"]["files"]["edges"]
    for edge, content in zip(edges, files.values(), strict=True):
        if edge["node"]["uploadUrl"]:
            put(edge["node"]["uploadUrl"], content)
    answer = ask(server, "mutation CreateArtifactManifest {}", artifactID=created)
    put(answer["data"]["createArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"], manifest)
    ask(server, "mutation CommitArtifact {}", artifactID=created)
    return str(created)


def delete_artifact(server: WandbServer, artifact_id: str, *contents: bytes) -> None:
    """Delete a version, whatever aliases it has, and files that no other version has, as W&B does later on."""
    ask(server, "mutation DeleteArtifact {}", input={"artifactID": artifact_id, "deleteAliases": True})
    with server._store.changing():
        for content in contents:
            del server._store.artifacts.contents[digest(content)]


def use_artifact(server: WandbServer, artifact_id: str, run_id: str) -> None:
    """Make a version an input of a run."""
    whole = {"entityName": "local", "projectName": "p", "runName": run_id}
    ask(server, "mutation UseArtifact {}", input={**whole, "artifactID": artifact_id})


def digest(content: bytes) -> str:
    """Return the md5 as a manifest has it."""
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def put(url: str, content: bytes) -> None:
    """Upload a file to the address that the server gave for it."""
    with urlopen(Request(url, data=content, method="PUT")):
        pass


def logged(folder: Path) -> dict[str, dict[str, Any]]:
    """Read what is said of the artifacts that the run has logged, by name and version."""
    return {f"{one['name']}:{one['version']}": one for one in document(folder, "artifacts.json")["logged"]}


def artifact_files(folder: Path) -> dict[str, bytes]:
    """Read the files of artifacts by the paths that they have here."""
    root = folder / "artifacts"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
