"""The W&B server double itself: writers of a run each, rows of one run, and versions of an artifact."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from rich.progress import Progress

from ._growth_rows import LINEAR, Cost
from ._progress import ticker

WRITERS: Final = (10, 30, 100, 300, 1_000)
ROWS: Final = (10_000, 30_000, 100_000, 300_000, 1_000_000)
VERSIONS: Final = (10, 25, 60, 150, 400)
_ROWS_OF_A_WRITER: Final = 1_000
_AT_ONCE: Final = 500
_THREADS: Final = 4
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class _Client:
    """Sends what W&B's client sends, over a connection that stays open, and no more than that."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._connection = HTTPConnection(urlsplit(environ["WANDB_BASE_URL"]).netloc)
        key = base64.b64encode(f"api:{environ['WANDB_API_KEY']}".encode()).decode()
        self._headers = {"Authorization": f"Basic {key}"}

    def ask(self, operation: str, **variables: Any) -> Any:
        body = {"query": f"mutation {operation} {{}}", "variables": variables}
        return self.send("POST", "/graphql", json.dumps(body))["data"]

    def send(self, method: str, path: str, body: str) -> Any:
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        return json.loads(content or "{}")

    def write_run(self, run_id: str, rows: int) -> None:
        self.ask("UpsertBucket", project="p", name=run_id, host="h")
        for first in range(0, rows, _AT_ONCE):
            content = [json.dumps({"_step": step, "loss": 1 / (1 + step)}) for step in range(first, first + _AT_ONCE)]
            files = {"wandb-history.jsonl": {"offset": first, "content": content}}
            self.send("POST", f"/files/local/p/{run_id}/file_stream", json.dumps({"files": files}))

    def write_version(self, number: int) -> None:
        content = str(number)
        digest = base64.b64encode(hashlib.md5(content.encode()).digest()).decode()
        name = {"artifactTypeName": "model", "artifactCollectionName": "model", "projectName": "p"}
        artifact = self.ask("CreateArtifact", input={**name, "digest": content})["createArtifact"]["artifact"]["id"]
        spec = {"artifactID": artifact, "name": "weights.bin", "md5": digest}
        edges = self.ask("CreateArtifactFiles", input={"artifactFiles": [spec]})["createArtifactFiles"]["files"][
            "edges"
        ]
        self._put(edges[0]["node"]["uploadUrl"], content)
        made = self.ask("CreateArtifactManifest", artifactID=artifact)["createArtifactManifest"]["artifactManifest"]
        self._put(made["file"]["uploadUrl"], json.dumps({"contents": {"weights.bin": {"digest": digest, "size": 1}}}))
        self.ask("CommitArtifact", artifactID=artifact)

    def _put(self, url: str, content: str) -> None:
        parts = urlsplit(url)
        self.send("PUT", f"{parts.path}?{parts.query}", content)


def measured(folder: Path, progress: Progress) -> list[Cost]:
    """Measure a fresh server for each size: the seconds until all is written, and what it then keeps in memory."""
    tick = ticker(progress, "double", len(WRITERS) + len(ROWS) + len(VERSIONS))
    return [
        *_costs(folder, tick, "writers, 1,000 rows each", WRITERS, _write_runs),
        *_costs(folder, tick, "rows of one run", ROWS, lambda environ, size: _Client(environ).write_run("one", size)),
        *_costs(folder, tick, "versions of an artifact", VERSIONS, _write_versions),
    ]


def _costs(
    folder: Path,
    tick: Callable[[], None],
    of: str,
    sizes: tuple[int, ...],
    write: Callable[[Mapping[str, str], int], None],
) -> Iterator[Cost]:
    times, memory = [], []
    for size in sizes:
        with _server(folder) as (process, environ):
            before, started = _mebibytes(process), time.perf_counter()
            write(environ, size)
            times.append(time.perf_counter() - started)
            memory.append(max(_mebibytes(process) - before, 0.1))
        tick()
    common: dict[str, Any] = {"of": of, "sizes": sizes, "expected": LINEAR}
    yield Cost(what="the double: time to write", values=times, unit="s", **common)
    yield Cost(what="the double: memory that it keeps", values=memory, unit="MiB", **common)


def _write_runs(environ: Mapping[str, str], writers: int) -> None:
    def write(numbers: range) -> None:
        client = _Client(environ)
        for number in numbers:
            client.write_run(f"run-{number}", _ROWS_OF_A_WRITER)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(write, [range(first, writers, _THREADS) for first in range(_THREADS)]))


def _write_versions(environ: Mapping[str, str], versions: int) -> None:
    client = _Client(environ)
    for number in range(versions):
        client.write_version(number)


@contextmanager
def _server(folder: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Start `flyte-wandb server`, and give its process and the environment of its clients."""
    file = folder / "wandb.env"
    command = [str(Path(sys.executable).with_name("flyte-wandb")), "server", "--environ-file", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        lines = (line.removeprefix("export ").partition("=") for line in file.read_text().splitlines())
        yield process.pid, {name: value for name, _, value in lines}
        process.send_signal(signal.SIGTERM)
        process.stdout.read()


def _mebibytes(process: int) -> float:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE / 2**20
