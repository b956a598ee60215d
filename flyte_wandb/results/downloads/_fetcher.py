"""Files of one run, fetched into its folder: those that are not complete there, and each content once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...wandb_client._remote_file import RemoteFile
from .._progress import Watch
from .._workers import Stop, Workers
from ._folder import Folder
from ._journal import Journal
from ._transfer import TransferError, Transfers, read_md5


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadContext:
    """What all runs of a download share.

    Attributes:
        workers: Threads for all calls that ask a server.
        transfers: Connections for files.
        stop: Ends the download.
        watch: Shows how far it is.
        artifact_bytes: Bytes of artifacts that are fetched of one run where nobody names them.
        lasting: Whether the folder stays, so that another call can fetch more into it.
    """

    workers: Workers
    transfers: Transfers
    stop: Stop
    watch: Watch
    artifact_bytes: int
    lasting: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A file to write into the folder.

    Attributes:
        file: The file as the server lists it.
        path: Its path below the folder.
        name: What an error calls it.
        refresh: Lists it anew.
    """

    file: RemoteFile
    path: str
    name: str
    refresh: Callable[[RemoteFile], RemoteFile]

    @property
    def stamp(self) -> dict[str, Any]:
        """What the journal has of the file."""
        return _file_stamp(self.file)

    @property
    def content(self) -> bytes | str:
        """What files with the same bytes have in common: their md5, or else nothing but the own path."""
        return read_md5(self.file) or self.path


class Fetcher:
    """Fetches files into a folder that is claimed.

    Args:
        folder: The folder.
        journal: What is complete in it.
        context: What all runs of the download share.
    """

    def __init__(self, folder: Folder, journal: Journal, context: DownloadContext) -> None:
        self._folder, self._journal, self._context = folder, journal, context

    def is_complete(self, target: Target) -> bool:
        """Whether a file is there from an earlier call."""
        return self._journal.has(target.path, target.stamp)

    def fetch(self, targets: Sequence[Target]) -> dict[str, Exception]:
        """Fetch what is not complete, and wait for it.

        Returns:
            Why a file was not fetched, by its name.

        Raises:
            StoppedError: The download was stopped.
        """
        complete = {target.content: target.path for target in targets if self.is_complete(target)}
        groups: dict[bytes | str, list[Target]] = {}
        for target in targets:
            if not self.is_complete(target):
                groups.setdefault(target.content, []).append(target)
        self._expect(groups, complete)
        calls = [partial(self._fetch_group, group, complete.get(content)) for content, group in groups.items()]
        results = self._context.workers.results([self._context.workers.submit(call) for call in calls])
        return {
            target.name: result
            for group, result in zip(groups.values(), results, strict=True)
            if isinstance(result, Exception)
            for target in group
            if not self.is_complete(target)
        }

    def _expect(self, groups: Mapping[bytes | str, Sequence[Target]], complete: Collection[bytes | str]) -> None:
        size = sum(group[0].file.size or 0 for content, group in groups.items() if content not in complete)
        self._context.watch.expect(sum(map(len, groups.values())), size)

    def _fetch_group(self, group: Sequence[Target], source: str | None) -> None:
        """Fetch one content, unless it is here already, and copy it to all its other names."""
        failure: TransferError | None = None
        for target in group:
            try:
                self._fetch_file(target, source)
            except TransferError as error:
                failure = error
                if error.temporary:  # the server does not answer, so it has no other name of it either
                    break
            else:
                source = target.path
        if failure:
            self._copy_rest(group, source, failure)

    def _copy_rest(self, group: Sequence[Target], source: str | None, failure: TransferError) -> None:
        """Copy what the server has under another name only, such as in another version of an artifact."""
        for target in group:
            if not self.is_complete(target) and not (source and self._copy(source, target)):
                raise failure

    def _fetch_file(self, target: Target, source: str | None) -> None:
        if self._is_whole(target):
            self._journal.note(target.path, target.stamp)
        elif source is None or not self._copy(source, target):
            self._download(target)
        self._context.watch.done(1)

    def _is_whole(self, target: Target) -> bool:
        """Whether the file is complete, although the journal does not list it: the process was killed in between."""
        file, path = target.file, target.path
        if not file.md5 or self._folder.size(path) != file.size:
            return False
        return self._folder.md5(path) == read_md5(file)

    def _copy(self, source: str, target: Target) -> bool:
        """Copy a file of the folder, and return whether its content is as expected: it may have been changed."""
        self._context.stop.check()
        if self._folder.size(source) != target.file.size:
            return False
        with self._folder.stage_file() as (into, staged):
            if self._folder.copy(source, into) != read_md5(target.file):
                return False
            self._folder.place_file(into, staged, target.path)
        self._journal.note(target.path, target.stamp)
        return True

    def _download(self, target: Target) -> None:
        transfers = self._context.transfers
        with self._folder.stage_file() as (into, staged):
            attempt = partial(transfers.receive_file, into=into, seen=self._context.watch.received)
            arrived = transfers.transfer_with_retries(attempt, target.file, target.refresh)
            self._context.stop.check()
            self._folder.place_file(into, staged, target.path)
        # The stamp of what arrived: the file may have changed since it was listed.
        self._journal.note(target.path, _file_stamp(arrived))


def _file_stamp(file: RemoteFile) -> dict[str, Any]:
    return {"size": file.size, "md5": file.md5, "updated": file.updated}
