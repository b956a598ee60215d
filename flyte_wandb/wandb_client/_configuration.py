"""The client's own configuration: W&B's settings files and the environment, and the login of this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from ._agent_room import own_client

if TYPE_CHECKING:
    import wandb

    from ._opening import Mode


T = TypeVar("T")


class OneHostAtATime(Generic[T]):
    """Lets any number of openings in together as long as they are for the same host.

    Args:
        save: Reads the client's login, before the first opening for a host of its own.
        restore: Puts it back after the last one.

    >>> login = ["own"]
    >>> hosts = OneHostAtATime(save=lambda: login[0], restore=lambda before: login.__setitem__(0, before))
    >>> with hosts.logged_in("https://wandb.example.com"):
    ...     login[0] = "example"
    >>> login
    ['own']
    """

    def __init__(self, *, save: Callable[[], T], restore: Callable[[T], None]) -> None:
        self._save, self._restore = save, restore
        self._changed = threading.Condition()
        self._host: str | None = None
        self._inside = 0
        self._before: list[T] = []

    @contextmanager
    def logged_in(self, host: str | None) -> Iterator[None]:
        """Wait until no opening for another host is under way. None is the client's own host, whose login stays."""
        with self._changed:
            self._changed.wait_for(lambda: not self._inside or self._host == host)
            self._enter_host(host)
        try:
            yield
        finally:
            with self._changed:
                self._leave_host()
                self._changed.notify_all()

    def _enter_host(self, host: str | None) -> None:
        self._host = host
        self._inside += 1
        if host is not None and not self._before:
            self._before.append(self._save())

    def _leave_host(self) -> None:
        self._inside -= 1
        if not self._inside and self._before:
            self._restore(self._before.pop())


_LOADING: Final = threading.Lock()
_LOGIN: Final = ("base_url", "api_key", "identity_token_file", "credentials_file")
_MODES: Final[dict[str, Mode]] = {"offline": "offline", "dryrun": "offline", "disabled": "disabled"}


def effective_mode(mode: str | None) -> Mode:
    """Return how a run would reach a server: by `mode` where it is set, else by WANDB_MODE and W&B's settings files."""
    return _MODES.get(mode or own_settings().mode, "online")


def end_client() -> None:
    """End W&B's client of this process: the next run starts with what the environment says by then."""
    import wandb

    wandb.teardown()


def read_configured(name: str) -> tuple[Any, str]:
    """Return one of the client's own settings, and where it comes from.

    Args:
        name: A field of `wandb.Settings`, such as ``project``.
    """
    import wandb

    value, variable = getattr(own_settings(), name), f"WANDB_{name.upper()}"
    if os.environ.get(variable):
        return value, variable
    default = wandb.Settings.model_fields[name].default
    return value, "W&B's default" if value == default else "W&B's settings files"


def find_api_key(base_url: str) -> tuple[str | None, str]:
    """Return the key with which the client would log in at `base_url`, and where it was found.

    Raises:
        Exception: The key that was found is none; W&B's message does not show it.
    """
    from wandb.sdk.lib import wbauth

    if key := os.environ.get("WANDB_API_KEY"):
        return _check_key_form(key), "WANDB_API_KEY"
    if key := wbauth.read_netrc_auth(host=base_url):
        return key, "the netrc file"
    return own_settings().api_key, "W&B's settings files"


def _check_key_form(key: str) -> str:
    from wandb.sdk.lib import wbauth

    if fault := wbauth.check_api_key(key):
        raise ValueError(fault)
    return key


def configured_place() -> tuple[str, str | None, str | None]:
    """Return the app URL, the entity and the project that W&B's own configuration names."""
    settings = own_settings()
    return settings.app_url.rstrip("/"), settings.entity, settings.project


def own_settings() -> wandb.Settings:
    """Return the client's own settings: W&B's files, then the environment. Starts no service.

    W&B loads them when they are first asked for, and lets a second thread see them half loaded.
    """
    with _LOADING:
        settings: wandb.Settings = own_client().settings
        return settings


def _read_login() -> dict[str, Any]:
    settings = own_settings()
    return {name: getattr(settings, name) for name in _LOGIN}


def _restore_login(login: dict[str, Any]) -> None:
    settings = own_settings()
    for name, value in login.items():
        setattr(settings, name, value)


HOSTS: Final = OneHostAtATime(save=_read_login, restore=_restore_login)
