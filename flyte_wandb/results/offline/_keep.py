"""Keeping an offline run in Flyte's storage when its task is over: the disk of a pod goes with the pod."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import flyte

from ..._action import Action
from ..._errors import OpenRunError
from ..._logging import listed, one_line, quoted
from ..._place import without_userinfo
from ...wandb_client._configuration import read_configured
from ...wandb_client._delivery import Shortfall
from ...wandb_client._log_values import wait_for_end
from ...wandb_client._logged_artifacts import read_artifact_files, staging_folder
from ._manifest import ARTIFACTS, KEPT, OfflineManifest
from ._storage import Storage, open_storage

if TYPE_CHECKING:
    import wandb

_LOG: Final = logging.getLogger("flyte_wandb")

OFFLINE: Final = "wandb-offline"
"""The folder below a task's raw data path in which offline runs are kept."""

_FILES: Final = "files"


def keep_offline_run(
    action: Action,
    run: wandb.Run,
    *,
    rank: int | None = None,
    exit_code: int | None = None,
    host: str | None = None,
    shortfall: Shortfall | None = None,
) -> str | None:
    """Copy the folder of an offline run that was finished to the raw data path of its task. Blocks, and never raises.

    Keeps a run that was online in the same way where W&B has not acknowledged all of it. Does nothing for one that W&B
    has, or that is disabled, or where Flyte runs the task on this machine in its local mode: the folder is on the
    user's disk already. One line of log says where the run is kept and how it is uploaded; what went wrong is one
    logged error.

    Args:
        action: The action that has opened the run.
        run: The run, which was finished.
        rank: The rank that has written it, where its action has several.
        exit_code: With what it was finished.
        host: The server that it is meant for; None for the one that W&B's client is set to.
        shortfall: What W&B has not acknowledged of a run that was online, or None.

    Returns:
        Where it is kept: ``{raw data path}/wandb-offline/{Flyte run}/{action}/{name of the folder}``, or None.

    Example::

        keep_offline_run(action, run, rank=0, exit_code=0)
    """
    if action.local or run.disabled or not (run.offline or shortfall):
        return None
    name = _name_run(run, shortfall)
    try:
        folder = Path(run.settings.sync_dir)
        kept = OfflineManifest(
            run_id=run.id,
            project=run.project or None,
            entity=run.entity or None,
            host=host or _client_host(),
            flyte_run=action.run_name,
            action=action.name,
            rank=rank,
            exit_code=exit_code,
            delivered=shortfall.delivered if shortfall else (),
        )
        if not shortfall:
            _wait_for_log(folder)
        place = _copy_folder(folder, kept, _storage_address(action, folder.name))
    except Exception as error:
        _LOG.error(
            "%s was not saved in Flyte's storage: %s; it is in %s as long as this machine exists",
            name,
            one_line(error),
            run.settings.sync_dir,
        )
        return None
    _LOG.warning("%s is saved; upload it with `flyte-wandb sync %s`", name, shlex.quote(place))
    return place


def mark_shortfall(run: wandb.Run, shortfall: Shortfall, *, exit_code: int, host: str | None) -> None:
    """Make the folder of a run that was online, on the user's own disk, one that can be uploaded. Never raises.

    Args:
        run: The run, which was finished.
        shortfall: What W&B has not acknowledged of it.
        exit_code: With what it was finished.
        host: The server that it is meant for; None for the one that W&B's client is set to.
    """
    folder = run.settings.sync_dir
    _LOG.warning(
        "%s is in %s; upload it with `flyte-wandb sync %s`", _name_run(run, shortfall), folder, shlex.quote(folder)
    )
    try:
        open_storage(folder).write(
            KEPT,
            OfflineManifest(
                run_id=run.id,
                project=run.project or None,
                entity=run.entity or None,
                host=host or _client_host(),
                exit_code=exit_code,
                delivered=shortfall.delivered,
            ).to_json(),
        )
    except Exception as error:
        _LOG.error("the folder %s got no %s: %s", folder, KEPT, one_line(error))


def _name_run(run: wandb.Run, shortfall: Shortfall | None) -> str:
    if shortfall is None:
        return f"the offline run {run.id}"
    if not shortfall.missing:
        return f"W&B has not acknowledged the end of the run {run.id}. Its log"
    return f"W&B has not acknowledged {shortfall.missing:,} of {shortfall.rows:,} rows of the run {run.id}. Its log"


def _storage_address(action: Action, name: str) -> Storage:
    context = flyte.ctx()
    if not context:
        raise RuntimeError("no Flyte task is running here, so there is no raw data path")
    return open_storage("/".join((context.raw_data_path.path.rstrip("/"), OFFLINE, action.run_name, action.name, name)))


def _client_host() -> str | None:
    """Return the server that W&B's client is set to, or None where nobody has set one that it takes."""
    try:
        address, source = read_configured("base_url")
    except OpenRunError:
        return None
    return None if source == "W&B's default" else without_userinfo(str(address))


def _copy_folder(folder: Path, kept: OfflineManifest, home: Storage) -> str:
    for path in _files_to_upload(folder):
        home.put(path, path.relative_to(folder).as_posix())
    _copy_artifact_files(folder, kept, home)
    home.write(KEPT, kept.to_json())
    return home.place


def _copy_artifact_files(folder: Path, kept: OfflineManifest, home: Storage) -> None:
    """Copy the files of the run's artifacts, each content once, and say which are nowhere of the run's own."""
    files = [file for log in folder.glob("*.wandb") for file in read_artifact_files(log)]
    own = [place.resolve() for place in (staging_folder(), folder)] if files else []
    paths = {file: Path(file.path).resolve() for file in files if file.md5 and file.path}
    own_paths = {
        file.md5: path for file, path in paths.items() if any(map(path.is_relative_to, own)) and path.is_file()
    }
    for md5, path in own_paths.items():
        home.put(path, f"{ARTIFACTS}{md5}")
    missing = [f"{quoted(file.name)} of {quoted(file.artifact)}" for file in files if file.md5 not in own_paths]
    if missing:
        _LOG.warning(
            "the offline run %s is saved without files of artifacts that are not in W&B's staging folder, such as "
            "those added with policy='immutable': %s",
            kept.run_id,
            listed(list(dict.fromkeys(missing))),
        )


def _files_to_upload(folder: Path) -> Iterator[Path]:
    """Yield what W&B uploads: the log, and the run's files, of which some are links to where the user has them."""
    yield from folder.glob("*.wandb")
    yield from (path for path in (folder / _FILES).rglob("*") if path.is_file())


def _wait_for_log(folder: Path) -> None:
    """Wait until the whole log is on the disk."""
    if not all(map(wait_for_end, folder.glob("*.wandb"))):
        _LOG.warning("the log of the offline run in %s has no end: its last rows may be missing", folder)
