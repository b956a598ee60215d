"""One run into one folder: what there is, in which form, and in which order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from ... import wandb_client as _client
from ..._errors import DownloadError
from ..._logging import one_line
from .._file_names import local_paths
from .._progress import Watch
from .._workers import Stop, Workers
from . import _json
from ._folder import Folder
from ._journal import Journal
from ._transfer import TransferError, Transfers, has_md5

_LOG = logging.getLogger("flyte_wandb")
RUN: Final = "run.json"
CONFIG: Final = "config.json"
SUMMARY: Final = "summary.json"
HISTORY: Final = "history.jsonl"
SYSTEM_METRICS: Final = "system_metrics.jsonl"
FILES: Final = "files"

_LIST: Final = "the list of its files"
_ROWS_SEEN: Final = 1000
_MOST_TOLD: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """One run that is complete on this machine.

    Attributes:
        run_id: Its id.
        folder: Where it is.
        files: How many files the run has.
        size: Their bytes.
        rows: Rows of history, or None where none was wanted.
        skipped: Files that were complete from an earlier call.
    """

    run_id: str
    folder: Path
    files: int
    size: int
    rows: int | None
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What all runs of a download share.

    Attributes:
        workers: Do all that asks a server.
        transfers: Connections for files.
        stop: Ends the download.
        watch: Is told how far it is.
    """

    workers: Workers
    transfers: Transfers
    stop: Stop
    watch: Watch


def fetch_run(run: _client.RemoteRun, root: Path, tools: Tools, *, history: bool) -> Fetched:
    """Fetch a run into a folder; what is complete there is left as it is. ``run.json`` is there when all else is.

    Args:
        run: The run.
        root: The folder.
        tools: What the download works with.
        history: Whether to fetch the history and the system metrics.

    Raises:
        DownloadError: Something could not be had; all else has been fetched.
        StoppedError: The download was stopped.
    """
    with Folder(root).claimed() as folder:
        folder.remove(RUN)
        return _Fetching(run, folder, tools).all(history)


class _Fetching:
    """The fetching of one run into a folder that is claimed."""

    def __init__(self, run: _client.RemoteRun, folder: Folder, tools: Tools) -> None:
        self._run, self._folder, self._tools = run, folder, tools
        self._journal = Journal(folder)

    def all(self, history: bool) -> Fetched:
        asked = self._streams() if history else {}
        listed = self._tools.workers.submit(self._run.files)
        (found,) = self._tools.workers.results([listed])
        files = [] if isinstance(found, Exception) else list({file.name: file for file in found}.values())
        paths = local_paths(file.name for file in files)
        missing = [file for file in files if not self._journal.has(_below(paths[file.name]), _stamp(file))]
        self._tools.watch.expect(len(missing), sum(file.size or 0 for file in missing))
        asked |= {_LIST: listed, **{_below(file.name): self._submit_file(file, paths[file.name]) for file in missing}}
        self._check(dict(zip(asked, self._tools.workers.results(asked.values()), strict=True)))
        rows = asked[HISTORY].result() if history else None
        self._write_documents(paths, rows)
        return Fetched(
            run_id=self._run.id,
            folder=self._folder.root,
            files=len(files),
            size=sum(self._journal.size(_below(path)) for path in paths.values()),
            rows=rows,
            skipped=len(files) - len(missing),
        )

    def _streams(self) -> dict[str, Future[Any]]:
        sources = {HISTORY: self._run.rows, SYSTEM_METRICS: self._run.system_metrics}
        return {
            path: self._tools.workers.submit(partial(self._stream, path, source)) for path, source in sources.items()
        }

    def _stream(self, path: str, source: Callable[[], Iterable[Mapping[str, Any]]]) -> int:
        """Write rows as they come, and return how many there are. Of a run that has ended, once is enough."""
        stamp = self._run.stamp
        if self._run.ended and self._journal.has(path, stamp):
            return self._journal.rows(path)
        with self._folder.staged() as (file, staged):
            count = 0
            for count, row in enumerate(source(), start=1):
                self._tools.stop.check()
                file.write(_json.line(row))
                if count % _ROWS_SEEN == 0:
                    self._tools.watch.rows(_ROWS_SEEN)
            self._tools.watch.rows(count % _ROWS_SEEN)
            if count or path == HISTORY:
                self._folder.place(file, staged, path)
                self._journal.note(path, stamp, count)
        return count

    def _submit_file(self, file: _client.RemoteFile, path: str) -> Future[None]:
        return self._tools.workers.submit(partial(self._file, file, _below(path)))

    def _file(self, file: _client.RemoteFile, path: str) -> None:
        if self._is_here(file, path):
            self._journal.note(path, _stamp(file))
        else:
            self._fetch(file, path)
        self._tools.watch.done(1)

    def _is_here(self, file: _client.RemoteFile, path: str) -> bool:
        """Whether the file is complete though the journal does not say so: the process was killed in between."""
        if not file.md5 or self._folder.size(path) != file.size:
            return False
        return has_md5(file, self._folder.md5(path))

    def _fetch(self, file: _client.RemoteFile, path: str) -> None:
        transfers = self._tools.transfers
        with self._folder.staged() as (into, staged):
            attempt = partial(transfers.receive, into=into, seen=self._tools.watch.received)
            arrived = transfers.persist(attempt, file, self._ask_again)
            self._tools.stop.check()
            self._folder.place(into, staged, path)
        self._journal.note(path, _stamp(arrived))

    def _ask_again(self, file: _client.RemoteFile) -> _client.RemoteFile:
        found = self._run.files([file.name])
        if not found:
            raise TransferError("the run does not have it any more", temporary=False)
        return found[0]

    def _check(self, results: Mapping[str, Any]) -> None:
        failures = {what: result for what, result in results.items() if isinstance(result, Exception)}
        if not failures:
            return
        told = [f"{what}: {one_line(error)}" for what, error in failures.items()]
        more = f", and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
        raise DownloadError(
            f"the run {self._run.id} ({self._run.url}) was not downloaded as a whole: "
            f"{'; '.join(told[:_MOST_TOLD])}{more}; all else is in {self._folder.root}, and another call with this "
            "folder fetches the rest"
        ) from next(iter(failures.values()))

    def _write_documents(self, paths: Mapping[str, str], rows: int | None) -> None:
        renamed = {name: path for name, path in paths.items() if name != path}
        for name, path in renamed.items():
            _LOG.warning("the file %r of the run %s is %s/%s here", name, self._run.id, FILES, path)
        lines = self._run.lines
        if rows is not None and lines is not None and rows < lines:
            said = (
                "the server counts %d rows of history of the run %s and gave %d; see its page whether some are missing"
            )
            _LOG.warning(said, lines, self._run.id, rows)
        facts = {**self._run.facts, "history_rows": rows, "files": len(paths), "renamed_files": renamed}
        for path, value in ((CONFIG, self._run.config), (SUMMARY, self._run.summary), (RUN, facts)):
            self._tools.stop.check()
            self._folder.write(path, _json.document(value))


def _below(path: str) -> str:
    return f"{FILES}/{path}"


def _stamp(file: _client.RemoteFile) -> dict[str, Any]:
    return {"size": file.size, "md5": file.md5, "updated": file.updated}
