"""The servers to which offline runs go: asked once whether they can be, and then what they have."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Final

from ..._errors import FlyteWandbError
from ..._logging import one_line, quoted
from ..._place import Place, app_url
from ...wandb_client._configuration import configured_place, find_api_key
from ...wandb_client._logged_artifacts import LoggedArtifact
from ...wandb_client._reader import Bounds, Reader, UnknownToServerError
from ...wandb_client._server_info import ask_server
from ...wandb_client._sync import api_address
from ._find import NotSyncedError
from ._manifest import OfflineManifest

_SECONDS: Final = 10.0
_DEFAULT_PROJECT: Final = "uncategorized"
"""Where W&B puts what names no project."""

_PATIENCE: Final = Bounds(retries=4, first_wait=0.5, longest_wait=4.0, patience=30.0, at_once=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOnServer:
    """A run as its server has it now.

    Attributes:
        rows: Rows of its history; 0 where there is no such run.
        ended: Whether nobody writes to it.
        told_its_end: Whether a writer has told its end.
        url: Its page, or None where there is no such run.
    """

    rows: int = 0
    ended: bool = False
    told_its_end: bool = False
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Connection:
    """A server that has answered.

    Attributes:
        reader: Asks it.
        entity: The user's default entity there, or None.
    """

    reader: Reader
    entity: str | None


class Servers:
    """What the threads of one call know of servers.

    Args:
        given: Project, entity and host that override those of the runs.
        allow: Patterns of ``ENTITY/PROJECT`` that runs may go to, and to no other; if empty, see `place`.
    """

    def __init__(self, given: Place, allow: Sequence[str] = ()) -> None:
        self._given, self._allow = given, allow
        self._lock = threading.Lock()
        self._connections: dict[Place, _Connection | Exception] = {}

    def choose_place(self, run: OfflineManifest, *, own: bool) -> Place:
        """Say where a run goes: its project and entity are a proposal of whoever has written it.

        Args:
            run: The run.
            own: Whether the user has written it. Another one goes to the user's own entity only, unless the user has
                named another, or allows it.

        Raises:
            NotSyncedError: The user has not named its host, or its project is none to which it may go, or the server
                does not answer.
        """
        host = self._given.host or self._trusted_host(run.host)
        place = self.proposed_place(run)._replace(host=host)
        if self._allow or not (own or self._given.entity or run.entity is None):
            self._check_allowed(place)
        return place

    def proposed_place(self, run: OfflineManifest) -> Place:
        """Say where a run asks to go, without asking a server."""
        _, entity, project = configured_place()
        return Place(
            project=self._given.project or run.project or project or _DEFAULT_PROJECT,
            entity=self._given.entity or run.entity or entity,
            host=self._given.host or run.host,
        )

    def _check_allowed(self, place: Place) -> None:
        _, configured_entity, _ = configured_place()
        own = configured_entity or self._connect(place).entity
        name = f"{place.entity or own}/{place.project}"
        if any(fnmatchcase(name, pattern) for pattern in self._allow) or (not self._allow and place.entity == own):
            return
        raise NotSyncedError(
            f"it asks to go to {name}, which {'is not allowed' if self._allow else f'does not belong to {own}'}; set "
            f"project= and entity= (--project, --entity), or allow it with allow= (--allow {name})"
        )

    def look_up_run(self, place: Place, run_id: str) -> RunOnServer:
        """Ask what a server has of a run.

        Raises:
            NotSyncedError: There is no key, or the server does not know it, or does not answer.
        """
        with _not_synced_without_answer():
            try:
                run = self._connect(place).reader.run(run_id)
            except UnknownToServerError:
                return RunOnServer()
            return RunOnServer(rows=run.lines or 0, ended=run.ended, told_its_end=run.told_its_end, url=run.url)

    def row_times(self, place: Place, run_id: str) -> frozenset[float]:
        """Ask for the times of all rows that a server has of a run: each row has a different one.

        Raises:
            NotSyncedError: See `look_up_run`.
        """
        with _not_synced_without_answer():
            return frozenset(self._connect(place).reader.run(run_id).row_times())

    def with_entity(self, place: Place) -> Place:
        """Return a place with an entity: where nobody names one, the user's own there."""
        return place if place.entity else place._replace(entity=self._connect(place).entity)

    def list_missing(self, place: Place, artifacts: Collection[LoggedArtifact]) -> list[str]:
        """Return in words which versions of artifacts a server does not have.

        Raises:
            NotSyncedError: See `look_up_run`.
        """
        reader = self._connect(place).reader
        names = {(artifact.type, artifact.name) for artifact in artifacts}
        try:
            digests = {name: reader.artifact_digests(*name) for name in names}
        except Exception as error:
            raise NotSyncedError(f"W&B did not answer as it should: {one_line(error)}") from error
        missing = [one for one in artifacts if one.digest not in digests[one.type, one.name]]
        return [f"the artifact {quoted(artifact.name)}" for artifact in missing]

    def _trusted_host(self, host: str | None) -> str | None:
        """Return a host that a file in storage names, if it may get the key: it is the client's own server."""
        own = api_address(Place(project=None, entity=None, host=None))
        if host is None or app_url(host) == app_url(own):
            return host
        raise NotSyncedError(
            f"it is meant for {app_url(host)}, but W&B's client is configured for {app_url(own)}; name the server "
            "that may get the run, and the key, with host= or --host"
        )

    def _connect(self, place: Place) -> _Connection:
        with self._lock:
            if place not in self._connections:
                self._connections[place] = _result_or_error(partial(_open_connection, place))
            found = self._connections[place]
        if isinstance(found, Exception):
            raise found
        return found


@contextmanager
def _not_synced_without_answer() -> Iterator[None]:
    try:
        yield
    except (NotSyncedError, FlyteWandbError) as error:
        raise NotSyncedError(one_line(error)) from error
    except Exception as error:
        raise NotSyncedError(f"W&B did not answer as it should: {one_line(error)}") from error


def _result_or_error(call: Any) -> Any:
    try:
        return call()
    except Exception as error:
        return error


def _open_connection(place: Place) -> _Connection:
    """Ask a server once, within seconds; W&B's client would try again for minutes."""
    server = api_address(place)
    key, source = find_api_key(server)
    try:
        info = ask_server(server, key, timeout=_SECONDS)
    except (OSError, ValueError) as error:
        raise NotSyncedError(f"{server} does not answer as a W&B server: {one_line(error)}") from error
    if key and info.user is None:
        raise NotSyncedError(f"{server} does not know the key in {source}")
    return _Connection(reader=Reader(place, _PATIENCE), entity=info.entity)
