"""Artifacts of one run: which of them are fetched, where their files go, and what is written of them."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from ..._errors import DownloadError
from ..._logging import listed, one_line, quoted
from ...wandb_client._artifacts import RemoteArtifact, parse_manifest
from ...wandb_client._reader import RemoteRun
from ...wandb_client._remote_file import RemoteFile
from .._file_names import assign_local_paths
from ._fetcher import DownloadContext, Fetcher, Target
from ._folder import Folder
from ._limits import ARTIFACTS_VARIABLE
from ._transfer import TransferError

T = TypeVar("T")
_LOG = logging.getLogger("flyte_wandb")

ArtifactChoice: TypeAlias = bool | tuple[str, ...] | None
"""Which artifacts to fetch: all, none, those with these names, or (None) as many as the bound allows."""

_FOLDER: Final = "artifacts"

_MOST_MANIFEST: Final = 128 << 20
"""Bytes of a manifest that are read: an entry has about 200, so they are enough for 600,000 files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contents:
    """What a version consists of.

    Attributes:
        artifact: The version.
        folder: Its folder below that of the run.
        targets: Its files; of those that are not here their address is still to be asked for.
        references: Where files are that W&B does not have, by their names.
        renamed: Paths below the folder of files that have another one than their name.
    """

    artifact: RemoteArtifact
    folder: str
    targets: tuple[Target, ...]
    references: dict[str, str]
    renamed: dict[str, str]

    @property
    def size(self) -> int:
        """Bytes of its files, without what it refers to."""
        return sum(target.file.size or 0 for target in self.targets)


def read_choice(value: bool | Sequence[str] | None) -> ArtifactChoice:
    """Return the choice that an argument stands for.

    >>> read_choice("model"), read_choice(["model:v0", "data"]), read_choice(True)
    (('model',), ('model:v0', 'data'), True)
    """
    if value is None or isinstance(value, bool):
        return value
    return (value,) if isinstance(value, str) else tuple(value)


class ArtifactDownload:
    """The artifacts of one run, on their way into its folder, which is claimed.

    Args:
        run: The run.
        folder: Its folder.
        fetcher: Fetches files into it.
        context: What all runs of the download share.
        choice: Which artifacts to fetch.

    Attributes:
        failures: What could not be had, by its name in an error.
    """

    def __init__(
        self, run: RemoteRun, folder: Folder, fetcher: Fetcher, context: DownloadContext, choice: ArtifactChoice
    ) -> None:
        self._run, self._folder, self._fetcher, self._context, self._choice = run, folder, fetcher, context, choice
        self._logged: list[RemoteArtifact] = []
        self._used: list[RemoteArtifact] = []
        self._contents: dict[str, _Contents] = {}
        self._chosen: list[_Contents] = []
        self._deleted: set[str] = set()
        self.failures: dict[str, Exception] = {}

    def find_targets(self) -> list[Target]:
        """List the run's artifacts, choose what to fetch of them, and ask where the files are. Waits for the server.

        Raises:
            DownloadError: The run has no artifact with one of the names.
            StoppedError: The download was stopped.
        """
        lists = {
            "the list of its artifacts": self._run.logged_artifacts,
            "the list of its inputs": self._run.used_artifacts,
        }
        found = self._call_all(lists)
        logged, self._used = (found.get(name, []) for name in lists)
        self._logged = sorted(logged, key=lambda artifact: artifact.age, reverse=True)
        if not self.failures:
            self._refuse_unknown_names()
        self._read_all_contents()
        self._chosen = self._choose()
        return self._add_addresses()

    def drop_deleted(self, failures: Mapping[str, Exception]) -> dict[str, Exception]:
        """Leave out artifacts that were deleted since they were listed. Waits for the server.

        Args:
            failures: Files that could not be fetched, by their names.

        Returns:
            All that could not be had, without what is not there any more.
        """
        left = {**self.failures, **failures}
        failed = {artifact: names for artifact in self._logged if (names := self._failures_of(artifact, left))}
        if not failed:
            return left
        (listing,) = self._context.workers.results([self._context.workers.submit(self._run.logged_artifacts)])
        there = None if isinstance(listing, Exception) else {artifact.id for artifact in listing}
        for artifact, names in failed.items():
            if there is not None and artifact.id not in there:
                self._forget(artifact)
                left = {name: error for name, error in left.items() if name not in names}
        return left

    def describe(self) -> dict[str, Any]:
        """Return what ``artifacts.json`` says of them."""
        return {
            "logged": [self._describe_logged(artifact) for artifact in self._logged],
            "used": [artifact.facts for artifact in self._used],
        }

    @property
    def fetched(self) -> list[tuple[Target, ...]]:
        """The files of each artifact that was to be fetched, and was not deleted meanwhile."""
        return [contents.targets for contents in self._chosen]

    def log_rest(self) -> None:
        """Say in one line which artifacts are larger than the bound, and how to have them."""
        chosen = {contents.artifact.id for contents in self._chosen}
        rest = [contents for name, contents in self._contents.items() if name not in chosen]
        if self._choice is not None or not rest:
            return
        to = f" --to {shlex.quote(str(self._folder.root))}" if self._context.lasting else ""
        _LOG.warning(
            "%d of %d artifacts of the run %s were not fetched, for they are more than the %.4g GiB of %s: %s (%s "
            "bytes); fetch them with `flyte-wandb download %s%s --artifacts`",
            len(rest),
            len(self._logged),
            self._run.id,
            self._context.artifact_bytes / 2**30,
            ARTIFACTS_VARIABLE,
            listed([contents.artifact.name for contents in rest]),
            f"{sum(contents.size for contents in rest):,}",
            shlex.quote(self._run.url),
            to,
        )

    def _call_all(self, calls: Mapping[str, Callable[[], T]]) -> dict[str, T]:
        """Have the workers make calls, and return what those have returned that did not fail."""
        futures = [self._context.workers.submit(call) for call in calls.values()]
        outcomes = dict(zip(calls, self._context.workers.results(futures), strict=True))
        self.failures |= {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, Exception)}
        return {name: outcome for name, outcome in outcomes.items() if not isinstance(outcome, Exception)}

    def _refuse_unknown_names(self) -> None:
        names = self._choice if isinstance(self._choice, tuple) else ()
        for name in names:
            if not any(_is_named(artifact, name) for artifact in self._logged):
                known = listed([artifact.name for artifact in self._logged], most=10) or "none"
                raise DownloadError(
                    f"the run {self._run.id} ({self._run.url}) has logged no artifact {quoted(name)}; it has logged "
                    f"{known}"
                )

    def _read_all_contents(self) -> None:
        names = {artifact.id: f"{artifact.collection}/{artifact.version}" for artifact in self._logged}
        folders = assign_local_paths(names.values())
        calls = {
            _manifest_label(artifact): partial(
                self._read_contents, artifact, f"{_FOLDER}/{folders[names[artifact.id]]}"
            )
            for artifact in self._logged
            if artifact.is_committed and (not artifact.is_of_wandb or self._is_named(artifact))
        }
        self._contents = {contents.artifact.id: contents for contents in self._call_all(calls).values()}

    def _read_contents(self, artifact: RemoteArtifact, folder: str) -> _Contents:
        with self._folder.stage_file() as (into, _):
            attempt = partial(self._context.transfers.receive_file, into=into, seen=_ignore, most=_MOST_MANIFEST)
            self._context.transfers.transfer_with_retries(attempt, artifact.manifest(), lambda _: artifact.manifest())
            into.seek(0)
            entries = parse_manifest(into.read())
        paths = assign_local_paths(entry.name for entry in entries if entry.reference is None)
        targets = tuple(
            Target(
                file=RemoteFile(name=entry.name, url="", size=entry.size, md5=entry.md5),
                path=f"{folder}/{paths[entry.name]}",
                name=f"{folder}/{entry.name}",
                refresh=partial(_ask_address, artifact),
            )
            for entry in entries
            if entry.reference is None
        )
        return _Contents(
            artifact=artifact,
            folder=folder,
            targets=targets,
            references={entry.name: entry.reference for entry in entries if entry.reference is not None},
            renamed={name: path for name, path in paths.items() if name != path},
        )

    def _choose(self) -> list[_Contents]:
        """Return what to fetch: without a choice the newest, as many as the bound allows."""
        if self._choice is not None:
            return [one for one in self._contents.values() if self._choice is True or self._is_named(one.artifact)]
        chosen, left = [], self._context.artifact_bytes
        for contents in self._contents.values():
            if contents.size <= left:
                chosen.append(contents)
                left -= contents.size
        return chosen

    def _is_named(self, artifact: RemoteArtifact) -> bool:
        return isinstance(self._choice, tuple) and any(_is_named(artifact, name) for name in self._choice)

    def _add_addresses(self) -> list[Target]:
        """Return the files of what was chosen, with the addresses of those that are not here."""
        incomplete = [one for one in self._chosen if not all(map(self._fetcher.is_complete, one.targets))]
        addresses = self._call_all({_files_label(one.artifact): one.artifact.files for one in incomplete})
        return [
            replace(target, file=replace(target.file, url=addresses.get(label, {}).get(target.file.name, "")))
            for one in self._chosen
            if (label := _files_label(one.artifact)) not in self.failures
            for target in one.targets
        ]

    def _failures_of(self, artifact: RemoteArtifact, failures: Collection[str]) -> set[str]:
        contents = self._contents.get(artifact.id)
        files = {target.name for target in contents.targets} if contents else set()
        return {_manifest_label(artifact), _files_label(artifact), *files} & set(failures)

    def _forget(self, artifact: RemoteArtifact) -> None:
        _LOG.warning("the artifact %s of the run %s was deleted during the download", artifact.name, self._run.id)
        contents = self._contents.pop(artifact.id, None)
        for target in contents.targets if contents else ():
            self._folder.remove(target.path)
        self._chosen = [one for one in self._chosen if one.artifact.id != artifact.id]
        self._deleted.add(artifact.id)

    def _describe_logged(self, artifact: RemoteArtifact) -> dict[str, Any]:
        contents = self._contents.get(artifact.id)
        here = contents is not None and all(map(self._fetcher.is_complete, contents.targets))
        return {
            **artifact.facts,
            "folder": contents.folder if contents and here else None,
            "files": len(contents.targets) if contents else None,
            "renamed_files": contents.renamed if contents else {},
            "references": contents.references if contents else {},
            "left_out": None if here else self._why_left_out(artifact),
        }

    def _why_left_out(self, artifact: RemoteArtifact) -> str:
        if artifact.id in self._deleted:
            return "deleted during the download"
        if not artifact.is_committed:
            return "incomplete on the server"
        if artifact.is_of_wandb:
            return "an internal artifact of W&B"
        return "not named" if self._choice is not None else f"over the limit {ARTIFACTS_VARIABLE}"


def _is_named(artifact: RemoteArtifact, name: str) -> bool:
    collection, _, version = name.partition(":")
    return artifact.collection == collection and version in ("", artifact.version, *artifact.aliases)


def _ask_address(artifact: RemoteArtifact, file: RemoteFile) -> RemoteFile:
    try:
        address = artifact.files([file.name]).get(file.name)
    except Exception as error:  # W&B's client has none for a version that was deleted meanwhile
        message = f"{artifact.name} can no longer be listed: {one_line(error)}"
        raise TransferError(message, temporary=False) from error
    if address is None:
        raise TransferError(f"{artifact.name} no longer has it", temporary=False)
    return replace(file, url=address)


def _manifest_label(artifact: RemoteArtifact) -> str:
    return f"the manifest of {artifact.name}"


def _files_label(artifact: RemoteArtifact) -> str:
    return f"the list of files of {artifact.name}"


def _ignore(size: int) -> None:
    """Count no bytes: the progress bar does not show manifests."""
