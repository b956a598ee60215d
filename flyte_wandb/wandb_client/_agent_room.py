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


class ClientSwitch:
    """The client that is set aside, while anybody makes room for agents.

    W&B's functions find a client in one module variable. It is this package's only while a run is opened or the like,
    and the agent's otherwise; the agent may not end what it finds then.
    """

    def __init__(self) -> None:
        self._set_nothing_aside()

    def leave_to_parent(self) -> None:
        """In a forked child: set nothing aside any more, and put back and end nothing that is its parent's."""
        if "wandb" not in sys.modules:
            return
        import wandb
        from wandb.sdk import wandb_setup

        for client in (self._own, self._agents, wandb_setup._singleton):
            if client and client._connection and client._connection._cleanup:
                client._connection._cleanup()  # W&B's exit hook, which fails in a fork with a traceback
        for name, function in self._functions.items():
            setattr(wandb, name, function)
        self._set_nothing_aside()

    def _set_nothing_aside(self) -> None:
        self._changed = threading.Condition()
        self._turn = threading.Lock()
        self._here = threading.local()
        self._rooms = 0
        self._brief = False
        self._inside = 0
        self._own: Any = None
        self._agents: Any = None
        self._before: dict[str, str | None] = {}
        self._asked: dict[str, str] = {}
        self._functions: dict[str, Callable[..., Any]] = {}

    @property
    def own(self) -> Any:
        """The client set aside, or the one that everybody uses."""
        from wandb.sdk import wandb_setup

        return self._own or wandb_setup.singleton()

    @contextmanager
    def allow_agents(self, environ: Mapping[str, str], *, brief: bool) -> Iterator[None]:
        process = os.getpid()
        with self._changed:
            self._changed.wait_for(lambda: not self._brief)
            if not self._rooms:
                self._set_client_aside(environ)
            self._refuse_other_place(environ)
            self._rooms += 1
            self._brief = brief
        try:
            yield
        finally:
            if process == os.getpid():
                self._leave_room()

    def _leave_room(self) -> None:
        with self._changed:
            self._brief = False
            self._rooms -= 1
            if not self._rooms:
                self._put_client_back()
            self._changed.notify_all()

    @contextmanager
    def use_own_client(self) -> Iterator[None]:
        with self._changed:
            self._inside += 1
            if self._own and self._inside == 1:
                self._agents = _exchange_client(self._own)
        outer, self._here.inside = self._is_inside, True
        try:
            yield
        finally:
            self._here.inside = outer
            with self._changed:
                self._inside -= 1
                if self._own and not self._inside:
                    _exchange_client(self._agents)
                self._changed.notify_all()

    @property
    def _is_inside(self) -> bool:
        return getattr(self._here, "inside", False)

    def _set_client_aside(self, environ: Mapping[str, str]) -> None:
        import wandb
        from wandb.sdk import wandb_setup

        own = wandb_setup.singleton()
        own.ensure_service()  # else the agent would start one, and end it with the runs that use it
        own._settings_environ = None  # else it would warn with every run that the variables have changed
        self._own = own
        if not self._inside:
            _exchange_client(None)
        self._before = {name: os.environ.get(name) for name in _VARIABLES}
        os.environ.pop("WANDB_SERVICE", None)  # the agent has a service of its own, which it ends
        os.environ.update(environ)
        self._asked = dict(environ)
        self._functions = {name: getattr(wandb, name) for name in ("agent", "init", "teardown")}
        wandb.agent = self._run_agent_in_turn
        wandb.init = self._init_with_callers_client
        wandb.teardown = self._end_agents_client

    def _put_client_back(self) -> None:
        import wandb

        found = _exchange_client(self._own)
        _end_client(self._agents if found is self._own else found)
        for name, function in self._functions.items():
            setattr(wandb, name, function)
        for name, value in self._before.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})
        self._own = self._agents = None

    def _refuse_other_place(self, environ: Mapping[str, str]) -> None:
        """Refuse a sweep elsewhere than where the agents of this process look for theirs."""
        for name in environ.keys() | self._asked.keys():
            wanted, found = (value or "" for value in (environ.get(name) or self._before[name], os.environ.get(name)))
            if wanted.rstrip("/") != found.rstrip("/"):
                raise SweepError(
                    f"a sweep with {name}={wanted} and one with {name}={found} cannot run in one process at a time, "
                    "for W&B's agent looks for both in one place; run one after the other, or in containers of their "
                    "own"
                )

    def _run_agent_in_turn(self, *arguments: Any, **named: Any) -> Any:
        """Run one agent after the other: what W&B's agent tells its trial is in the environment of the process."""
        with self._turn:
            return self._functions["agent"](*arguments, **named)

    def _init_with_callers_client(self, *arguments: Any, **named: Any) -> Any:
        """Open a run with the client that is the caller's: this package's inside of it, else the agent's."""
        if self._is_inside:
            return self._functions["init"](*arguments, **named)
        with self._changed:
            self._changed.wait_for(lambda: not self._inside)
            return self._functions["init"](*arguments, **named)

    def _end_agents_client(self, *arguments: Any, **named: Any) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._inside)
            self._functions["teardown"](*arguments, **named)


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


def use_own_client() -> Any:
    """Return a context in which W&B's functions find this package's client."""
    return _CLIENT_SWITCH.use_own_client()


def own_client() -> Any:
    """Return this package's client, `wandb.sdk.wandb_setup._WandbSetup`; makes one if need be, and starts nothing."""
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
