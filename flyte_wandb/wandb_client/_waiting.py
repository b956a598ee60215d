"""Waiting for a server to open a run: seconds for a dead server, as long as W&B's own client for one that listens.

W&B's client retries by itself, by its own rules and the server's `Retry-After`. Nothing here sends a request to the
server: W&B's service process knows the last answer.
"""

from __future__ import annotations

import ipaddress
import logging
import math
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

from .._logging import one_line
from ._agent_room import own_client
from ._dead_service import run_late_teardown_hooks

if TYPE_CHECKING:
    import wandb

T = TypeVar("T")

_LOG: Final = logging.getLogger("flyte_wandb")
_ASK_SECONDS: Final = 0.5
"""How long W&B's service process has to say what it does: it is on this machine."""
_END_SECONDS: Final = 0.5
"""How long it has to process the end of a run; nothing about the run may be sent afterwards."""
_LONGEST_ANSWER: Final = 200
"""Characters of an answer in a message: a proxy may answer with a whole page."""

# How wandb-core words what its client met: `wboperation.go`, the same in wandb 0.29 to 0.31.
_RETRYING: Final = re.compile(r"^retrying:? +")
_HTTP: Final = re.compile(r"^HTTP \d{3}")
_TLS: Final = re.compile(r"\b(tls|x509): ")


class Patience(NamedTuple):
    """How long each step of an opening may take, in seconds.

    Attributes:
        nobody: Until the server has to have answered, or to take a connection.
        ask: Between two questions to W&B's service process, until that is settled.
        connect: For the connection.
        line: Between two lines in the log.
    """

    nobody: float = 10.0
    ask: float = 1.0
    connect: float = 2.0
    line: float = 15.0


PATIENCE: Final = Patience()


class NotOpenedError(Exception):
    """A run was not opened in time.

    Attributes:
        freed: Whether W&B's service process has let go of the run's id.
    """

    def __init__(self, message: str, *, freed: bool) -> None:
        super().__init__(message)
        self.freed = freed


class CallOff:
    """Ends what is being opened for one call: nobody wants its run any more.

    To be called in another thread than that of `opens`. Does nothing where no server is waited for.
    """

    def __init__(self) -> None:
        self._waiting: Waiting | None = None

    def __call__(self) -> None:
        if self._waiting:
            threading.Thread(target=self._waiting.call_off, name="flyte-wandb-calling-off", daemon=True).start()

    def opens(self, call: Callable[[], T]) -> T:
        """Call what opens a run, in a context that is this call's own."""
        _CALL_OFF.set(self)
        return call()

    def watch(self, waiting: Waiting) -> None:
        """End this opening when called."""
        self._waiting = waiting


_CALL_OFF: Final[ContextVar[CallOff | None]] = ContextVar("flyte_wandb_call_off", default=None)


@dataclass(kw_only=True, eq=False, repr=False)
class Waiting:
    """One opening of a run, watched by a thread while W&B's client is at it.

    Not by `WATCHDOG`: its one thread serves all deadlines, and they would pass while a look at an opening blocks for
    seconds.

    Attributes:
        run_id: The run.
        server: Where its API listens.
        proxy: The proxy that W&B's settings name for it, or None.
        at_most: Seconds after which W&B's client gives up.
        gives_up: Whether it ends sooner where nobody listens, since nobody has set how long it is to wait.
        patience: What there is time for.
    """

    run_id: str
    server: str
    proxy: str | None
    at_most: float
    gives_up: bool
    patience: Patience = field(default_factory=lambda: PATIENCE)
    _started: float = field(default_factory=time.monotonic, init=False)
    _over: threading.Event = field(default_factory=threading.Event, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _last: str | None = field(default=None, init=False)
    _given_up: str | None = field(default=None, init=False)

    def open_run(self, init: Callable[[], wandb.Run]) -> wandb.Run:
        """Call `init`, and return the run that it opens.

        Raises:
            NotOpenedError: Nobody listened; or the error of `init` does not say what the server answered last.
        """
        if call_off := _CALL_OFF.get():
            call_off.watch(self)
        threading.Thread(target=self._watch, name="flyte-wandb-waiting", daemon=True).start()
        try:
            run = init()
        except Exception as error:
            self._stop_watching()
            self._raise_explained(error)
            raise
        finally:
            self._stop_watching()
        if self._given_up:  # it came back in the very moment in which it was given up
            run_late_teardown_hooks(run)
            raise NotOpenedError(self._given_up, freed=True)
        return run

    def _stop_watching(self) -> None:
        with self._lock:  # a run that has just opened is given up no more
            self._over.set()

    def _raise_explained(self, error: Exception) -> None:
        if self._given_up:
            raise NotOpenedError(self._given_up, freed=True) from error
        if self._last and self._last not in one_line(error):  # wandb says it from 0.31 on
            what = f"{type(error).__name__}: {one_line(error)}; {self._describe_last_answer()}"
            raise NotOpenedError(what, freed=False) from error

    def _watch(self) -> None:
        # When to look next, and when to log next, in seconds since the start.
        ask, line = self.patience.ask if self.gives_up else math.inf, self.patience.line
        while not self._over.wait(max(0.0, min(ask, line) - self._seconds())):
            self._last = self._ask_service()
            if self._seconds() >= ask:
                ask = math.inf if self._is_decided() else self._seconds() + self.patience.ask
            if self._seconds() >= line:
                self._log_line()
                line += self.patience.line

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _ask_service(self) -> str | None:
        """Return what W&B's service process has met last at the server, "" for nothing yet.

        None where it is not at the run: it does not know it yet while W&B's client logs in.
        """
        from wandb.proto import wandb_internal_pb2

        messages: Any = wandb_internal_pb2  # its classes are made when it is imported
        try:
            # What wandb's own client asks while it shows that it is waiting.
            question = messages.Record(request=messages.Request(operations=messages.OperationStatsRequest()))
            answer = service_stream(self.run_id)._deliver(question).wait_or(timeout=_ASK_SECONDS)
            operations = answer.response.operations_response.operation_stats.operations
        except Exception:
            _LOG.debug("W&B's service process does not report its progress for %s", self.run_id, exc_info=True)
            return None
        return _as_plain_line(_RETRYING.sub("", operations[0].error_status)) if operations else None

    def _is_decided(self) -> bool:
        """Whether it is settled that the server is waited for, or not. Ends the opening where it is not.

        It is where it has answered, or takes a connection, as a server does that is slow.
        """
        if self._last and _HTTP.match(self._last):
            return True
        if self._last is None or self._seconds() < self.patience.nobody:
            return False
        # A wrong certificate stays wrong, while W&B's client would try again until its time is over.
        if _TLS.search(self._last):
            self._give_up(f"waiting does not help: {self._last}")
        elif reason := self._unreachable():
            self._give_up(f"no server listens there: {reason}")
        return True

    def _unreachable(self) -> str | None:
        host, port = find_listener(self.server, self.proxy)
        try:
            socket.create_connection((host, port), timeout=self.patience.connect).close()
        except OSError as error:
            return f"{host} port {port}: {one_line(error)}"
        return None

    def call_off(self) -> None:
        """End the opening, as soon as W&B's service process is at it. Blocks until then."""
        while not self._over.wait(self.patience.ask):
            if self._ask_service() is not None:
                self._give_up("the task was cancelled meanwhile")

    def _give_up(self, reason: str) -> None:
        with self._lock:
            if self._over.is_set():
                return
            self._given_up = f"{reason} ({self._seconds():.0f} s)"
            # wandb-core ends what it does for a run when the run ends: the opening returns with an error.
            try:
                free_run_id(self.run_id, seconds=_END_SECONDS)
            except Exception:
                _LOG.debug("the opening of %s could not be ended", self.run_id, exc_info=True)

    def _log_line(self) -> None:
        _LOG.warning(
            "W&B at %s has not opened the run %r yet: %s; waiting for %.0f s, %.0f s at most",
            self.server,
            self.run_id,
            self._describe_last_answer(),
            self._seconds(),
            self.at_most,
        )

    def _describe_last_answer(self) -> str:
        if self._last is None:
            return "W&B's client is still logging in"
        if not self._last:
            return "no answer so far"
        return f"its last answer was {self._last}" if _HTTP.match(self._last) else f"it last met {self._last}"


def find_listener(server: str, proxy: str | None) -> tuple[str, int]:
    """Return host and port to which W&B's client connects for `server`.

    Args:
        server: Where the API listens.
        proxy: The proxy that W&B's settings name, or None for that of the environment.

    >>> find_listener("https://wandb.example.com", None), find_listener("http://127.0.0.1:8080/wandb", None)
    (('wandb.example.com', 443), ('127.0.0.1', 8080))
    >>> find_listener("https://wandb.example.com", "http://proxy.example.com:3128")
    ('proxy.example.com', 3128)
    """
    from urllib.request import getproxies  # loads `http.client`, which an opening that goes well does without

    parts = urlsplit(server)
    if not proxy and not _bypasses_proxy(parts.hostname or ""):
        proxy = getproxies().get(parts.scheme)
    parts = urlsplit(proxy if not proxy or "://" in proxy else f"http://{proxy}") if proxy else parts
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _bypasses_proxy(host: str) -> bool:
    """Whether no proxy of the environment is used for a host; Go's client never uses one for this very machine."""
    from urllib.request import proxy_bypass

    with suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return True
    return host == "localhost" or bool(proxy_bypass(host))


def service_stream(run_id: str) -> Any:
    """Return the way on which W&B's service process is asked and told about a run, opened or not.

    Raises:
        Exception: There is no service process.
    """
    from wandb.sdk.interface.interface_sock import InterfaceSock

    service = own_client().assert_service()
    return InterfaceSock(service._asyncer, service._client, stream_id=run_id)


def free_run_id(run_id: str, *, seconds: float) -> None:
    """Have W&B's service process let go of a run, and end an opening that is under way.

    The service lets go of a run only after its exit; told to do so before, it answers nothing any more.

    Args:
        run_id: The run.
        seconds: How long it has to take in the exit. Where it is opening the run it does not answer to that.

    Raises:
        Exception: There is no service process.
    """
    with suppress(TimeoutError):
        service_stream(run_id).deliver_exit(1).wait_or(timeout=seconds)
    own_client().assert_service().inform_finish(run_id=run_id)


def _as_plain_line(text: str) -> str:
    """Return an answer in one line that a log can hold."""
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else "?" for letter in line)[:_LONGEST_ANSWER]
