"""Uploading the offline runs of one W&B run: once, whole, in the order of their start, and checked afterwards."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Final

from ..._logging import one_line
from ..._outcomes import SyncOutcome
from ..._place import Place
from ...wandb_client._log_file import LoggedRun, can_append, mend_log, read_log
from ...wandb_client._sync import UploadError, upload_folders
from .._progress import Watch
from .._workers import Stop
from ._find import HEADLESS, NotSyncedError, OfflineRun, SyncNote
from ._manifest import OfflineManifest
from ._servers import RunOnServer, Servers

_PATIENCE: Final = 20.0
"""Seconds until a server shows what it was sent."""

_LOOK: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadContext:
    """What all uploads of a call share.

    Attributes:
        servers: The servers.
        watch: Is told how far it is.
        stop: Ends it.
    """

    servers: Servers
    watch: Watch
    stop: Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copy:
    """The copy of an offline run that is uploaded."""

    found: OfflineRun
    folder: Path
    log: Path
    run: LoggedRun

    @property
    def resumes(self) -> bool:
        """Whether its rows come after those that the run has: a task's next attempt goes on with the run."""
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
    try:
        place = tools.servers.choose_place(run)
        tools.servers.look_up_run(place, run.run_id)
        with tempfile.TemporaryDirectory(prefix="wandb-sync-") as work:
            copies = [_copy_run(found, run, Path(work, "runs", str(number))) for number, found in enumerate(folders)]
            there = _upload_missing(run.run_id, copies, place, Path(work), tools)
            for copy in copies:
                copy.found.write_note(SyncNote(synced=True, before=0))
    except (NotSyncedError, UploadError, OSError) as error:
        return [
            SyncOutcome(place=found.place, status="failed", run_id=run.run_id, reason=one_line(error))
            for found in folders
        ]
    for copy in copies:
        tools.watch.done(len(copy.found.sizes))
        tools.watch.received(sum(copy.found.sizes.values()))
        tools.watch.rows(copy.run.rows)
    return [_outcome_of_copy(copy, there) for copy in copies]


def _outcome_of_copy(copy: _Copy, there: RunOnServer) -> SyncOutcome:
    return SyncOutcome(
        place=copy.found.place,
        status="synced",
        run_id=copy.run.run_id,
        rows=copy.run.rows,
        torn=copy.run.torn,
        url=there.url,
    )


def _copy_run(found: OfflineRun, about: OfflineManifest, work: Path) -> _Copy:
    folder = work / found.name
    log = found.fetch(folder)
    run = read_log(log)
    if not run.run_id:
        raise NotSyncedError(HEADLESS)
    if run.run_id != about.run_id:
        raise NotSyncedError(f"it was kept as the run {about.run_id!r}, and its log is that of {run.run_id!r}")
    return _Copy(found=found, folder=folder, log=log, run=run)


def _upload_missing(
    run_id: str, copies: Sequence[_Copy], place: Place, work: Path, tools: UploadContext
) -> RunOnServer:
    """Send what the server does not have, and return the run when it has all of it."""
    there = tools.servers.look_up_run(place, run_id)
    begun = [note.before for copy in copies if (note := copy.found.read_note())]
    before = min(begun, default=there.rows)
    wanted = reduce(lambda rows, copy: copy.run.rows + (rows if copy.resumes else 0), copies, before)
    if begun and there.ended and there.rows >= wanted:
        return there
    _refuse_loss(copies, before, cut_off=bool(begun) and there.rows > before)
    _mend_logs(copies, anew=bool(begun) and before == 0)
    for copy in copies:
        copy.found.write_note(SyncNote(synced=False, before=before))
    upload_folders([copy.folder for copy in copies], place, work, tools.stop.check)
    return _wait_for_arrival(run_id, wanted, place, tools)


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


def _mend_logs(copies: Sequence[_Copy], *, anew: bool) -> None:
    """Have logs end before their tear, attempts go on, and a run start over where an upload of it was cut off.

    What an upload that was cut off has sent would otherwise be there twice: W&B appends to a run that goes on.
    """
    for number, copy in enumerate(copies):
        resumes = copy.resumes and not (anew and number == 0)
        if not copy.run.intact or resumes != copy.run.resumes:
            mend_log(copy.log, resumes=resumes)


def _wait_for_arrival(run_id: str, wanted: int, place: Place, tools: UploadContext) -> RunOnServer:
    """Wait until the server shows the run as it was sent.

    Raises:
        NotSyncedError: It does not.
    """
    ends = time.monotonic() + _PATIENCE
    while not ((there := tools.servers.look_up_run(place, run_id)).ended and there.rows >= wanted):
        if time.monotonic() > ends:
            raise NotSyncedError(
                f"it was sent, but the server shows {there.rows:,} of {wanted:,} rows"
                f"{'' if there.ended else ' of a run that goes on'}"
            )
        tools.stop.wait(_LOOK)
    return there
