"""Downloads from a server that changes its answers on the way."""

from __future__ import annotations

import functools
import http.client
import json
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from hypothesis import example, given
from hypothesis import strategies as st

from flyte_wandb import DownloadError
from flyte_wandb.results._progress import Silent
from flyte_wandb.results._workers import Stop
from flyte_wandb.results.downloads._job import Job, run_download
from flyte_wandb.results.downloads._reference import Kind, Reference
from flyte_wandb.results.downloads._run import RUN, FetchedRun
from flyte_wandb.testing import WandbServer
from tests.fuzz.strategies import contents, texts, values

FILES: Final[Mapping[str, bytes]] = {"a.txt": b"a", "media/b.bin": b"b" * 2000, "../c": b"c"}
OPERATIONS: Final = (
    "Viewer",
    "Run",
    "RunFullHistory",
    "RunHistoryKeys",
    "RunParquetHistory",
    "HistoryPage",
    "RunFiles",
    "Sweep",
    "Runs",
    "file",
)
PATIENCE: Final = "0.45"
"""Seconds: too few for another try, which would only cost time here."""

_OPERATION: Final = re.compile(r"\b(?:query|mutation)\s+(\w+)")
Change = Callable[[bytes], bytes]


@dataclass(frozen=True)
class _Node:
    """Where a value of an answer is: in which list or dict, and there at which index or key."""

    above: Any
    at: Any


def _nodes(value: Any) -> Iterator[_Node]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for at, below in pairs:
        yield _Node(value, at)
        yield from _nodes(below)


def _change_node(change: Callable[[_Node], None], number: int, content: bytes) -> bytes:
    """Change one value somewhere in an answer; one that is no JSON stays as it is."""
    try:
        answer = json.loads(content)
    except ValueError:
        return content
    nodes = list(_nodes(answer))
    if nodes:
        change(nodes[number % len(nodes)])
    return json.dumps(answer).encode()


def _replace(value: Any) -> Callable[[_Node], None]:
    return lambda node: node.above.__setitem__(node.at, value)


def _remove(node: _Node) -> None:
    del node.above[node.at]


def _repeat(node: _Node) -> None:
    if isinstance(node.above, list):
        node.above.append(node.above[node.at])


def _as_text(node: _Node) -> None:
    node.above[node.at] = json.dumps(node.above[node.at])


def _set(key: str, value: Any) -> Change:
    """Give all values of one name in an answer the same value; `...` removes them."""

    def changed(content: bytes) -> bytes:
        answer = json.loads(content)
        for node in [node for node in _nodes(answer) if node.at == key]:
            if value is ...:
                _remove(node)
            else:
                _replace(value)(node)
        return json.dumps(answer).encode()

    return changed


numbers = st.integers(0, 200)
sizes = st.sampled_from([-1, 0, 1, 10, 1999, 2001, 2**63, 1e999, "1", "many", 0.5, True, None])
node_changes = st.one_of(
    values.map(_replace),
    sizes.map(_replace),
    texts.map(_replace),
    st.sampled_from([_remove, _repeat, _as_text]),
)
PAGE: Final = b"<!DOCTYPE html><html><body>Sign in to the proxy</body></html>"
one_value = st.builds(lambda change, number: functools.partial(_change_node, change, number), node_changes, numbers)
changes: st.SearchStrategy[Change] = st.one_of(
    *[one_value] * 6,  # most of the time, because any other answer is refused at once
    (contents | st.just(PAGE)).map(lambda content: lambda _: content),
    st.integers(0, 2000).map(lambda size: lambda content: content[:size]),
    st.just(lambda content: content * 1000),
)
disturbances = st.dictionaries(st.sampled_from(OPERATIONS), st.lists(changes, min_size=1, max_size=3), max_size=3)


@dataclass
class _Edge:
    """Stands before a server, and changes what it answers.

    Attributes:
        url: Its address.
        key: The key that the server knows.
        sweep: A sweep of the server, with one run.
        changes: What is done to the answers to an operation.
    """

    url: str
    key: str
    sweep: str
    changes: dict[str, list[Change]] = field(default_factory=dict)

    def change(self, operation: str, content: bytes) -> bytes:
        return functools.reduce(lambda answer, change: change(answer), self.changes.get(operation, ()), content)


@functools.cache
def _edge() -> _Edge:
    """Serve a run and a sweep for as long as this process lives."""
    server = WandbServer()
    server.start()
    about: dict[str, Any] = {"project": "p", "config": {"lr": 0.1}, "history": [{"x": 1}, {"x": 2}], "files": FILES}
    server.put_run("r1", **about)
    sweep = server.put_sweep({"method": "grid", "parameters": {"x": {"values": [1]}}}, project="p")
    server.put_run("trial", sweep=sweep, **about)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = json.loads(body)["query"] if self.path == "/graphql" else ""
            self._forward(body, (_OPERATION.findall(query) or [""])[0])

        def do_GET(self) -> None:
            self._forward(b"", "file")

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _forward(self, body: bytes, operation: str) -> None:
            there = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            there.request(self.command, self.path, body, headers)
            answer = there.getresponse()
            content = edge.change(operation, answer.read().replace(server.url.encode(), edge.url.encode()))
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            there.close()

    class Front(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # whoever asked has heard enough

    front = Front(("127.0.0.1", 0), Handler)
    threading.Thread(target=front.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{front.server_address[1]}"
    edge = _Edge(url=address, key=server.environ["WANDB_API_KEY"], sweep=sweep)
    return edge


@contextmanager
def _variables(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _download(job: Job) -> list[FetchedRun] | DownloadError:
    try:
        return run_download(job, Silent(), Stop())
    except DownloadError as error:
        return error


# Found once: answers of other types than W&B's, which ended in an error of Python's.
@example({"Run": [_set("tags", 5)]}, "run")
@example({"Run": [_set("name", ...)]}, "run")
@example({"Run": [_set("name", "\udc80")]}, "run")
@example({"RunFiles": [_set("name", 5)]}, "run")
@example({"RunFiles": [_set("name", [1])]}, "run")
@example({"Viewer": [lambda content: b"[" * 100_000]}, "run")
@given(disturbances, st.sampled_from(["run", "run", "sweep"]))
def download(changed: dict[str, list[Change]], kind: Kind) -> None:
    """Whatever a server answers, a download is whole or a DownloadError, and writes into its folder only."""
    edge = _edge()
    edge.changes = changed
    name = edge.sweep if kind == "sweep" else "r1"
    reference = Reference(id=name, project="p", entity="local", host=edge.url, kind=kind)
    with (
        tempfile.TemporaryDirectory() as above,
        _variables(WANDB_API_KEY=edge.key, FLYTE_WANDB_DOWNLOAD_PATIENCE=PATIENCE),
    ):
        outcome = _download(Job(reference=reference, folder=Path(above, "here", "run")))
        assert {path.name for path in Path(above).iterdir()} <= {"here"}
        assert {path.name for path in Path(above, "here").glob("*")} <= {"run"}
        if isinstance(outcome, DownloadError):
            assert len(str(outcome)) < 5000, "an error that nobody can read"
            return
        for run in outcome:
            json.loads((run.folder / RUN).read_text())
            assert run.files == len([path for path in (run.folder / "files").rglob("*") if path.is_file()])
