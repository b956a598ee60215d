"""One run into one folder: what there is, in which form, and in which order."""

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
_ROWS_SEEN: Final = 1000
_MOST_TOLD: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedRun:
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
class DownloadContext:
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


def fetch_run(run: RemoteRun, root: Path, tools: DownloadContext, *, history: bool) -> FetchedRun:
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
    with Folder(root).claim() as folder:
        folder.remove(RUN)
        return _RunDownload(run, folder, tools).fetch_all(history)


class _RunDownload:
    """The fetching of one run into a folder that is claimed."""

    def __init__(self, run: RemoteRun, folder: Folder, tools: DownloadContext) -> None:
        self._run, self._folder, self._tools = run, folder, tools
        self._journal = Journal(folder)

    def fetch_all(self, history: bool) -> FetchedRun:
        asked = self._submit_streams() if history else {}
        listed = self._tools.workers.submit(self._run.files)
        (found,) = self._tools.workers.results([listed])
        files = [] if isinstance(found, Exception) else list({file.name: file for file in found}.values())
        paths = assign_local_paths(file.name for file in files)
        missing = [
            file for file in files if not self._journal.has(_path_below_files(paths[file.name]), _file_stamp(file))
        ]
        self._tools.watch.expect(len(missing), sum(file.size or 0 for file in missing))
        asked |= {
            _LIST: listed,
            **{_path_below_files(file.name): self._submit_file(file, paths[file.name]) for file in missing},
        }
        self._raise_failures(dict(zip(asked, self._tools.workers.results(asked.values()), strict=True)))
        rows = asked[HISTORY].result() if history else None
        self._write_documents(paths, rows)
        return FetchedRun(
            run_id=self._run.id,
            folder=self._folder.root,
            files=len(files),
            size=sum(self._journal.size(_path_below_files(path)) for path in paths.values()),
            rows=rows,
            skipped=len(files) - len(missing),
        )

    def _submit_streams(self) -> dict[str, Future[Any]]:
        sources = {HISTORY: self._run.rows, SYSTEM_METRICS: self._run.system_metrics}
        return {
            path: self._tools.workers.submit(partial(self._write_stream, path, source))
            for path, source in sources.items()
        }

    def _write_stream(self, path: str, source: Callable[[], Iterable[Mapping[str, Any]]]) -> int:
        """Write rows as they come, and return how many there are. Of a run that has ended, once is enough."""
        stamp = self._run.stamp
        if self._run.ended and self._journal.has(path, stamp):
            return self._journal.rows(path)
        with self._folder.stage_file() as (file, staged):
            count = 0
            for count, row in enumerate(source(), start=1):
                self._tools.stop.check()
                file.write(_json.format_row(row))
                if count % _ROWS_SEEN == 0:
                    self._tools.watch.rows(_ROWS_SEEN)
            self._tools.watch.rows(count % _ROWS_SEEN)
            if count or path == HISTORY:
                self._folder.place_file(file, staged, path)
                self._journal.note(path, stamp, count)
        return count

    def _submit_file(self, file: RemoteFile, path: str) -> Future[None]:
        return self._tools.workers.submit(partial(self._fetch_missing_file, file, _path_below_files(path)))

    def _fetch_missing_file(self, file: RemoteFile, path: str) -> None:
        if self._is_complete(file, path):
            self._journal.note(path, _file_stamp(file))
        else:
            self._fetch_file(file, path)
        self._tools.watch.done(1)

    def _is_complete(self, file: RemoteFile, path: str) -> bool:
        """Whether the file is complete though the journal does not say so: the process was killed in between."""
        if not file.md5 or self._folder.size(path) != file.size:
            return False
        return has_md5(file, self._folder.md5(path))

    def _fetch_file(self, file: RemoteFile, path: str) -> None:
        transfers = self._tools.transfers
        with self._folder.stage_file() as (into, staged):
            attempt = partial(transfers.receive_file, into=into, seen=self._tools.watch.received)
            arrived = transfers.transfer_with_retries(attempt, file, self._refresh_file)
            self._tools.stop.check()
            self._folder.place_file(into, staged, path)
        self._journal.note(path, _file_stamp(arrived))

    def _refresh_file(self, file: RemoteFile) -> RemoteFile:
        found = self._run.files([file.name])
        if not found:
            raise TransferError("the run does not have it any more", temporary=False)
        return found[0]

    def _raise_failures(self, results: Mapping[str, Any]) -> None:
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
            self._folder.write(path, _json.format_document(value))


def _path_below_files(path: str) -> str:
    return f"{FILES}/{path}"


def _file_stamp(file: RemoteFile) -> dict[str, Any]:
    return {"size": file.size, "md5": file.md5, "updated": file.updated}
