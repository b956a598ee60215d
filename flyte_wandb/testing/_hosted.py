"""The life of the double: it listens in threads of this process, and ends."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TypeVar

from ._http import KEY, HttpServer
from ._store import Store

HostedT = TypeVar("HostedT", bound="Hosted")


class Hosted:
    """The part of `WandbServer` that starts and ends."""

    def __init__(self, port: int = 0, entity: str = "local", version: str | None = None) -> None:
        self._port = port
        self._entity = entity
        self._version = version
        self._started: tuple[Store, HttpServer, threading.Thread] | None = None
        self._ended: Store | None = None

    def __enter__(self: HostedT) -> HostedT:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, without any runs. A server can be started again after its end.

        Raises:
            OSError: The port is in use.
            RuntimeError: The server runs already.
        """
        if self._started is not None:
            raise RuntimeError(f"the server runs already, at {self.url}")
        http = HttpServer(self._port, self._entity, self._version)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        self._started = (http.store, http, thread)

    def stop(self) -> None:
        """End all connections and threads. The runs stay readable; where the server does not run, nothing happens."""
        if self._started is None:
            return
        store, http, thread = self._started
        self._started, self._ended = None, store
        store.close()
        http.shutdown()
        thread.join()
        http.disconnect()
        http.server_close()

    @property
    def url(self) -> str:
        """Address of the server, such as ``http://127.0.0.1:41973``.

        Raises:
            RuntimeError: The server was never started, which holds for all other properties and methods, too.
        """
        return self._store.url

    @property
    def environ(self) -> dict[str, str]:
        """Environment variables with which a process writes to this server, logged in, and to no other."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY, "WANDB_ERROR_REPORTING": "false"}

    @property
    def _store(self) -> Store:
        store = self._started[0] if self._started else self._ended
        if store is None:
            raise RuntimeError("the server was not started: use `with WandbServer() as server:`, or call start()")
        return store
