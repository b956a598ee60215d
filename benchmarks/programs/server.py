"""The W&B server double itself, in a process of its own: runs, rows of one run, versions of an artifact."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

_ROWS_OF_A_WRITER: Final = 1_000
_ROWS_AT_ONCE: Final = 500
_THREADS: Final = 4


class _Client:
    """Sends what W&B's client sends, over a connection that stays open, and no more than that."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._connection = HTTPConnection(urlsplit(environ["WANDB_BASE_URL"]).netloc)
        key = base64.b64encode(f"api:{environ['WANDB_API_KEY']}".encode()).decode()
        self._headers = {"Authorization": f"Basic {key}"}

    def ask(self, operation: str, **variables: Any) -> Any:
        body = {"query": f"mutation {operation} {{}}", "variables": variables}
        return self._send("POST", "/graphql", json.dumps(body))["data"]

    def write_run(self, run_id: str, rows: int) -> None:
        self.ask("UpsertBucket", project="p", name=run_id, host="h")
        for first in range(0, rows, _ROWS_AT_ONCE):
            steps = range(first, first + _ROWS_AT_ONCE)
            content = [json.dumps({"_step": step, "loss": 1 / (1 + step)}) for step in steps]
            body = {"files": {"wandb-history.jsonl": {"offset": first, "content": content}}}
            self._send("POST", f"/files/local/p/{run_id}/file_stream", json.dumps(body))

    def write_version(self, number: int) -> None:
        digest = base64.b64encode(hashlib.md5(str(number).encode()).digest()).decode()
        name = {"artifactTypeName": "model", "artifactCollectionName": "model", "projectName": "p"}
        created = self.ask("CreateArtifact", input={**name, "digest": str(number)})
        artifact = created["createArtifact"]["artifact"]["id"]
        spec = {"artifactID": artifact, "name": "weights.bin", "md5": digest}
        files = self.ask("CreateArtifactFiles", input={"artifactFiles": [spec]})["createArtifactFiles"]["files"]
        self._put(files["edges"][0]["node"]["uploadUrl"], str(number))
        created = self.ask("CreateArtifactManifest", artifactID=artifact)
        manifest = {"contents": {"weights.bin": {"digest": digest, "size": 1}}}
        self._put(created["createArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"], json.dumps(manifest))
        self.ask("CommitArtifact", artifactID=artifact)

    def _put(self, url: str, content: str) -> None:
        parts = urlsplit(url)
        self._send("PUT", f"{parts.path}?{parts.query}", content)

    def _send(self, method: str, path: str, body: str) -> Any:
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        return json.loads(content or "{}")


def write_runs(writers: str) -> dict[str, float]:
    """Write runs of a thousand rows each, some at a time."""

    def write(environ: Mapping[str, str]) -> None:
        def write_some(numbers: range) -> None:
            client = _Client(environ)
            for number in numbers:
                client.write_run(f"run-{number}", _ROWS_OF_A_WRITER)

        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(write_some, [range(first, int(writers), _THREADS) for first in range(_THREADS)]))

    return _measure(write)


def write_rows(rows: str) -> dict[str, float]:
    """Write one run of so many rows."""
    return _measure(lambda environ: _Client(environ).write_run("one", int(rows)))


def write_versions(versions: str) -> dict[str, float]:
    """Write so many versions of one artifact."""

    def write(environ: Mapping[str, str]) -> None:
        client = _Client(environ)
        for number in range(int(versions)):
            client.write_version(number)

    return _measure(write)


def _measure(write: Callable[[Mapping[str, str]], None]) -> dict[str, float]:
    """Return the seconds until a fresh server has it all, and the MiB of memory that it then keeps."""
    file = Path("wandb.env")
    command = [str(Path(sys.executable).with_name("flyte-wandb")), "server", "--environ-file", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        lines = (line.removeprefix("export ").partition("=") for line in file.read_text().splitlines())
        before, started = _read_memory(process.pid), time.perf_counter()
        write({name: value for name, _, value in lines})
        seconds, memory = time.perf_counter() - started, max(_read_memory(process.pid) - before, 0.1)
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    return {"seconds": seconds, "memory": memory}


def _read_memory(process: int) -> float:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
