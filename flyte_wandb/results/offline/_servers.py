"""The servers to which offline runs go: asked once whether they can be, and then what they have."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from ... import _place
from ... import wandb_client as _client
from ..._errors import FlyteWandbError
from ..._logging import one_line
from ..._place import Place
from ...wandb_client._server_info import ask_server
from ._find import NotSyncedError
from ._manifest import Kept

_SECONDS: Final = 10.0
_DEFAULT_PROJECT: Final = "uncategorized"
"""Where W&B puts what names no project."""

_PATIENCE: Final = _client.Bounds(retries=4, first_wait=0.5, longest_wait=4.0, patience=30.0, at_once=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnServer:
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
        self._readers: dict[Place, _client.Reader | Exception] = {}

    def place(self, run: Kept) -> Place:
        """Say where a run goes.

        Raises:
            NotSyncedError: Its host is none that the user has named.
        """
        _, entity, project = _client.client_place()
        host = self._given.host or self._trusted(run.host)
        return Place(
            project=self._given.project or run.project or project or _DEFAULT_PROJECT,
            entity=self._given.entity or run.entity or entity,
            host=host,
        )

    def look(self, place: Place, run_id: str) -> OnServer:
        """Ask what a server has of a run.

        Raises:
            NotSyncedError: There is no key, or the server does not know it, or does not answer.
        """
        try:
            run = self._reader(place).run(run_id)
        except LookupError:
            return OnServer()
        except (NotSyncedError, FlyteWandbError) as error:
            raise NotSyncedError(one_line(error)) from error
        except Exception as error:
            raise NotSyncedError(f"W&B did not answer as it should: {one_line(error)}") from error
        return OnServer(rows=run.lines or 0, ended=run.ended, url=run.url)

    def _trusted(self, host: str | None) -> str | None:
        """Return a host that a file in storage names, where it may be told the key: it is the client's own."""
        own = _client.server_of(Place(project=None, entity=None, host=None))
        if host is None or _place.api_url(host) == _place.api_url(own):
            return host
        raise NotSyncedError(
            f"it is meant for {_place.app_url(host)}, and W&B's client here is set to {_place.app_url(own)}; name the "
            "server that is to have it, and the key, with host= or --host"
        )

    def _reader(self, place: Place) -> _client.Reader:
        with self._lock:
            if place not in self._readers:
                self._readers[place] = _outcome(partial(_connected, place))
            found = self._readers[place]
        if isinstance(found, Exception):
            raise found
        return found


def _outcome(call: Any) -> Any:
    try:
        return call()
    except Exception as error:
        return error


def _connected(place: Place) -> _client.Reader:
    """Ask a server once, within seconds; W&B's client would try again for minutes."""
    server = _client.server_of(place)
    key, source = _client.api_key(server)
    try:
        info = ask_server(server, key, timeout=_SECONDS)
    except (OSError, ValueError) as error:
        raise NotSyncedError(f"{server} does not answer as a W&B server: {one_line(error)}") from error
    if key and info.user is None:
        raise NotSyncedError(f"{server} does not know the key in {source}")
    return _client.Reader(place, _PATIENCE)
