"""One run into one folder: which files it gets, in which form, and in which order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from ..._errors import DownloadError
from ..._logging import one_line
from ...wandb_client._reader import RemoteFile, RemoteRun
from .._file_names import assign_local_paths
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
_ROWS_PER_REPORT: Final = 1000
"""Rows between two reports of progress, each of which takes a lock."""

_LONGEST_NAME: Final = 200
_LONGEST_REASON: Final = 500
"""Characters of one name and of one reason in an error that has several: both may be a server's."""

MOST_NAMED: Final = 5
"""Failures of files, or of runs, that an error names: where a server is down, all files have one and the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedRun:
    """One run that is complete on this machine.

    Attributes:
        run_id: Its id.
        folder: Where it is.
        files: How many files the run has.
        size: Their bytes.
        rows: Rows of history, or None where the history was not fetched.
        skipped: Files that were complete from an earlier call.
    """

    run_id: str
    folder: Path
    files: int
    size: int
    rows: int | None
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadContext:
    """What all runs of a download share.

    Attributes:
        workers: Threads for all calls that ask a server.
        transfers: Connections for files.
        stop: Ends the download.
        watch: Shows how far it is.
    """

    workers: Workers
    transfers: Transfers
    stop: Stop
    watch: Watch


def fetch_run(run: RemoteRun, root: Path, context: DownloadContext, *, history: bool) -> FetchedRun:
    """Fetch a run into a folder. Files that are complete there are left as they are.

    ``run.json`` is written last, so a folder that has it is complete.

    Args:
        run: The run.
        root: The folder.
        context: What all runs of the download share.
        history: Whether to fetch the history and the system metrics.

    Raises:
        DownloadError: Something could not be had; all else has been fetched.
        StoppedError: The download was stopped.
    """
    with Folder(root).claim() as folder:
        folder.remove(RUN)
        return _RunDownload(run, folder, context).fetch_all(history)


class _RunDownload:
    """The download of one run into a folder that is claimed."""

    def __init__(self, run: RemoteRun, folder: Folder, context: DownloadContext) -> None:
        self._run, self._folder = run, folder
        self._workers, self._transfers = context.workers, context.transfers
        self._stop, self._watch = context.stop, context.watch
        self._journal = Journal(folder)

    def fetch_all(self, history: bool) -> FetchedRun:
        # The streams first: they take longest, and run beside the list and the files.
        futures = self._submit_streams() if history else {}
        futures[_LIST] = self._workers.submit(self._run.files)
        (listing,) = self._workers.results([futures[_LIST]])
        # The list comes in pages, and may have a file twice while the run is still writing.
        files = [] if isinstance(listing, Exception) else list({file.name: file for file in listing}.values())
        below_files = assign_local_paths(file.name for file in files)
        paths = {name: f"{FILES}/{path}" for name, path in below_files.items()}
        missing = [file for file in files if not self._journal.has(paths[file.name], _file_stamp(file))]
        self._watch.expect(len(missing), sum(file.size or 0 for file in missing))
        for file in missing:
            call = partial(self._fetch_missing_file, file, paths[file.name])
            futures[f"{FILES}/{file.name}"] = self._workers.submit(call)
        # All of them are waited for before one is raised, so that another call has as little as possible to do.
        self._raise_failures(dict(zip(futures, self._workers.results(futures.values()), strict=True)))
        rows = futures[HISTORY].result() if history else None
        self._write_documents(below_files, rows)
        return FetchedRun(
            run_id=self._run.id,
            folder=self._folder.root,
            files=len(files),
            size=sum(self._journal.size(path) for path in paths.values()),
            rows=rows,
            skipped=len(files) - len(missing),
        )

    def _submit_streams(self) -> dict[str, Future[Any]]:
        sources = {HISTORY: self._run.rows, SYSTEM_METRICS: self._run.system_metrics}
        return {
            path: self._workers.submit(partial(self._write_stream, path, source)) for path, source in sources.items()
        }

    def _write_stream(self, path: str, source: Callable[[], Iterable[Mapping[str, Any]]]) -> int:
        """Write rows as they arrive, and return how many there are. Rows of a run that has ended are fetched once."""
        stamp = self._run.stamp
        if self._run.ended and self._journal.has(path, stamp):
            return self._journal.rows(path)
        with self._folder.stage_file() as (file, staged):
            count = 0
            for count, row in enumerate(source(), start=1):
                self._stop.check()
                file.write(_json.format_row(row))
                if count % _ROWS_PER_REPORT == 0:
                    self._watch.rows(_ROWS_PER_REPORT)
            self._watch.rows(count % _ROWS_PER_REPORT)
            # Readers expect a history, if an empty one; a short run has no system metrics.
            if count or path == HISTORY:
                self._folder.place_file(file, staged, path)
                self._journal.note(path, stamp, count)
        return count

    def _fetch_missing_file(self, file: RemoteFile, path: str) -> None:
        if self._is_complete(file, path):
            self._journal.note(path, _file_stamp(file))
        else:
            self._download_file(file, path)
        self._watch.done(1)

    def _is_complete(self, file: RemoteFile, path: str) -> bool:
        """Whether the file is complete, although the journal does not list it: the process was killed in between."""
        if not file.md5 or self._folder.size(path) != file.size:
            return False
        return has_md5(file, self._folder.md5(path))

    def _download_file(self, file: RemoteFile, path: str) -> None:
        with self._folder.stage_file() as (into, staged):
            attempt = partial(self._transfers.receive_file, into=into, seen=self._watch.received)
            arrived = self._transfers.transfer_with_retries(attempt, file, self._refresh_file)
            self._stop.check()
            self._folder.place_file(into, staged, path)
        # The stamp of what arrived: the file may have changed since it was listed.
        self._journal.note(path, _file_stamp(arrived))

    def _refresh_file(self, file: RemoteFile) -> RemoteFile:
        listing = self._run.files([file.name])
        if not listing:
            raise TransferError("the run does not have it any more", temporary=False)
        return listing[0]

    def _raise_failures(self, results: Mapping[str, Any]) -> None:
        failures = {name: result for name, result in results.items() if isinstance(result, Exception)}
        if not failures:
            return
        messages = name_failures(failures)
        more = f", and {len(messages) - MOST_NAMED} more" if len(messages) > MOST_NAMED else ""
        raise DownloadError(
            f"the run {self._run.id} ({self._run.url}) was not downloaded as a whole: "
            f"{'; '.join(messages[:MOST_NAMED])}{more}; all else is in {self._folder.root}, and another call with "
            "this folder fetches the rest"
        ) from next(iter(failures.values()))

    def _write_documents(self, below_files: Mapping[str, str], rows: int | None) -> None:
        renamed = {name: path for name, path in below_files.items() if name != path}
        for name, path in renamed.items():
            _LOG.warning("the file %r of the run %s is %s/%s here", name, self._run.id, FILES, path)
        # A warning only: all rows that the server gives are here, and another call would get no more.
        lines = self._run.lines
        if rows is not None and lines is not None and rows < lines:
            message = (
                "the server counts %d rows of history of the run %s and gave %d; see its page whether some are missing"
            )
            _LOG.warning(message, lines, self._run.id, rows)
        facts = {**self._run.facts, "history_rows": rows, "files": len(below_files), "renamed_files": renamed}
        # run.json last: its presence says that all else is there.
        for path, value in ((CONFIG, self._run.config), (SUMMARY, self._run.summary), (RUN, facts)):
            self._stop.check()
            self._folder.write(path, _json.format_document(value))


def name_failures(failures: Mapping[str, Exception]) -> list[str]:
    """Return what was not fetched, each with the reason, and no longer than can be read."""
    return [f"{name[:_LONGEST_NAME]}: {one_line(error, most=_LONGEST_REASON)}" for name, error in failures.items()]


def _file_stamp(file: RemoteFile) -> dict[str, Any]:
    return {"size": file.size, "md5": file.md5, "updated": file.updated}
