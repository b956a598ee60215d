"""Room for `wandb.agent` beside the runs that are open in this process.

W&B's agent sets environment variables, ends the process's client before every trial and finishes `wandb.run`. So
while an agent may run, this package's client is set aside. The agent finds no client, and makes and ends another one.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from .._light import Around

_PLACE: Final = ("WANDB_BASE_URL", "WANDB_ENTITY", "WANDB_PROJECT")
"""Where W&B's functions look for a sweep."""
_VARIABLES: Final = (
    *_PLACE,
    "WANDB_DIR",
    "WANDB_RUN_ID",
    "WANDB_SERVICE",
    "WANDB_SWEEP_ID",
    "WANDB_SWEEP_PARAM_PATH",
)
"""What the agent, or `allow_agents` for it, changes."""


class _ProcessState:
    """W&B's variables and functions of this process while agents are allowed, and what they were before."""

    def __init__(self) -> None:
        self._variables: dict[str, str | None] = {}
        self._functions: dict[str, Callable[..., Any]] = {}

    def replace(self, environ: Mapping[str, str], functions: Mapping[str, Callable[..., Any]]) -> None:
        """Set W&B's variables to where an agent finds its sweep, and replace functions of W&B."""
        import wandb

        self._variables = {name: os.environ.get(name) for name in _VARIABLES}
        os.environ.pop("WANDB_SERVICE", None)  # the agent has a service of its own, which it ends
        os.environ.update(environ)
        self._functions = {name: getattr(wandb, name) for name in functions}
        for name, function in functions.items():
            setattr(wandb, name, function)

    def call_original(self, name: str, /, *arguments: Any, **named: Any) -> Any:
        """Call the function of W&B that `replace` has replaced."""
        return self._functions[name](*arguments, **named)

    def restore(self) -> None:
        """Put back the functions and the variables."""
        self.restore_functions()
        _set_variables(self._variables)
        self._variables = {}

    def restore_functions(self) -> None:
        """Put back the functions alone: a forked child may have set its own variables by now."""
        import wandb

        for name, function in self._functions.items():
            setattr(wandb, name, function)

    def own_variable(self, name: str) -> str | None:
        """Return a variable of W&B's as it was before agents were allowed."""
        return self._variables.get(name) if name in self._variables else os.environ.get(name)

    @contextmanager
    def moved_to(self, place: Mapping[str, str] | None) -> Iterator[bool]:
        """Have W&B's functions look for their sweep in a place, and say whether that is new. None changes nothing."""
        before = {name: os.environ.get(name) for name in _PLACE}
        wanted = before if place is None else {name: place.get(name) or self._variables.get(name) for name in _PLACE}
        _set_variables(wanted)
        try:
            yield wanted != before
        finally:
            _set_variables(before)


def _set_variables(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        os.environ.pop(name, None)
        os.environ.update({} if value is None else {name: value})


class ClientSwitch:
    """Decides which client W&B's functions find: this package's, or an agent's.

    They find it in one module variable, `wandb_setup._singleton`. The states, by who is inside `allow_agents` ("rooms")
    and inside `use_own_client` ("users"):

    | rooms | users | W&B's functions find | set aside in |
    |---|---|---|---|
    | 0 | any | our client | |
    | 1 or more | 0 | the agent's; None until the agent makes one | `_own`: ours |
    | 1 or more | 1 or more | our client | `_own`: ours; `_agents`: the agent's |

    While there are users, an agent's `init` and `teardown` wait: they would use, or end, our client.
    """

    def __init__(self) -> None:
        self._reset()

    def leave_to_parent(self) -> None:
        """In a forked child: forget what is set aside, and put back and end nothing that is its parent's."""
        if "wandb" not in sys.modules:
            return
        from wandb.sdk import wandb_setup

        for client in (self._own, self._agents, wandb_setup._singleton):
            if client and client._connection and client._connection._cleanup:
                client._connection._cleanup()  # W&B's exit hook, which fails in a fork with a traceback
        self._process.restore_functions()
        self._reset()

    def _reset(self) -> None:
        # New locks, too: in a forked child somebody who is not there any more may hold the old ones.
        self._changed = threading.Condition()
        """Guards all of the state, and wakes up who waits for it."""
        self._turn = threading.Lock()
        """One agent at a time: an agent tells its trial by variables of the process."""
        self._thread = threading.local()
        """Whether this very thread is a user."""
        self._rooms = 0
        self._places: dict[str, Mapping[str, str]] = {}
        """Places of the rooms' sweeps, by the ids of the sweeps."""
        self._users = 0
        self._own: Any = None
        self._agents: Any = None
        self._process = _ProcessState()

    @property
    def own(self) -> Any:
        """The client set aside, or the one that everybody uses."""
        from wandb.sdk import wandb_setup

        if self._own:
            return self._own
        current = wandb_setup._singleton
        # W&B's own function takes a lock and enters a context for its log, and every run asks several times.
        return current if current and current._pid == os.getpid() else wandb_setup.singleton()

    @property
    def is_open(self) -> bool:
        """Whether anybody makes room for agents."""
        return self._rooms > 0

    def own_variable(self, name: str) -> str | None:
        return self._process.own_variable(name)

    @contextmanager
    def allow_agents(self, sweep_id: str, environ: Mapping[str, str]) -> Iterator[None]:
        process = os.getpid()
        with self._changed:
            if not self._rooms:
                self._set_client_aside()
                self._process.replace(
                    environ,
                    {
                        "agent": self._run_agent_in_turn,
                        "init": self._init_with_callers_client,
                        "teardown": self._end_agents_client,
                    },
                )
            self._rooms += 1
            self._places[sweep_id] = environ
        try:
            yield
        finally:
            if process == os.getpid():  # a forked child has left its parent's room behind
                self._leave_room()

    def _leave_room(self) -> None:
        with self._changed:
            self._rooms -= 1
            if not self._rooms:
                self._places = {}
                self._put_client_back()
                self._process.restore()
            self._changed.notify_all()

    def use_own_client(self) -> Around[bool]:
        return Around(self._begin_use, self._end_use)

    def _begin_use(self) -> bool:
        """Make this thread a user, and return whether it was one before."""
        with self._changed:
            self._users += 1
            if self._own and self._users == 1:
                self._agents = _exchange_client(self._own)
        outer, self._thread.is_user = self._is_user, True
        return outer

    def _end_use(self, outer: bool) -> None:
        self._thread.is_user = outer
        with self._changed:
            self._users -= 1
            if self._own and not self._users:
                _exchange_client(self._agents)
            self._changed.notify_all()

    @property
    def _is_user(self) -> bool:
        return getattr(self._thread, "is_user", False)

    def _set_client_aside(self) -> None:
        from wandb.sdk import wandb_setup

        own = wandb_setup.singleton()
        own.ensure_service()  # else the agent would start one, and end it with the runs that use it
        own._settings_environ = None  # else it would warn with every run that the variables have changed
        self._own = own
        if not self._users:
            _exchange_client(None)

    def _put_client_back(self) -> None:
        current = _exchange_client(self._own)
        # Where there are users, ours was current and the agent's set aside.
        _end_client(self._agents if current is self._own else current)
        self._own = self._agents = None

    def _run_agent_in_turn(self, sweep_id: str, *arguments: Any, **named: Any) -> Any:
        """Run one agent after the other, each where its sweep is."""
        with self._turn, self._process.moved_to(self._places.get(sweep_id.rpartition("/")[2])) as elsewhere:
            if elsewhere:
                self._end_agents_client()  # which knows the server of the agent before
            try:
                return self._process.call_original("agent", sweep_id, *arguments, **named)
            finally:
                if elsewhere:
                    self._end_agents_client()

    def _init_with_callers_client(self, *arguments: Any, **named: Any) -> Any:
        """Open a run with the client of the caller: ours for a user, else the agent's."""
        if self._is_user:
            return self._process.call_original("init", *arguments, **named)
        with self._changed:
            self._changed.wait_for(lambda: not self._users)
            return self._process.call_original("init", *arguments, **named)

    def _end_agents_client(self, *arguments: Any, **named: Any) -> None:
        from wandb.sdk import wandb_setup

        with self._changed:
            self._changed.wait_for(lambda: not self._users)
            _end_starts(wandb_setup.singleton())
            self._process.call_original("teardown", *arguments, **named)


_CLIENT_SWITCH: Final = ClientSwitch()
os.register_at_fork(after_in_child=_CLIENT_SWITCH.leave_to_parent)


def allow_agents(sweep_id: str, environ: Mapping[str, str]) -> Any:
    """Return a context in which `wandb.agent` harms nothing outside of it. Blocks for a moment when it is entered.

    Args:
        sweep_id: The sweep for which an agent may run.
        environ: Where it finds its sweep: variables of W&B.
    """
    return _CLIENT_SWITCH.allow_agents(sweep_id, environ)


def agents_allowed() -> bool:
    """Whether `wandb.agent` may run beside the tasks of this process: its variables then say nothing to them."""
    return _CLIENT_SWITCH.is_open


def own_variable(name: str) -> str | None:
    """Return one of W&B's variables as this process has it, whatever an agent may find in its place at present."""
    return _CLIENT_SWITCH.own_variable(name)


def use_own_client() -> Any:
    """Return a context in which W&B's functions find this package's client."""
    return _CLIENT_SWITCH.use_own_client()


def own_client() -> Any:
    """Return this package's client, a `wandb.sdk.wandb_setup._WandbSetup`. Makes one if need be, and starts nothing."""
    return _CLIENT_SWITCH.own


def keep_client(client: Any) -> None:
    """Have W&B's functions find a client again that `wandb.teardown` has made them forget, and is not to end."""
    _exchange_client(client)


class _NoService:
    """Stands for the service in a client that has ended without one. Who asks it for anything gets an error."""

    _cleanup: Final = None  # no exit hook of W&B's, for which `leave_to_parent` looks

    def teardown(self, exit_code: int) -> None:
        """W&B calls this as the client ends."""


def _end_client(client: Any) -> None:
    if client is not None:
        _end_starts(client)
        client._teardown()


def _end_starts(client: Any) -> None:
    """Have a client that is about to end start no service any more. Waits while one is being started.

    W&B ends a service only if it is up by then; one that comes later stays until the process ends. With wandb 0.29 the
    thread of an agent's heartbeats starts it where the trial does not, and the agent does not wait for that thread.
    """
    with client._connection_lock:  # W&B's own, under which it starts a service
        client._connection = client._connection or _NoService()


def _exchange_client(client: Any) -> Any:
    from wandb.sdk import wandb_setup

    with wandb_setup._singleton_lock:
        before, wandb_setup._singleton = wandb_setup._singleton, client
    return before
