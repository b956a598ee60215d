"""Finding offline runs: those kept in Flyte's storage, and those in W&B's own folders on this machine."""

from __future__ import annotations

import json
import operator
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from ...wandb_client._log_file import read_log
from ...wandb_client._logged_artifacts import ArtifactFile, staging_folder
from .._file_names import assign_local_paths
from .._md5 import md5_of_file
from ._keep import OFFLINE
from ._manifest import ARTIFACTS, KEPT, OfflineManifest, checked, parse_manifest
from ._storage import LeadsOutError, Storage, open_storage

NOTE: Final = "flyte-wandb-sync.json"
"""The file in a run's folder that says how far its upload is."""

SYNCED: Final = ".synced"
"""What W&B adds to the name of a log for the mark that the log was uploaded."""

_MOST: Final = 1 << 20
"""Bytes of a note or manifest that are read; those that we write have some hundred."""

_FILES: Final = "files/"
_LOG: Final = ".wandb"
_OWN: Final = "offline-run-"
_ONLINE: Final = "run-"


class NotSyncedError(Exception):
    """An offline run cannot be uploaded; the message is why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncNote:
    """How far the upload of a run is.

    Attributes:
        synced: Whether the server has all of it.
        before: Rows that the server had of the run before the first upload.
    """

    synced: bool
    before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineRun:
    """The folder of an offline run.

    Attributes:
        folder: The folder.
        sizes: Its files and their bytes.
        kept: Whether it was kept by a task, rather than being W&B's own folder on this machine.
    """

    folder: Storage
    sizes: Mapping[str, int]
    kept: bool

    @property
    def place(self) -> str:
        """Its path or address."""
        return self.folder.place

    @property
    def name(self) -> str:
        """Its name, which starts with the time at which the run was started."""
        return PurePosixPath(self.place).name

    @property
    def log(self) -> str:
        """The name of the run's log.

        Raises:
            NotSyncedError: There is none.
        """
        name = next(filter(_is_log, self.sizes), None)
        if name is None:
            raise NotSyncedError("its folder has no log, or the log is not a plain file")
        return name

    @property
    def was_online(self) -> bool:
        """Whether W&B has got rows of it while it ran."""
        return not self.name.startswith(_OWN)

    def is_written_by_user(self) -> bool:
        """Whether the user of this process has written it, so that it goes where it says.

        Raises:
            LeadsOutError: Its log or manifest is kept elsewhere.
        """
        return all(map(self.folder.is_written_by_user, (self.log, *((KEPT,) if self.kept else ()))))

    def read_manifest(self) -> OfflineManifest:
        """Read which run it is.

        Raises:
            NotSyncedError: Nobody can say.
        """
        if self.kept:
            try:
                return parse_manifest(self.folder.read(KEPT, _MOST))
            except ValueError as error:
                raise NotSyncedError(f"its {KEPT} cannot be read: {error}") from error
        with tempfile.TemporaryDirectory(prefix="wandb-sync-") as folder:
            copy = Path(folder, "run.wandb")
            self.fetch_log(copy)
            run = read_log(copy)
        if not run.run_id:
            raise NotSyncedError(HEADLESS)
        try:
            return checked(
                OfflineManifest(run_id=run.run_id, project=run.project, entity=run.entity, exit_code=run.exit_code)
            )
        except ValueError as error:
            raise NotSyncedError(f"its log cannot be uploaded: {error}") from error

    def read_note(self) -> SyncNote | None:
        """Return how far its upload is, or None where nobody has begun it."""
        if f"{self.log}{SYNCED}" in self.sizes:
            return SyncNote(synced=True, before=0)
        if NOTE not in self.sizes:
            return None
        try:
            note = json.loads(self.folder.read(NOTE, _MOST))
            before = operator.index(note["before"])
            if before < 0:
                raise ValueError(f"before is {before}")
            return SyncNote(synced=note["synced"] is True, before=before)
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise NotSyncedError(f"its {NOTE} cannot be read; remove it if W&B does not have the run") from error

    def write_note(self, note: SyncNote) -> None:
        """Write how far its upload is, for W&B's own command, too, where it is W&B's own folder."""
        self.folder.write(NOTE, json.dumps({"synced": note.synced, "before": note.before}).encode())
        if note.synced and not self.kept:
            self.folder.write(f"{self.log}{SYNCED}", b"")

    def fetch_log(self, target: Path) -> None:
        """Copy its log to this machine.

        Raises:
            LeadsOutError: The log is kept elsewhere.
        """
        self.folder.fetch(self.log, target)

    def fetch_files(self, target: Path) -> dict[str, str | None]:
        """Copy its files into a folder of this machine.

        Returns:
            The name of each, relative to the target, and why it was left out, or None. What comes from storage stays
            inside of its folder, here and there.
        """
        names = [name.removeprefix(_FILES) for name in self.sizes if name.startswith(_FILES)]
        paths = assign_local_paths(names)
        return {
            name: self._fetch_file(name, target / name) if paths[name] == name else "its name is not a plain path"
            for name in names
        }

    def fetch_artifact_files(self, files: Iterable[ArtifactFile], target: Path) -> dict[str, Path]:
        """Copy the files of its artifacts into a folder of this machine.

        Args:
            files: Those that its log names. Their names and paths are texts of whoever has written the log.
            target: The folder.

        Returns:
            The copy of each content by its md5 in hex, as far as the content was kept and is the one that was logged.
            Of a run that a task has kept nothing is read but what was kept with it; of W&B's own folder on this
            machine, if the user has written it, what is in W&B's staging folder.
        """
        target.mkdir(parents=True)
        staging = staging_folder()
        own = not self.kept and self.is_written_by_user()
        copies: dict[str, Path] = {}
        for file in files:
            if file.md5 is None or file.md5 in copies:
                continue
            copy = target / file.md5
            if f"{ARTIFACTS}{file.md5}" in self.sizes:
                source, name = self.folder, f"{ARTIFACTS}{file.md5}"
            elif own and Path(file.path).parent == staging:
                source, name = open_storage(str(staging)), Path(file.path).name
            else:
                continue
            # Compared in a folder of our own, where nobody changes it any more.
            if _fetch_plain_file(source, name, copy) and md5_of_file(copy).hex() == file.md5:
                copies[file.md5] = copy
        return copies

    def _fetch_file(self, name: str, target: Path) -> str | None:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.folder.fetch(f"{_FILES}{name}", target)
        except LeadsOutError as error:
            return str(error)
        return None


def _fetch_plain_file(source: Storage, name: str, target: Path) -> bool:
    try:
        source.fetch(name, target)
    except (LeadsOutError, FileNotFoundError):
        return False
    return True


HEADLESS: Final = "its log ends before it names the run, so there is nothing to upload"


def find_offline_runs(place: str, flyte_run: str | None) -> list[OfflineRun]:
    """Return the folders of offline runs in and below a place, in the order of their names.

    Args:
        place: Path or address of one of them, or of a folder above.
        flyte_run: Only those that this Flyte run has kept, or None for all.
    """
    above = open_storage(place)
    below = above.below(f"{OFFLINE}/{flyte_run}" if flyte_run else OFFLINE)
    roots = ((root, root.sizes()) for root in (below, above))
    found = next(filter(None, (_find_in_folder(root, sizes) for root, sizes in roots)), [])
    return [one for one in found if flyte_run is None or _belongs_to_flyte_run(one, flyte_run)]


def _belongs_to_flyte_run(found: OfflineRun, flyte_run: str) -> bool:
    """Whether a Flyte run has saved it. If that is unknown, it is shown rather than skipped."""
    try:
        return found.read_manifest().flyte_run == flyte_run if found.kept else False
    except Exception:  # whatever is wrong with it: its outcome says so
        return True


def _find_in_folder(root: Storage, sizes: Mapping[str, int]) -> list[OfflineRun]:
    with_log = {_parent_name(name) for name in sizes if name.endswith(_LOG)}
    with_manifest = {_parent_name(name) for name in sizes if PurePosixPath(name).name == KEPT}
    runs = {
        parent
        for parent in with_log | with_manifest
        if _is_run_folder(
            PurePosixPath(f"{root.place}/{parent}").name, has_log=parent in with_log, kept=parent in with_manifest
        )
    }
    own: dict[str, dict[str, int]] = {parent: {} for parent in runs}
    for name, size in sizes.items():
        for parent in filter(runs.__contains__, _enclosing_folders(name)):
            own[parent][name.removeprefix(f"{parent}/")] = size
    found = (
        OfflineRun(folder=root.below(parent) if parent else root, sizes=files, kept=KEPT in files)
        for parent, files in own.items()
    )
    # W&B names the folder of a run that was online without the prefix, and the time is what they are sorted by.
    return sorted(found, key=lambda run: (run.name.removeprefix("offline-"), run.place))


def _is_run_folder(name: str, *, has_log: bool, kept: bool) -> bool:
    """Whether a folder is that of an offline run, or of one with a missing log, which is worth a message."""
    return (kept or name.startswith(_OWN)) if has_log else name.startswith((_OWN, _ONLINE))


def _parent_name(name: str) -> str:
    return name.rpartition("/")[0]


def _enclosing_folders(name: str) -> Iterator[str]:
    """Yield all folders of a file, the root's being empty."""
    while name:
        name = _parent_name(name)
        yield name


def _is_log(name: str) -> bool:
    return name.endswith(_LOG) and "/" not in name
