"""One run into one folder: which files it gets, in which form, and in which order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from ..._errors import DownloadError
from ..._logging import one_line
from ...wandb_client._reader import RemoteRun
from ...wandb_client._remote_file import RemoteFile
from .._file_names import assign_local_paths
from . import _json
from ._artifacts import ArtifactChoice, ArtifactDownload
from ._fetcher import DownloadContext, Fetcher, Target
from ._folder import Folder
from ._journal import Journal
from ._transfer import TransferError

_LOG = logging.getLogger("flyte_wandb")
RUN: Final = "run.json"
CONFIG: Final = "config.json"
SUMMARY: Final = "summary.json"
HISTORY: Final = "history.jsonl"
SYSTEM_METRICS: Final = "system_metrics.jsonl"
ARTIFACTS: Final = "artifacts.json"
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
        skipped: Files that were complete from an earlier call, those of artifacts among them.
        artifacts: How many artifacts of the run are here.
        artifact_files: How many files they have.
        artifact_size: Their bytes.
    """

    run_id: str
    folder: Path
    files: int
    size: int
    rows: int | None
    skipped: int
    artifacts: int
    artifact_files: int
    artifact_size: int


def fetch_run(
    run: RemoteRun, root: Path, context: DownloadContext, *, history: bool, artifacts: ArtifactChoice
) -> FetchedRun:
    """Download a run into a folder. Files that are complete there are not downloaded again.

    ``run.json`` is written last, so a folder that has it is complete.

    Args:
        run: The run.
        root: The folder.
        context: What all runs of the download share.
        history: Whether to fetch the history and the system metrics.
        artifacts: Which artifacts to fetch.

    Raises:
        DownloadError: Something could not be had; all else has been fetched.
        StoppedError: The download was stopped.
    """
    with Folder(root).claim() as folder:
        folder.remove(RUN)
        return _RunDownload(run, folder, context, artifacts).fetch_all(history)


class _RunDownload:
    """The download of one run into a folder that is claimed."""

    def __init__(self, run: RemoteRun, folder: Folder, context: DownloadContext, choice: ArtifactChoice) -> None:
        self._run, self._folder = run, folder
        self._workers, self._stop, self._watch = context.workers, context.stop, context.watch
        self._journal = Journal(folder)
        self._fetcher = Fetcher(folder, self._journal, context)
        # Without artifacts nothing is asked of them, as nothing is of a history that is left out.
        self._artifacts = None if choice is False else ArtifactDownload(run, folder, self._fetcher, context, choice)

    def fetch_all(self, history: bool) -> FetchedRun:
        # The streams first: they take longest, and run beside the lists and the files.
        calls = self._submit_streams() if history else {}
        calls[_LIST] = self._workers.submit(self._run.files)
        of_artifacts = self._artifacts.find_targets() if self._artifacts else []
        targets = self._find_targets(calls[_LIST])
        skipped = sum(map(self._fetcher.is_complete, [*targets, *of_artifacts]))
        failures = self._fetcher.fetch([*targets, *of_artifacts])
        if self._artifacts:
            failures = self._artifacts.drop_deleted(failures)
        # All of them are waited for before one is raised, so that another call has as little as possible to do.
        outcomes = dict(zip(calls, self._workers.results(calls.values()), strict=True))
        failures |= {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, Exception)}
        self._raise_failures(failures)
        self._write_documents(targets, outcomes.get(HISTORY))
        artifacts = self._artifacts.fetched if self._artifacts else []
        return FetchedRun(
            run_id=self._run.id,
            folder=self._folder.root,
            files=len(targets),
            size=self._count_bytes(targets),
            rows=outcomes.get(HISTORY),
            skipped=skipped,
            artifacts=len(artifacts),
            artifact_files=sum(map(len, artifacts)),
            artifact_size=sum(map(self._count_bytes, artifacts)),
        )

    def _find_targets(self, listing: Future[list[RemoteFile]]) -> list[Target]:
        """Return the run's files, and where they go. Waits for the list of them."""
        (found,) = self._workers.results([listing])
        # The list comes in pages, and may have a file twice while the run is still writing.
        files = {} if isinstance(found, Exception) else {file.name: file for file in found}
        paths = assign_local_paths(files)
        return [
            Target(file=file, path=f"{FILES}/{paths[name]}", name=f"{FILES}/{name}", refresh=self._refresh_file)
            for name, file in files.items()
        ]

    def _count_bytes(self, targets: Sequence[Target]) -> int:
        return sum(self._journal.size(target.path) for target in targets)

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

    def _refresh_file(self, file: RemoteFile) -> RemoteFile:
        listing = self._run.files([file.name])
        if not listing:
            raise TransferError("the run no longer has it", temporary=False)
        return listing[0]

    def _raise_failures(self, failures: Mapping[str, Exception]) -> None:
        if not failures:
            return
        messages = name_failures(failures)
        more = f", and {len(messages) - MOST_NAMED} more" if len(messages) > MOST_NAMED else ""
        raise DownloadError(
            f"the run {self._run.id} ({self._run.url}) was not downloaded as a whole: "
            f"{'; '.join(messages[:MOST_NAMED])}{more}; all else is in {self._folder.root}, and another call with "
            "this folder fetches the rest"
        ) from next(iter(failures.values()))

    def _write_documents(self, targets: Sequence[Target], rows: int | None) -> None:
        paths = {target.file.name: target.path.removeprefix(f"{FILES}/") for target in targets}
        renamed = {name: path for name, path in paths.items() if name != path}
        for name, path in renamed.items():
            _LOG.warning("the file %r of the run %s is %s/%s here", name, self._run.id, FILES, path)
        # A warning only: all rows that the server gives are here, and another call would get no more.
        lines = self._run.lines
        if rows is not None and lines is not None and rows < lines:
            message = (
                "the server counts %d rows of history of the run %s and gave %d; see its page whether some are missing"
            )
            _LOG.warning(message, lines, self._run.id, rows)
        facts = {**self._run.facts, "history_rows": rows, "files": len(targets), "renamed_files": renamed}
        documents = {CONFIG: self._run.config, SUMMARY: self._run.summary}
        if self._artifacts:
            documents[ARTIFACTS] = self._artifacts.describe()
            self._artifacts.log_rest()
        # run.json last: its presence says that all else is there.
        for path, value in {**documents, RUN: facts}.items():
            self._stop.check()
            self._folder.write(path, _json.format_document(value))


def name_failures(failures: Mapping[str, Exception]) -> list[str]:
    """Return what was not fetched, each with the reason, and no longer than can be read."""
    return [f"{name[:_LONGEST_NAME]}: {one_line(error, most=_LONGEST_REASON)}" for name, error in failures.items()]
