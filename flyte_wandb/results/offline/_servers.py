"""The servers to which offline runs go: asked once whether they can be, and then what they have."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from ..._errors import FlyteWandbError
from ..._logging import one_line
from ..._place import Place, api_url, app_url
from ...wandb_client._configuration import configured_place, find_api_key
from ...wandb_client._reader import Bounds, Reader
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
        url: Its page, or None where there is no such run.
    """

    rows: int = 0
    ended: bool = False
    url: str | None = None


class Servers:
    """What the threads of one call know of servers.

    Args:
        given: Project, entity and host that go over those of the runs.
    """

    def __init__(self, given: Place) -> None:
        self._given = given
        self._lock = threading.Lock()
        self._readers: dict[Place, Reader | Exception] = {}

    def choose_place(self, run: OfflineManifest) -> Place:
        """Say where a run goes.

        Raises:
            NotSyncedError: Its host is none that the user has named.
        """
        _, entity, project = configured_place()
        host = self._given.host or self._trusted_host(run.host)
        return Place(
            project=self._given.project or run.project or project or _DEFAULT_PROJECT,
            entity=self._given.entity or run.entity or entity,
            host=host,
        )

    def look_up_run(self, place: Place, run_id: str) -> RunOnServer:
        """Ask what a server has of a run.

        Raises:
            NotSyncedError: There is no key, or the server does not know it, or does not answer.
        """
        try:
            run = self._reader_of(place).run(run_id)
        except LookupError:
            return RunOnServer()
        except (NotSyncedError, FlyteWandbError) as error:
            raise NotSyncedError(one_line(error)) from error
        except Exception as error:
            raise NotSyncedError(f"W&B did not answer as it should: {one_line(error)}") from error
        return RunOnServer(rows=run.lines or 0, ended=run.ended, url=run.url)

    def _trusted_host(self, host: str | None) -> str | None:
        """Return a host that a file in storage names, where it may be told the key: it is the client's own."""
        own = api_address(Place(project=None, entity=None, host=None))
        if host is None or api_url(host) == api_url(own):
            return host
        raise NotSyncedError(
            f"it is meant for {app_url(host)}, and W&B's client here is set to {app_url(own)}; name the "
            "server that is to have it, and the key, with host= or --host"
        )

    def _reader_of(self, place: Place) -> Reader:
        with self._lock:
            if place not in self._readers:
                self._readers[place] = _result_or_error(partial(_connect_reader, place))
            found = self._readers[place]
        if isinstance(found, Exception):
            raise found
        return found


def _result_or_error(call: Any) -> Any:
    try:
        return call()
    except Exception as error:
        return error


def _connect_reader(place: Place) -> Reader:
    """Ask a server once, within seconds; W&B's client would try again for minutes."""
    server = api_address(place)
    key, source = find_api_key(server)
    try:
        info = ask_server(server, key, timeout=_SECONDS)
    except (OSError, ValueError) as error:
        raise NotSyncedError(f"{server} does not answer as a W&B server: {one_line(error)}") from error
    if key and info.user is None:
        raise NotSyncedError(f"{server} does not know the key in {source}")
    return Reader(place, _PATIENCE)
