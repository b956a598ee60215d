"""The log of an offline run, rebuilt for its upload out of records that are known to be harmless.

W&B's service does what the records of a log say, with the rights of whoever uploads it. Some name files of the machine
(artifacts, TensorBoard's folders), some are requests to the service itself, and one of an unknown kind ends it (wandb
0.31, `core/internal/stream/sender.go`). A log comes from elsewhere, so what is uploaded is a list of what may be.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from .._logging import quoted
from .._place import Place
from ._delivery import Stretch
from ._log_file import LogRecords, can_append, protocol, write_log
from ._logged_artifacts import LoggedArtifact, UnfitArtifactError, rebuild_artifact

_VALUES: Final = frozenset(
    {
        "alert",
        "config",
        "environment",
        "exit",
        "final",
        "footer",
        "header",
        "history",
        "metric",
        "output",
        "output_logger",
        "output_raw",
        "preempting",
        "stats",
        "summary",
        "telemetry",
    }
)
"""The kinds that carry values and text, of which W&B opens nothing."""

_LAST: Final = ("exit", "final", "footer")
"""The kinds that end a run."""

_LATE: Final = (*_LAST[1:], "environment")
"""The kinds that may follow its end: W&B's service looks at the machine in a thread, and a short run is over by then
(wandb 0.31). It goes before the end in the new log, for W&B uploads nothing of what follows that."""

_OF_THE_SERVER: Final = ("settings", "storage_id")
"""What a log does not say of a run: which run of the server is meant is said by its id, entity and project."""


@dataclass(kw_only=True)
class LogRebuilder:
    """Rebuilds one log.

    Args:
        run_id: The run. What the log says of another one is left out.
        place: Its target, regardless of the log.
        resumes: Whether it continues the run on the server, rather than start over.
        files: Names of the files in the run's own folder.
        artifact_files: Copies of files of artifacts that were kept with the run, by their md5 in hex.
        delivered: Rows that the server has already, which are left out so that they are not there twice.

    Attributes:
        left_out: What was not written, each once, in words.
        artifacts: The versions of artifacts that were written.
    """

    run_id: str
    place: Place
    resumes: bool
    files: Collection[str]
    artifact_files: Mapping[str, Path] = field(default_factory=dict)
    delivered: Sequence[Stretch] = ()
    left_out: dict[str, None] = field(default_factory=dict)
    artifacts: list[LoggedArtifact] = field(default_factory=list)

    def rebuild(self, source: Path, target: Path) -> None:
        """Write the harmless records of a log into a new one, up to the tear of the log or the end of its run.

        What is damaged before that is passed over.

        Args:
            source: The log.
            target: The new log.

        Raises:
            OSError: They cannot be read or written.
        """
        with source.open("rb") as log, target.open("wb") as file:
            write_log(file, self._harmless(LogRecords(log)))

    def _harmless(self, records: LogRecords) -> Iterator[bytes]:
        ended, rows = False, 0
        last: list[bytes] = []
        for record in records:
            kind = record.WhichOneof("record_type")
            rows += kind == "history"
            # Rows that a damage has taken count: they were delivered, too, or are gone.
            if kind == "history" and self._is_delivered(rows - 1 + records.missing_rows):
                continue
            if ended and kind not in _LATE:
                self._leave_out("what follows the end of the run")
            elif (content := self._harmless_content(kind, record)) is not None:
                # A new record: what else the old one carries, known or not, is for the service and not for the server.
                clean = protocol().Record(num=record.num, **{kind: content})
                clean.DiscardUnknownFields()
                if kind in _LAST:
                    last.append(clean.SerializeToString())
                else:
                    yield clean.SerializeToString()
            ended = ended or kind == "exit"
        yield from last

    def _is_delivered(self, row: int) -> bool:
        number = bisect_right(self.delivered, row, key=itemgetter(0)) - 1
        return number >= 0 and row < sum(self.delivered[number])

    def _harmless_content(self, kind: str | None, record: Any) -> Any:
        """Return what may be uploaded of a record, or None."""
        if kind in _VALUES:
            return getattr(record, kind)
        if kind == "run":
            return self._own_run(record.run)
        if kind == "files":
            return self._own_files(record.files)
        if kind == "artifact":
            return self._own_artifact(record.artifact)
        return self._leave_out(_named(kind, record))

    def _own_run(self, run: Any) -> Any:
        if run.run_id != self.run_id:
            return self._leave_out(f"what it says of another run, {quoted(run.run_id)}")
        run.project, run.entity = self.place.project or "", self.place.entity or ""
        for name in _OF_THE_SERVER:
            run.ClearField(name)
        if can_append():
            run.resume = self.resumes
        return run

    def _own_files(self, record: Any) -> Any:
        """Keep the names of files that were copied out of the run's folder: no others are beside the new log."""
        own = [item for item in record.files if item.path in self.files]
        for item in record.files:
            if item.path not in self.files:
                self._leave_out(f"the file {quoted(item.path)}, which is not in its folder")
        return protocol().FilesRecord(files=own) if own else None

    def _own_artifact(self, artifact: Any) -> Any:
        try:
            rebuilt = rebuild_artifact(artifact, self.run_id, self.place, self.artifact_files)
        except UnfitArtifactError as error:
            return self._leave_out(f"the artifact {quoted(artifact.name)}: {error}")
        self.artifacts.append(LoggedArtifact(type=rebuilt.type, name=rebuilt.name, digest=rebuilt.digest))
        return rebuilt

    def _leave_out(self, what: str) -> None:
        self.left_out[what] = None


def _named(kind: str | None, record: Any) -> str:
    if kind == "use_artifact":
        return f"the use of the artifact {quoted(record.use_artifact.name)}"
    if kind == "tbrecord":
        return f"TensorBoard's folder {quoted(record.tbrecord.log_dir)}"
    return f"records of the kind {kind or 'unknown'}"
