"""What is fuzzed: functions that get bytes from elsewhere, each with what has to hold whatever these are.

The invariant of all: an outcome for each, nothing outside of the folder, and no exception that is not ours.
"""

from __future__ import annotations

import functools
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st
from wandb.proto import wandb_internal_pb2

from flyte_wandb import FlyteWandbError, SettingError, wandb_config, wandb_sweep_config
from flyte_wandb._place import Place
from flyte_wandb.plans._inherited import read_run, read_sweep, read_trial
from flyte_wandb.results._file_names import assign_local_paths
from flyte_wandb.results._progress import Silent
from flyte_wandb.results._workers import Stop
from flyte_wandb.results.offline._manifest import OfflineManifest, parse_manifest
from flyte_wandb.results.offline._sync import SyncRequest, sync_runs
from flyte_wandb.settings._context import RUNS, read_settings
from flyte_wandb.settings._schema import FIELDS
from flyte_wandb.settings._sweep_schema import SWEEP_FIELDS, SWEEPS
from flyte_wandb.wandb_client._log_file import BLOCK, LogRecords, read_log, write_log
from flyte_wandb.wandb_client._log_values import read_entries
from flyte_wandb.wandb_client._rebuilt_log import LogRebuilder
from flyte_wandb.wandb_client._server_info import ask_server
from tests.fuzz.downloads import download
from tests.fuzz.strategies import contents, documents, texts, values

pb: Any = wandb_internal_pb2

MANIFEST: Final[Mapping[str, Any]] = MappingProxyType(
    {"run_id": "r1", "project": "p", "entity": "e", "host": None, "rank": 0, "exit_code": 0, "delivered": [[0, 2]]}
)
manifests = contents | st.dictionaries(st.sampled_from(sorted(MANIFEST)), values).map(
    lambda changed: json.dumps({**MANIFEST, **changed}).encode()
)
NOTE: Final[Mapping[str, Any]] = MappingProxyType({"synced": False, "before": 0})
notes = contents | st.dictionaries(st.sampled_from(sorted(NOTE)), values).map(
    lambda changed: json.dumps({**NOTE, **changed}).encode()
)


@given(manifests)
def manifest(content: bytes) -> None:
    """A manifest is read, or refused by a ValueError; what is read can be written and read again."""
    try:
        found = parse_manifest(content)
    except ValueError:
        return
    assert parse_manifest(found.to_json()) == found
    assert found.run_id.isprintable()


# --- logs ---


def _history(number: int) -> Any:
    record = pb.Record(num=number)
    record.history.step.num = number - 2
    record.history.item.add(key="x", value_json="1")
    record.history.item.add(key="text", value_json=json.dumps("y" * 500))
    return record


@functools.cache
def good_log() -> bytes:
    """Return a log of three blocks."""
    with tempfile.TemporaryFile() as file:
        records = [
            pb.Record(num=1, run=pb.RunRecord(run_id="r1", project="p")),
            *map(_history, range(2, 152)),
            pb.Record(num=152, exit=pb.RunExitRecord(exit_code=0)),
        ]
        write_log(file, (record.SerializeToString() for record in records))
        file.seek(0)
        return file.read()


def _flip(content: bytes, offset: int, bits: int) -> bytes:
    offset %= max(1, len(content))
    return content[:offset] + bytes([content[offset] ^ bits]) + content[offset + 1 :] if content else content


def _swap_blocks(content: bytes, first: int, second: int) -> bytes:
    blocks = [content[start : start + BLOCK] for start in range(0, len(content), BLOCK)]
    if not blocks:
        return content
    first, second = first % len(blocks), second % len(blocks)
    blocks[first], blocks[second] = blocks[second], blocks[first]
    return b"".join(blocks)


def _insert(content: bytes, offset: int, more: bytes) -> bytes:
    offset %= len(content) + 1
    return content[:offset] + more + content[offset:]


offsets = st.integers(0, 1 << 18)
Change = Callable[[bytes], bytes]
changes: st.SearchStrategy[Change] = st.one_of(
    offsets.map(lambda offset: lambda content: content[:offset]),
    st.builds(lambda offset, bits: lambda content: _flip(content, offset, bits), offsets, st.integers(1, 255)),
    st.builds(lambda one, two: lambda content: _swap_blocks(content, one, two), offsets, offsets),
    st.builds(lambda offset, more: lambda content: _insert(content, offset, more), offsets, st.binary(max_size=64)),
    offsets.map(lambda offset: lambda content: _insert(content, offset, content)),
)


def _changed(how: list[Change]) -> bytes:
    return functools.reduce(lambda content, change: change(content), how, good_log())


def _log_of(payloads: list[bytes]) -> bytes:
    with tempfile.TemporaryFile() as file:
        write_log(file, payloads)
        file.seek(0)
        return file.read()


kinds = sorted(field.name for field in pb.Record.DESCRIPTOR.fields if field.message_type is not None)


def _nested_record(kind: str, payload: bytes) -> bytes:
    """Return the bytes of a record that says to be of a kind, and holds anything."""
    number = pb.Record.DESCRIPTOR.fields_by_name[kind].number
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    head = b""
    while value > 127:
        head += bytes([value & 127 | 128])
        value >>= 7
    return head + bytes([value])


payloads = st.binary(max_size=200) | st.builds(_nested_record, st.sampled_from(kinds), st.binary(max_size=100))
logs = (
    st.lists(changes, min_size=1, max_size=4).map(_changed)
    | st.lists(payloads, max_size=20).map(_log_of)
    | st.lists(payloads, max_size=20).map(lambda more: _log_of([b"\x0a\x00", *more]))
    | st.binary()
)


@given(logs, st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=3))
def log(content: bytes, stretches: list[tuple[int, int]]) -> None:
    """A log is read and rebuilt, whatever it is; what is rebuilt is whole, of one run, and names no file."""
    with tempfile.TemporaryDirectory() as folder:
        path, rebuilt = Path(folder, "run.wandb"), Path(folder, "rebuilt.wandb")
        path.write_bytes(content)
        run = read_log(path)
        assert run.rows >= 0
        assert run.missing_rows >= 0
        for entry in read_entries(path, most=4 * BLOCK):
            list(entry.values)
        LogRebuilder(
            run_id="r1",
            place=Place(project="p", entity="e", host=None),
            resumes=True,
            files={"a.txt"},
            delivered=sorted(stretches),
        ).rebuild(path, rebuilt)
        again = read_log(rebuilt)
        assert (again.intact, again.damaged_at) == (True, ())
        assert again.rows <= run.rows
        with rebuilt.open("rb") as file:
            for record in LogRecords(file):
                _check_harmless(record)


def _check_harmless(record: Any) -> None:
    kind = record.WhichOneof("record_type")
    assert kind not in ("request", "use_artifact", "tbrecord", None)
    if kind == "artifact":
        told = record.artifact
        assert (told.run_id, told.project, told.entity, told.base_id) == ("r1", "p", "e", "")
        assert not told.manifest.manifest_file_path
        assert [entry.local_path for entry in told.manifest.contents if not entry.ref or entry.local_path] == []
    if kind == "run":
        assert (record.run.run_id, record.run.project, record.run.entity) == ("r1", "p", "e")
    if kind == "files":
        assert {item.path for item in record.files.files} == {"a.txt"}


# --- folders of offline runs ---

hostile_folders = st.dictionaries(st.sampled_from(["offline.json", "flyte-wandb-sync.json", "run-r1.wandb"]), contents)
folders = st.fixed_dictionaries(
    {"run-r1.wandb": logs}, optional={"offline.json": manifests, "flyte-wandb-sync.json": notes}
)


@given(st.lists(folders | hostile_folders, min_size=1, max_size=4), st.none() | st.just("r1"))
def folder(runs: list[dict[str, bytes]], flyte_run: str | None) -> None:
    """Every folder of an offline run has an outcome, and a good one among them is found."""
    with tempfile.TemporaryDirectory() as place:
        good = Path(place, "offline-run-0-good")
        for number, files in enumerate(runs):
            run = Path(place, f"offline-run-{number + 1}-r1")
            run.mkdir()
            for name, content in files.items():
                (run / name).write_bytes(content)
        good.mkdir()
        (good / "run-r1.wandb").write_bytes(good_log())
        (good / "offline.json").write_bytes(OfflineManifest(run_id="r1", flyte_run="r1").to_json())
        before = _tree(place)
        request = SyncRequest(
            places=(place,), flyte_run=flyte_run, where=Place(project=None, entity=None, host=None), dry_run=True
        )
        outcomes = {Path(outcome.place).name: outcome for outcome in sync_runs(request, Silent(), Stop())}
        assert outcomes[good.name].status == "found"
        logs = {
            path.parent.name for pattern in ("*.wandb", "offline.json") for path in Path(place).glob(f"*/{pattern}")
        }
        assert outcomes.keys() == logs if flyte_run is None else outcomes.keys() <= logs
        assert all(outcome.reason for outcome in outcomes.values() if outcome.status == "failed")
        assert _tree(place) == before


def _tree(place: str) -> dict[str, int]:
    return {str(path): path.stat().st_size for path in Path(place).rglob("*")}


@given(st.lists(texts | st.text("./\\~a\x00:")))
def names(found: list[str]) -> None:
    """Whatever a server calls its files, each has a path of its own inside of the folder."""
    paths = assign_local_paths(found)
    assert paths.keys() == set(found)
    assert len(set(paths.values())) == len(paths)
    root = "/downloads/run"
    for path in paths.values():
        assert os.path.normpath(os.path.join(root, path)).startswith(f"{root}/")


# --- Flyte's context ---


def _check_message(error: Exception) -> None:
    assert len(str(error)) < 5000, "an error that nobody can read"


KEYS: Final = sorted(
    {
        *(f"{RUNS.prefix}{name}" for name in FIELDS),
        *(f"{SWEEPS.prefix}{name}" for name in SWEEP_FIELDS),
        "_wandb_run_id",
        "_wandb_run",
        "_wandb_sweep_id",
        "_wandb_sweep",
        "_wandb_trial",
    }
)
contexts = st.dictionaries(st.sampled_from(KEYS) | texts, documents)


@given(contexts)
def context(found: dict[str, str]) -> None:
    """Whatever is in Flyte's context is read, or a SettingError."""
    for read in (read_settings, functools.partial(read_settings, namespace=SWEEPS), read_run, read_trial, read_sweep):
        try:
            read(found)
        except SettingError as error:
            _check_message(error)


class Deep(int):
    """A list in a list, so many times; hypothesis can print only how many."""


class Cyclic(list[Any]):
    """A dict that holds itself beside what this has."""


def _build(value: Any) -> Any:
    if isinstance(value, Deep):
        deep: Any = None
        for _ in range(value):
            deep = [deep]
        return deep
    if isinstance(value, Cyclic):
        loop: dict[Any, Any] = {"value": list(value)}
        loop["itself"] = [loop]
        return loop
    return value


user_values = (
    values
    | st.lists(values, max_size=2).map(Cyclic)
    | st.integers(10, 20_000).map(Deep)
    | st.binary()
    | st.just(object())
)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), user_values, max_size=3), user_values)
def setting(changed: dict[str, Any], config: Any) -> None:
    """Whatever somebody sets is written to the context and read again, or a SettingError."""
    settings = {name: _build(value) for name, value in changed.items()}
    writers: list[Callable[[], Any]] = [
        lambda: wandb_config(**settings),
        lambda: wandb_config(config={"value": _build(config)}),
        lambda: wandb_sweep_config(parameters=_build(config)),
    ]
    for write in writers:
        try:
            written = dict(write())
        except SettingError as error:
            _check_message(error)
        else:
            read_settings(written)
            read_settings(written, SWEEPS)


# --- servers ---

VIEWER: Final[Mapping[str, Any]] = MappingProxyType({"username": "me", "entity": "team"})
answers = contents | st.builds(
    lambda viewer, info: json.dumps({"data": {"viewer": viewer, "serverInfo": info}}).encode(),
    values | st.dictionaries(st.sampled_from(sorted(VIEWER)), values).map(lambda changed: {**VIEWER, **changed}),
    values | values.map(lambda version: {"latestLocalVersionInfo": {"versionOnThisInstanceString": version}}),
)


@functools.cache
def _edge() -> tuple[str, list[bytes]]:
    """Serve, for as long as this process lives, whatever is put into the list."""
    content: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Length", str(len(content[-1])))
            self.end_headers()
            self.wfile.write(content[-1])

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{http.server_address[1]}", content


@contextmanager
def _answering(content: bytes) -> Iterator[str]:
    url, answers = _edge()
    answers[:] = [content]
    yield url


@given(answers)
def server(content: bytes) -> None:
    """Whatever answers in place of W&B is a server with a name, or is refused as the function says."""
    with _answering(content) as url:
        try:
            info = ask_server(url, "k" * 40, timeout=10)
        except (OSError, ValueError, FlyteWandbError):
            return
    assert all(value is None or isinstance(value, str) for value in (info.user, info.entity, info.version))


TARGETS: Final[Mapping[str, Callable[[], None]]] = MappingProxyType(
    {target.__name__: target for target in (manifest, log, folder, names, context, setting, server, download)}
)
"""All of them, by name."""
