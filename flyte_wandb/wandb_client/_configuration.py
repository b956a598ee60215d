"""The client's own configuration: W&B's settings files and the environment, and the login of this process."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from .._errors import OpenRunError
from .._light import Around
from .._logging import log_once, one_line
from .._place import app_url, host_fault
from ._agent_room import own_client
from ._netrc import read_netrc_key
from ._variables import OF_LOGIN, STARTS, find_variable_faults, without_variables

if TYPE_CHECKING:
    import wandb

    from ._opening import Mode


T = TypeVar("T")


class OneHostAtATime(Generic[T]):
    """Lets any number of openings in together if all are for the same host.

    W&B's client has one login for the whole process, which it takes from the settings of the run that it opens.

    Args:
        save: Reads the client's login, before the first opening that sets its host.
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

    def logged_in(self, host: str | None) -> Around[None]:
        """Wait until no opening for another host is under way. None is the client's own host, and its login stays."""
        return Around(partial(self._enter_host, host), self._leave_host)

    def _enter_host(self, host: str | None) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._inside or self._host == host)
            self._host = host
            self._inside += 1
            if host is not None and not self._before:
                self._before.append(self._save())

    def _leave_host(self, _: None) -> None:
        with self._changed:
            self._inside -= 1
            if not self._inside and self._before:
                self._restore(self._before.pop())
            self._changed.notify_all()


_LOADING: Final = threading.Lock()
"""Else a second thread sees the client's settings half loaded (wandb 0.31), or W&B's variables without some."""

_loaded: tuple[Any, Mapping[str, str]] | None = None
"""The client that has loaded its settings, and the variables that it does not take. A teardown makes another client."""

_LOGIN: Final = ("base_url", "api_key", "identity_token_file", "credentials_file")
"""Fields of the client's settings in which an opening at another host leaves its own login."""

_MODES: Final[dict[str, Mode]] = {"offline": "offline", "dryrun": "offline", "disabled": "disabled"}
"""W&B's names of modes that reach no server; ``dryrun`` is an old one. Any other is online."""


def effective_mode(mode: str | None) -> Mode:
    """Return how a run would reach a server: by `mode` where it is set, else by WANDB_MODE and W&B's settings files.

    Raises:
        OpenRunError: WANDB_MODE is not a mode of W&B.
    """
    return named_mode(mode or own_settings(ignore=_all_but("WANDB_MODE")).mode)


def named_mode(name: str | None) -> Mode:
    """Return the mode that W&B means by a name; None means online, and so do most other names.

    >>> named_mode("dryrun"), named_mode("shared"), named_mode(None)
    ('offline', 'online', 'online')
    """
    return _MODES.get(name or "", "online")


def end_client() -> None:
    """End W&B's client of this process: the next run starts with what the environment says by then."""
    import wandb

    wandb.teardown()


def read_configured(name: str) -> tuple[Any, str]:
    """Return one of the client's own settings, and where it comes from.

    Args:
        name: A field of `wandb.Settings`, such as ``project``.

    Raises:
        OpenRunError: W&B does not take the variable of that name.
    """
    import wandb

    variable = f"WANDB_{name.upper()}"
    value = getattr(own_settings(ignore=_all_but(variable)), name)
    if os.environ.get(variable):
        return value, variable
    default = wandb.Settings.model_fields[name].default
    return value, "W&B's default" if value == default else "W&B's settings files"


def find_api_key(base_url: str) -> tuple[str | None, str]:
    """Return the key with which the client would log in at `base_url`, and where it was found.

    Raises:
        Exception: The key that was found is none; W&B's message does not show it.
    """
    if key := os.environ.get("WANDB_API_KEY"):
        return _check_key_form(key), "WANDB_API_KEY"
    if key := read_netrc_key(base_url):
        return _check_key_form(key), "the netrc file"
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


def variables_place() -> tuple[str | None, str | None, str | None]:
    """Return the app URL, the entity and the project of W&B's variables, without loading W&B's client.

    To load the client takes 0.4 s. Once it is loaded, the values that it has read count. A value is None if only the
    client can find it.
    """
    if "wandb" in sys.modules:
        return None, None, None
    server, entity, project = (os.environ.get(f"WANDB_{name}") or None for name in ("BASE_URL", "ENTITY", "PROJECT"))
    if server and (os.environ.get("WANDB_APP_URL") or host_fault(server)):
        server = None
    app = app_url(server) if server else None
    # W&B has rules of its own for the app of a server whose API has a name of its own, such as api.example.com.
    return None if app and "//api." in app else app, entity, project


def own_settings(*, ignore: Callable[[str], bool] | None = None) -> wandb.Settings:
    """Return the client's own settings: W&B's files, then the environment. Starts no service.

    Args:
        ignore: Whether the caller can do without a variable that W&B does not take; None for no variable.

    Raises:
        OpenRunError: W&B does not take a variable; the message names it and says what to do.
    """
    settings, found = _settings_and_faults()
    faults = [fault for name, fault in found.items() if not (ignore and ignore(name))]
    if faults:
        raise OpenRunError(f"W&B's client rejects the environment of this process: {'; '.join(faults)}")
    return settings


def offline_settings() -> wandb.Settings:
    """Return `own_settings` for a run that reaches no server: what W&B does not take is left out, with one warning.

    There is no warning about variables of the login, which such a run does not need.
    """
    settings, faults = _settings_and_faults()
    for name, fault in faults.items():
        if name not in OF_LOGIN:
            log_once(f"an offline run continues without one of W&B's variables: {fault}")
    return settings


def _settings_and_faults() -> tuple[wandb.Settings, Mapping[str, str]]:
    global _loaded
    client, loaded = own_client(), _loaded
    if loaded is None or loaded[0] is not client:
        with _LOADING:
            loaded = _loaded if _loaded and _loaded[0] is client else (client, _load_settings(client))
            _loaded = loaded
    return client.settings, loaded[1]


def _load_settings(client: Any) -> dict[str, str]:
    """Have a client load its settings, and return the variables that had to be left out, each with what is wrong.

    Without them a run could go to another server or project than it was meant for, so `own_settings` remembers them.
    """
    failure: Exception | None = None
    try:
        client.settings  # noqa: B018 (reading the property loads them)
    except Exception as error:
        failure = error
    if failure is None and not any(os.environ.get(name) for name in STARTS):
        return {}
    faults = find_variable_faults(os.environ)
    if failure and not faults:
        raise OpenRunError(f"W&B's client cannot load its settings: {one_line(failure)}") from failure
    client._settings = None  # else W&B goes on with what it has loaded
    with without_variables(faults):
        client.settings  # noqa: B018
    return faults


def _all_but(needed: str) -> Callable[[str], bool]:
    return lambda variable: variable != needed


def _read_login() -> dict[str, Any]:
    settings, _ = _settings_and_faults()
    return {name: getattr(settings, name) for name in _LOGIN}


def _restore_login(login: dict[str, Any]) -> None:
    settings, _ = _settings_and_faults()
    for name, value in login.items():
        setattr(settings, name, value)


HOSTS: Final = OneHostAtATime(save=_read_login, restore=_restore_login)
