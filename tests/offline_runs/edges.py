"""Logs as an attacker would write them, and a server that takes artifacts and remembers all that it is sent."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from wandb.proto import wandb_internal_pb2

from flyte_wandb.testing import WandbServer
from flyte_wandb.wandb_client._log_file import LogRecords, write_log

pb: Any = wandb_internal_pb2
_OPERATION: Final = re.compile(r"\b(?:query|mutation)\s+(\w+)")


def records(log: Path) -> list[Any]:
    """Read a log."""
    with log.open("rb") as file:
        return list(LogRecords(file))


def rewrite(folder: Path, change: Callable[[list[Any]], Iterable[Any]]) -> Path:
    """Write the log in a run's folder anew, and return the folder."""
    (log,) = folder.glob("*.wandb")
    changed = list(change(records(log)))
    with log.open("wb") as file:
        write_log(file, (record.SerializeToString() for record in changed))
    return folder


def inserted(*hostile: Any) -> Callable[[list[Any]], list[Any]]:
    """Put records before the end of a log."""
    return lambda honest: [*honest[:-1], *hostile, honest[-1]]


def artifact(path: Path, name: str = "stolen", entry: str = "stolen.txt") -> Any:
    """Return the record of an artifact with one file of this machine, whose content its writer knows."""
    record = pb.Record()
    record.artifact.run_id, record.artifact.project = "r1", "p"
    record.artifact.type, record.artifact.name = "dataset", name
    record.artifact.client_id, record.artifact.sequence_client_id = "c" * 128, "s" * 128
    record.artifact.finalize = record.artifact.user_created = True
    record.artifact.manifest.version = 1
    record.artifact.manifest.storage_policy = "wandb-storage-policy-v1"
    added = record.artifact.manifest.contents.add()
    added.path, added.local_path = entry, str(path)
    added.digest = base64.b64encode(hashlib.md5(path.read_bytes()).digest()).decode()
    added.size = path.stat().st_size
    return with_digest(record)


def with_digest(record: Any) -> Any:
    """Return the record of an artifact with the digest that its entries have."""
    entries = sorted((entry.path, entry.digest) for entry in record.artifact.manifest.contents)
    lines = "".join(f"{path}:{digest}\n" for path, digest in entries)
    record.artifact.digest = hashlib.md5(f"wandb-artifact-manifest-v1\n{lines}".encode()).hexdigest()
    return record


def logged_artifact(path: Path) -> Any:
    """Return a request to W&B's service to log an artifact."""
    record = pb.Record()
    record.request.log_artifact.artifact.CopyFrom(artifact(path).artifact)
    return record


def tensorboard(folder: Path) -> Any:
    """Return the record of a folder of TensorBoard's."""
    record = pb.Record()
    record.tbrecord.log_dir, record.tbrecord.root_dir, record.tbrecord.save = str(folder), str(folder.parent), True
    return record


def files(*paths: str) -> Any:
    """Return the record of files to upload, at once and at the end."""
    record = pb.Record()
    for path in paths:
        record.files.files.add(path=path, policy=pb.FilesItem.PolicyType.LIVE)
    return record


class TakingArtifacts:
    """Stands before a `WandbServer`, answers what is about artifacts itself, and remembers every body that it is sent.

    Attributes:
        url: Its address.
        bodies: What it was sent.
        artifacts: Names of the artifacts that were to be created.
    """

    def __init__(self, server: WandbServer) -> None:
        self._server = server
        self.bodies: list[bytes] = []
        self.artifacts: list[str] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def received(self) -> bytes:
        """Return everything that it and the server behind it were sent."""
        runs = [content for run in self._server.runs for content in run.files.values()]
        return b"\n".join([*self.bodies, *map(bytes, runs), repr(self._server.runs).encode()])

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        edge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                edge.bodies.append(body)
                data = edge._answer(body) if self.path == "/graphql" else None
                if data is None:
                    self._forward(body)
                else:
                    self._send(200, json.dumps({"data": data}).encode())

            def do_PUT(self) -> None:
                edge.bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
                self._send(200, b"")

            def do_GET(self) -> None:
                self._forward(b"")

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def _forward(self, body: bytes) -> None:
                there = http.client.HTTPConnection("127.0.0.1", int(edge._server.url.rpartition(":")[2]))
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                there.request(self.command, self.path, body, headers)
                answer = there.getresponse()
                self._send(answer.status, answer.read())
                there.close()

            def _send(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        return Handler

    def _answer(self, body: bytes) -> Any:
        """Answer an operation on artifacts; None for any other."""
        asked = json.loads(body)
        variables = asked.get("variables") or {}
        variables = variables.get("input", variables)  # wandb 0.31 puts the arguments of most into one
        match _OPERATION.findall(asked["query"])[:1]:
            case ["CreateArtifact"]:
                self.artifacts.append(variables["artifactCollectionName"])
                created = {"id": "a1", "state": "PENDING", "artifactSequence": {"latestArtifact": None}}
                return {"createArtifact": {"artifact": created}}
            case ["CreateArtifactManifest"]:
                return {"createArtifactManifest": {"artifactManifest": self._manifest()}}
            case ["UpdateArtifactManifest"]:
                return {"updateArtifactManifest": {"artifactManifest": self._manifest()}}
            case ["CreateArtifactFiles"]:
                place = {"storagePath": "wandb_artifacts/1", "uploadUrl": f"{self.url}/artifact"}
                about: dict[str, Any] = {"uploadHeaders": [], "uploadMultipartUrls": None, "artifact": {"id": "a1"}}
                edges = [{"node": place | about} for _ in variables["artifactFiles"]]
                return {"createArtifactFiles": {"files": {"edges": edges}}}
            case ["CommitArtifact"]:
                return {"commitArtifact": {"artifact": {"id": "a1", "digest": "0" * 32}}}
        return None

    def _manifest(self) -> dict[str, Any]:
        file = {"id": "f1", "uploadUrl": f"{self.url}/manifest", "uploadHeaders": []}
        return {"id": "m1", "file": file}
