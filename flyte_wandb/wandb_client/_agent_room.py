"""Room for `wandb.agent` beside the runs that are open in this process.

W&B's agent sets environment variables, ends the process's client before every trial and finishes what `wandb.run` is.
So while it may run, this package's client is set aside: the agent finds none, and makes and ends one of its own.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from .._errors import SweepError

_VARIABLES: Final = (
    "WANDB_BASE_URL",
    "WANDB_DIR",
    "WANDB_ENTITY",
    "WANDB_PROJECT",
    "WANDB_RUN_ID",
    "WANDB_SERVICE",
    "WANDB_SWEEP_ID",
    "WANDB_SWEEP_PARAM_PATH",
)
"""What the agent, or `allow_agents` for it, changes."""


class _ProcessState:
    """W&B's variables and functions of this process while agents are allowed, and what they were before."""

    def __init__(self) -> None:
        self.place: dict[str, str] = {}
        self._variables: dict[str, str | None] = {}
        self._functions: dict[str, Callable[..., Any]] = {}

    def replace(self, environ: Mapping[str, str], functions: Mapping[str, Callable[..., Any]]) -> None:
        """Set W&B's variables to where an agent finds its sweep, and put functions in the place of W&B's."""
        import wandb

        self._variables = {name: os.environ.get(name) for name in _VARIABLES}
        os.environ.pop("WANDB_SERVICE", None)  # the agent has a service of its own, which it ends
        os.environ.update(environ)
        self.place = dict(environ)
        self._functions = {name: getattr(wandb, name) for name in functions}
        for name, function in functions.items():
            setattr(wandb, name, function)

    def call_original(self, name: str, /, *arguments: Any, **named: Any) -> Any:
        """Call the function of W&B's in whose place another one is."""
        return self._functions[name](*arguments, **named)

    def restore(self) -> None:
        """Put back the functions and the variables."""
        self.restore_functions()
        for name, value in self._variables.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})

    def restore_functions(self) -> None:
        """Put back the functions alone: a forked child may have variables of its own by now."""
        import wandb

        for name, function in self._functions.items():
            setattr(wandb, name, function)

    def refuse_other_place(self, environ: Mapping[str, str]) -> None:
        """Refuse a sweep elsewhere than where the agents of this process look for theirs.

        Raises:
            SweepError: A variable of the two differs.
        """
        for name in environ.keys() | self.place.keys():
            new, current = environ.get(name) or self._variables[name] or "", os.environ.get(name) or ""
            if new.rstrip("/") != current.rstrip("/"):
                raise SweepError(
                    f"a sweep with {name}={new} and one with {name}={current} cannot run in one process at a time, "
                    "for W&B's agent looks for both in one place; run one after the other, or in containers of their "
                    "own"
                )


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
        self._brief = False
        self._users = 0
        self._own: Any = None
        self._agents: Any = None
        self._process = _ProcessState()

    @property
    def own(self) -> Any:
        """The client set aside, or the one that everybody uses."""
        from wandb.sdk import wandb_setup

        return self._own or wandb_setup.singleton()

    @property
    def is_open(self) -> bool:
        """Whether anybody makes room for agents."""
        return self._rooms > 0

    @contextmanager
    def allow_agents(self, environ: Mapping[str, str], *, brief: bool) -> Iterator[None]:
        process = os.getpid()
        with self._changed:
            self._changed.wait_for(lambda: not self._brief)
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
            self._process.refuse_other_place(environ)
            self._rooms += 1
            self._brief = brief
        try:
            yield
        finally:
            if process == os.getpid():  # a forked child has left its parent's room behind
                self._leave_room()

    def _leave_room(self) -> None:
        with self._changed:
            self._brief = False
            self._rooms -= 1
            if not self._rooms:
                self._put_client_back()
                self._process.restore()
            self._changed.notify_all()

    @contextmanager
    def use_own_client(self) -> Iterator[None]:
        with self._changed:
            self._users += 1
            if self._own and self._users == 1:
                self._agents = _exchange_client(self._own)
        outer, self._thread.is_user = self._is_user, True
        try:
            yield
        finally:
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

    def _run_agent_in_turn(self, *arguments: Any, **named: Any) -> Any:
        """Run one agent after the other."""
        with self._turn:
            return self._process.call_original("agent", *arguments, **named)

    def _init_with_callers_client(self, *arguments: Any, **named: Any) -> Any:
        """Open a run with the client of the caller: ours for a user, else the agent's."""
        if self._is_user:
            return self._process.call_original("init", *arguments, **named)
        with self._changed:
            self._changed.wait_for(lambda: not self._users)
            return self._process.call_original("init", *arguments, **named)

    def _end_agents_client(self, *arguments: Any, **named: Any) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._users)
            self._process.call_original("teardown", *arguments, **named)


_CLIENT_SWITCH: Final = ClientSwitch()
os.register_at_fork(after_in_child=_CLIENT_SWITCH.leave_to_parent)


def allow_agents(environ: Mapping[str, str], *, brief: bool = False) -> Any:
    """Return a context in which `wandb.agent` harms nothing outside of it. Blocks for a moment when it is entered.

    Args:
        environ: Where an agent finds its sweep: variables of W&B.
        brief: Whether it ends soon whatever else this process does, so that others wait for it.

    Raises:
        SweepError: Another sweep runs in this process, in another place.
    """
    return _CLIENT_SWITCH.allow_agents(environ, brief=brief)


def agents_allowed() -> bool:
    """Whether `wandb.agent` may run beside the tasks of this process: its variables then say nothing to them."""
    return _CLIENT_SWITCH.is_open


def use_own_client() -> Any:
    """Return a context in which W&B's functions find this package's client."""
    return _CLIENT_SWITCH.use_own_client()


def own_client() -> Any:
    """Return this package's client, a `wandb.sdk.wandb_setup._WandbSetup`. Makes one if need be, and starts nothing."""
    return _CLIENT_SWITCH.own


def keep_client(client: Any) -> None:
    """Have W&B's functions find a client again that `wandb.teardown` has made them forget, and is not to end."""
    _exchange_client(client)


def _end_client(client: Any) -> None:
    if client is not None:
        client._teardown()


def _exchange_client(client: Any) -> Any:
    from wandb.sdk import wandb_setup

    with wandb_setup._singleton_lock:
        before, wandb_setup._singleton = wandb_setup._singleton, client
    return before
