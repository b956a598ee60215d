"""Uploading offline runs: what tasks and the command line call."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from functools import partial
from typing import Final

import flyte

from ..._errors import SettingError
from ..._logging import one_line
from ..._outcomes import Status, SyncOutcome
from ..._place import Place
from ...wandb_client._sync import own_wandb_dir
from .._progress import Silent, Watch, watch_progress
from .._workers import Stop, Workers, warn_if_on_event_loop
from ._find import OfflineRun, find_offline_runs
from ._manifest import OfflineManifest
from ._servers import Servers
from ._storage import TooManyFilesError
from ._upload import UploadContext, format_target, reason, upload_run

Target = tuple[str, str, str, str]

_GRACE: Final = 5.0
"""Seconds that uploads have to end in when they are stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """What is to be uploaded, and to where.

    Attributes:
        places: Paths and addresses; where empty, the folder in which offline runs are by default.
        flyte_run: Only runs that this Flyte run has saved, or None for all.
        where: Project, entity and host, which override those of the runs.
        allow: Patterns of ``ENTITY/PROJECT`` that runs may go to; if empty, the user's own runs go where they ask to.
        at_once: Runs at a time.
        dry_run: Whether to upload nothing.
    """

    places: tuple[str, ...] = ()
    flyte_run: str | None = None
    where: Place
    allow: tuple[str, ...] = ()
    at_once: int = 4
    dry_run: bool = False


def sync_wandb_runs(
    *places: str | os.PathLike[str],
    run: str | None = None,
    project: str | None = None,
    entity: str | None = None,
    host: str | None = None,
    allow: Sequence[str] = (),
    at_once: int = 4,
    dry_run: bool = False,
) -> tuple[SyncOutcome, ...]:
    """Upload offline runs to W&B: one, all of a Flyte run, or all below a folder or address. Blocks.

    A run that the server already has is not uploaded again. If one run cannot be uploaded, its outcome has the reason,
    and the others are still uploaded.

    Args:
        places: Folders of offline runs, or folders above them: paths, or addresses in a storage that Flyte knows.
            Default: the task's raw data path, or outside of a task W&B's folder, ``./wandb``.
        run: Only what this Flyte run has saved.
        project: The project for the runs. Default: each run's own, as for entity and host.
        entity: The user or team that owns the project.
        host: Base URL of the W&B server. Only this server and the one that W&B's client is configured for get the key.
        allow: Patterns of ``ENTITY/PROJECT`` that runs may go to, such as ``"team/*"``. Default: your own runs (in a
            folder of yours on this machine, or if you pass no place) go where they ask to; all others go only to
            projects of your entity.
        at_once: Concurrent uploads, 1 or more.
        dry_run: Whether to upload nothing, and only report what would be.

    Returns:
        An outcome for each folder, in the order of the places and of their names.

    Raises:
        SettingError: `at_once` is less than 1, or one of the places has no offline run, or cannot be read.

    Example::

        for outcome in sync_wandb_runs("s3://bucket/raw", run="rx7k2"):
            print(outcome.run_id, outcome.status, outcome.reason)
    """
    warn_if_on_event_loop("sync_wandb_runs", "sync_wandb_runs_async")
    where = Place(project=project, entity=entity, host=host)
    texts = tuple(os.fspath(place) for place in places)
    wanted = SyncRequest(places=texts, flyte_run=run, where=where, allow=tuple(allow), at_once=at_once, dry_run=dry_run)
    with watch_progress("offline runs") as watch:
        return sync_runs(wanted, watch, Stop())


async def sync_wandb_runs_async(
    *places: str | os.PathLike[str],
    run: str | None = None,
    project: str | None = None,
    entity: str | None = None,
    host: str | None = None,
    allow: Sequence[str] = (),
    at_once: int = 4,
    dry_run: bool = False,
) -> tuple[SyncOutcome, ...]:
    """Upload offline runs like `sync_wandb_runs`, without blocking the event loop. Cancelling it stops the uploads.

    Args:
        places: See `sync_wandb_runs`, like the others.
        run: Only what this Flyte run has saved.
        project: The project for the runs.
        entity: The user or team that owns the project.
        host: Base URL of the W&B server.
        allow: Patterns of ``ENTITY/PROJECT`` that runs may go to.
        at_once: Concurrent uploads, 1 or more.
        dry_run: Whether to upload nothing.

    Returns:
        An outcome for each folder.

    Raises:
        SettingError: See `sync_wandb_runs`.
    """
    from .._workers import run_in_thread

    where = Place(project=project, entity=entity, host=host)
    texts = tuple(os.fspath(place) for place in places)
    wanted = SyncRequest(places=texts, flyte_run=run, where=where, allow=tuple(allow), at_once=at_once, dry_run=dry_run)
    outcomes: list[SyncOutcome] = []
    await run_in_thread(lambda stop: outcomes.extend(sync_runs(wanted, Silent(), stop)))
    return tuple(outcomes)


def sync_runs(wanted: SyncRequest, watch: Watch, stop: Stop) -> tuple[SyncOutcome, ...]:
    """Upload what is wanted. Blocks.

    Raises:
        SettingError: See `sync_wandb_runs`.
        StoppedError: It was stopped.
    """
    if wanted.at_once < 1:
        raise SettingError(f"at_once must be 1 or more, not {wanted.at_once}")
    runs = _find_all_runs(wanted)
    servers = Servers(wanted.where, wanted.allow)
    outcomes, left = _sort_runs(runs, servers, dry_run=wanted.dry_run)
    for _, found in itertools.chain(*left.values()):
        watch.expect(len(found.sizes), sum(found.sizes.values()))
    tools = UploadContext(servers=servers, own=not wanted.places, watch=watch, stop=stop)
    uploaded = _run_uploads(
        [partial(_upload_folders, folders, tools) for folders in left.values()], wanted.at_once, stop
    )
    outcomes |= {outcome.place: outcome for outcome in uploaded}
    return tuple(outcomes[found.place] for found in runs)


def _run_uploads(calls: Iterable[Callable[[], list[SyncOutcome]]], at_once: int, stop: Stop) -> list[SyncOutcome]:
    """Make the calls, `at_once` at a time. None of them is running when this one ends."""
    with Workers(at_once, stop) as workers:
        futures = [workers.submit(call) for call in calls]
        try:
            results = workers.results(futures)
        except BaseException:
            stop.set()
            wait(futures, timeout=_GRACE)
            raise
    failure = next((result for result in results if isinstance(result, Exception)), None)
    if failure:
        raise failure
    return list(itertools.chain(*results))


def _upload_folders(folders: list[tuple[OfflineManifest, OfflineRun]], tools: UploadContext) -> list[SyncOutcome]:
    return upload_run(folders[0][0], [found for _, found in folders], tools)


def _find_all_runs(wanted: SyncRequest) -> list[OfflineRun]:
    """Find all runs, each once."""
    runs: dict[str, OfflineRun] = {}
    for place in wanted.places or (_default_place(),):
        try:
            found = find_offline_runs(place, wanted.flyte_run)
        except TooManyFilesError as error:
            raise SettingError(
                f"{place!r} is not searched for offline runs: {error}; name a folder further down, or one Flyte run "
                "with run= (--run)"
            ) from error
        except Exception as error:  # the libraries of storages raise whatever they like
            raise SettingError(
                f"{place!r} cannot be searched for offline runs: {type(error).__name__}: {one_line(error)}; name a "
                "folder, or an address in a storage that Flyte knows"
            ) from error
        if not found and wanted.places:
            of = f" of the Flyte run {wanted.flyte_run!r}" if wanted.flyte_run else ""
            raise SettingError(
                f"there is no offline run{of} in or below {place!r}; name its folder, or a folder or address above it"
            )
        runs |= {one.place: one for one in found}
    return list(runs.values())


def _default_place() -> str:
    context = flyte.ctx()
    return context.raw_data_path.path if context else own_wandb_dir()


def _sort_runs(
    runs: Iterable[OfflineRun], servers: Servers, *, dry_run: bool
) -> tuple[dict[str, SyncOutcome], dict[Target, list[tuple[OfflineManifest, OfflineRun]]]]:
    """Return the outcomes of those that are not uploaded, and those that are, by the W&B run to which they belong."""
    outcomes: dict[str, SyncOutcome] = {}
    left: dict[Target, list[tuple[OfflineManifest, OfflineRun]]] = {}
    for found in runs:
        try:
            about, note = found.read_manifest(), found.read_note()
        except Exception as error:  # whatever is wrong with one run, the others are uploaded
            outcomes[found.place] = SyncOutcome(place=found.place, status="failed", reason=reason(error))
            continue
        if dry_run or (note and note.synced):
            status: Status = "skipped" if note and note.synced else "found"
            target = format_target(servers.proposed_place(about))
            outcomes[found.place] = SyncOutcome(place=found.place, status=status, run_id=about.run_id, target=target)
        else:
            left.setdefault(about.target, []).append((about, found))
    return outcomes, left
