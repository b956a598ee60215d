"""Uploading the offline runs of one W&B run: once, whole, in the order of their start, and checked afterwards."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Final

from ..._logging import listed, one_line, quoted
from ..._outcomes import SyncOutcome
from ..._place import Place
from ...wandb_client._delivery import Stretch, count_rows, group_rows
from ...wandb_client._log_file import LoggedRun, can_append, read_log, read_row_times
from ...wandb_client._logged_artifacts import LoggedArtifact, read_artifact_files
from ...wandb_client._rebuilt_log import LogRebuilder
from ...wandb_client._sync import UploadError, upload_folders
from .._progress import Watch
from .._workers import Stop, StoppedError
from ._find import HEADLESS, NotSyncedError, OfflineRun, SyncNote
from ._manifest import OfflineManifest
from ._servers import RunOnServer, Servers
from ._storage import LeadsOutError

_PATIENCE: Final = 20.0
"""Seconds until a server shows what it was sent."""

_LOOK: Final = 0.25

_UPLOAD_SECONDS: Final = 1800.0
_SLOWEST: Final = 64 * 1024
"""An upload has so many seconds, and one more for as many bytes. W&B's command would wait for a server for ever."""

_UPLOAD: Final = "upload"
"""The folder beside the copy of a log that is uploaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadContext:
    """What all uploads of a call share.

    Attributes:
        servers: The servers.
        own: Whether all runs are the user's own, because they are in the user's own place.
        watch: Is told how far it is.
        stop: Ends it.
    """

    servers: Servers
    own: bool
    watch: Watch
    stop: Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """What of one copy is uploaded.

    Attributes:
        left_out: What is not, in words.
        artifacts: The versions of artifacts that are.
    """

    left_out: tuple[str, ...]
    artifacts: tuple[LoggedArtifact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copy:
    """The copy of an offline run on this machine.

    Attributes:
        found: The offline run.
        log: The copy of its log.
        run: What the log says.
        files: Names of its files, and why they were left out, or None.
        artifact_files: Copies of files of its artifacts, by their md5 in hex.
        delivered: Rows that the server has already.
        identified: Whether the server was asked for each row, so that `delivered` is up to date.
    """

    found: OfflineRun
    log: Path
    run: LoggedRun
    files: Mapping[str, str | None]
    artifact_files: Mapping[str, Path]
    delivered: tuple[Stretch, ...] = ()
    identified: bool = False

    @property
    def upload(self) -> Path:
        """The folder that is uploaded: the rebuilt log, and the files beside it."""
        return self.log.with_name(_UPLOAD)

    @property
    def size(self) -> int:
        """Bytes of its files, and of those of its artifacts that are not among them."""
        return sum(self.found.sizes.values()) + sum(path.stat().st_size for path in self.artifact_files.values())

    @property
    def own_files(self) -> frozenset[str]:
        """Names of the files that are uploaded."""
        return frozenset(name for name, fault in self.files.items() if fault is None)

    @property
    def rows_to_send(self) -> int:
        """How many rows the server does not have."""
        if self.identified:
            return self.run.rows - count_rows(self.delivered)
        delivered = (min(first + count, self.run.rows) - min(first, self.run.rows) for first, count in self.delivered)
        return self.run.rows - sum(delivered)

    @property
    def resumes(self) -> bool:
        """Whether its rows come after those that the run has: a task's next attempt continues the run."""
        return self.run.resumes or self.found.kept


def upload_run(run: OfflineManifest, folders: Sequence[OfflineRun], tools: UploadContext) -> list[SyncOutcome]:
    """Upload the folders of one run, and note in each that the server has it.

    Args:
        run: The run.
        folders: Its folders, one for each attempt, in the order of their start.
        tools: What the call works with.

    Returns:
        An outcome for each.

    Raises:
        StoppedError: It was stopped.
    """
    failed: list[SyncOutcome] = []
    try:
        place = tools.servers.choose_place(run, own=tools.own or all(found.is_written_by_user() for found in folders))
        tools.servers.look_up_run(place, run.run_id)
        with tempfile.TemporaryDirectory(prefix="wandb-sync-") as work:
            copies, failed = _copy_all(folders, run, Path(work, "runs"))
            if not copies:
                return failed
            there, sent = _upload_missing(run.run_id, copies, place, Path(work), tools)
            for copy in copies:
                if not copy.run.damaged_at:
                    copy.found.write_note(SyncNote(synced=True, before=0))
    except StoppedError:
        raise
    except Exception as error:  # whatever is wrong with one run, the others are uploaded
        done = {outcome.place for outcome in failed}
        return [*failed, *(_failed(found, run, error) for found in folders if found.place not in done)]
    for copy in copies:
        tools.watch.done(len(copy.found.sizes))
        tools.watch.received(sum(copy.found.sizes.values()))
        tools.watch.rows(copy.run.rows)
    return [*failed, *(_outcome_of_copy(copy, place, there, one) for copy, one in zip(copies, sent, strict=True))]


def _copy_all(folders: Sequence[OfflineRun], run: OfflineManifest, work: Path) -> tuple[list[_Copy], list[SyncOutcome]]:
    """Copy the attempts of a run, and say which cannot be: a broken one keeps no other from its upload."""
    copies, failed = [], []
    for number, found in enumerate(folders):
        try:
            copies.append(_copy_run(found, run, work / str(number)))
        except (NotSyncedError, LeadsOutError) as error:
            failed.append(_failed(found, run, error))
    return copies, failed


def _failed(found: OfflineRun, run: OfflineManifest, error: Exception) -> SyncOutcome:
    return SyncOutcome(place=found.place, status="failed", run_id=run.run_id, reason=reason(error))


def reason(error: Exception) -> str:
    """Say in one line why a run was not uploaded."""
    expected = isinstance(error, (NotSyncedError, UploadError, LeadsOutError, OSError))
    return one_line(error) if expected else f"{type(error).__name__}: {one_line(error)}"


def format_target(place: Place) -> str:
    """Return the project of a place, with its entity if it has one."""
    return "/".join(filter(None, (place.entity, place.project)))


def _outcome_of_copy(copy: _Copy, place: Place, there: RunOnServer, sent: _Sent) -> SyncOutcome:
    return SyncOutcome(
        place=copy.found.place,
        status="synced",
        run_id=copy.run.run_id,
        target=format_target(place),
        rows=copy.run.rows,
        torn=copy.run.torn,
        damaged_at=copy.run.damaged_at,
        missing_rows=copy.run.missing_rows,
        url=there.url,
        left_out=sent.left_out,
        artifacts=len(sent.artifacts),
    )


def _copy_run(found: OfflineRun, about: OfflineManifest, work: Path) -> _Copy:
    work.mkdir(parents=True)
    log = work / "run.wandb"
    found.fetch_log(log)
    run = read_log(log)
    if not run.run_id:
        raise NotSyncedError(HEADLESS)
    if run.run_id != about.run_id:
        raise NotSyncedError(f"it was saved as the run {about.run_id!r}, but its log is that of {run.run_id!r}")
    # Also of a run without files: W&B's service writes its own there (machine, config, summary), and makes no folder.
    (work / _UPLOAD / "files").mkdir(parents=True)
    return _Copy(
        found=found,
        log=log,
        run=run,
        files=found.fetch_files(work / _UPLOAD / "files"),
        artifact_files=found.fetch_artifact_files(read_artifact_files(log), work / "artifacts"),
        delivered=found.read_manifest().delivered,  # of this attempt: another one has rows of its own
    )


def _upload_missing(
    run_id: str, copies: Sequence[_Copy], place: Place, work: Path, tools: UploadContext
) -> tuple[RunOnServer, list[_Sent]]:
    """Send what the server does not have, and return the run when it has all of it, and what was sent of each copy."""
    there = tools.servers.look_up_run(place, run_id)
    # Where it has less, somebody has deleted the run, or its manifest does not say what is.
    copies = [copy if count_rows(copy.delivered) <= there.rows else replace(copy, delivered=()) for copy in copies]
    if there.rows and any(copy.found.was_online for copy in copies):
        times = tools.servers.row_times(place, run_id)
        copies = [_identify_rows(copy, times) if copy.found.was_online else copy for copy in copies]
    begun = [note.before for copy in copies if not copy.identified and (note := copy.found.read_note())]
    before = min(begun, default=there.rows)
    wanted = reduce(lambda rows, copy: copy.rows_to_send + (rows if copy.resumes else 0), copies, before)
    sent = _rebuild(copies, tools.servers.with_entity(place), anew=bool(begun) and before == 0)
    artifacts = [artifact for one in sent for artifact in one.artifacts]
    has_rows = begun and there.ended and there.rows >= wanted
    has_rows = has_rows or (there.told_its_end and all(copy.identified and not copy.rows_to_send for copy in copies))
    if has_rows and not tools.servers.list_missing(place, artifacts):
        return there, sent
    _refuse_loss(copies, before, cut_off=bool(begun) and there.rows > before)
    for copy in copies:
        copy.found.write_note(SyncNote(synced=False, before=before))
    seconds = _UPLOAD_SECONDS + sum(copy.size for copy in copies) / _SLOWEST
    upload_folders([copy.upload for copy in copies], place, work, tools.stop.check, seconds=seconds)
    return _wait_for_arrival(run_id, wanted, artifacts, place, tools), sent


def _identify_rows(copy: _Copy, times: Collection[float]) -> _Copy:
    """Find the rows of a log among those that the server has by now, if each row can be identified.

    W&B's service may have sent more than was known when the log was saved: rows with a lost answer, or rows that it
    sent when it responded again.
    """
    rows = dict(read_row_times(copy.log))
    if None in rows.values() or len(set(rows.values())) < len(rows):
        return copy
    arrived = (number for number, time in rows.items() if time in times)
    return replace(copy, delivered=tuple(group_rows(arrived)), identified=True)


def _refuse_loss(copies: Sequence[_Copy], before: int, *, cut_off: bool) -> None:
    """Refuse what would lose rows of the run, or have some of them there twice.

    Args:
        copies: What is to be uploaded.
        before: Rows that the server had of the run before the first upload.
        cut_off: Whether it has more by now, from an upload that was cut off.

    Raises:
        NotSyncedError: It is refused.
    """
    if not can_append() and (before or len(copies) > 1):
        raise NotSyncedError(
            "its run has rows of another attempt, which this version of wandb would write over; upload it with wandb "
            "0.31 or later"
        )
    if before and cut_off and copies[0].resumes:
        raise NotSyncedError(
            f"an earlier upload was cut off, and the run had {before:,} rows before it, so another one would have rows "
            "there twice; delete the run in W&B's UI, and upload all attempts again"
        )


def _rebuild(copies: Sequence[_Copy], place: Place, *, anew: bool) -> list[_Sent]:
    """Write the logs that are uploaded: harmless records only, up to the tear of a torn log.

    Attempts continue their run. After an interrupted upload a run starts over: otherwise its rows would be there twice,
    because W&B appends to a run that continues.
    """
    sent = []
    for number, copy in enumerate(copies):
        rebuilder = LogRebuilder(
            run_id=copy.run.run_id,
            place=place,
            resumes=copy.resumes and not (anew and number == 0),
            files=copy.own_files,
            artifact_files=copy.artifact_files,
            delivered=copy.delivered,
        )
        rebuilder.rebuild(copy.log, copy.upload / copy.log.name)
        faults = [f"the file {quoted(name)}: {fault}" for name, fault in copy.files.items() if fault is not None]
        sent.append(_Sent(left_out=(*faults, *rebuilder.left_out), artifacts=tuple(rebuilder.artifacts)))
    return sent


def _wait_for_arrival(
    run_id: str, wanted: int, artifacts: Sequence[LoggedArtifact], place: Place, tools: UploadContext
) -> RunOnServer:
    """Wait until the server shows the run, and the artifacts that it has logged, with all that was sent.

    Raises:
        NotSyncedError: It does not.
    """
    ends = time.monotonic() + _PATIENCE
    while not ((there := tools.servers.look_up_run(place, run_id)).ended and there.rows >= wanted):
        if time.monotonic() > ends:
            raise NotSyncedError(
                f"it was sent, but the server shows {there.rows:,} of {wanted:,} rows"
                f"{'' if there.ended else ' of a run that has not ended'}"
            )
        tools.stop.wait(_LOOK)
    # A run ends when its artifacts are there or have failed, of which W&B's command says nothing.
    if missing := tools.servers.list_missing(place, artifacts):
        raise NotSyncedError(
            f"it was sent, but the server does not have {listed(missing)}; the same call sends it again"
        )
    return there
