"""One call of `wandb.init`: its arguments and settings, and how long it may take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from .._place import api_url
from ._agent_room import use_own_client
from ._configuration import HOSTS, effective_mode, offline_settings, own_settings
from ._dead_service import abandon_service, renew_service, service_behind, service_died
from ._git import find_git_settings
from ._head_start import begin_opening
from ._packages import SETTING
from ._pickling import LeftBehind
from ._waiting import Waiting
from ._watchdog import WATCHDOG

if TYPE_CHECKING:
    import wandb

    from ._opening import Opening

BOUNDS: Final[Mapping[str, Any]] = {
    "finish_timeout": 600.0,
    "x_transaction_log_flush_interval": 1.0,
}
"""Fields of `wandb.Settings` where neither the user nor the environment sets them; all in seconds.

W&B's own are for ever, and 15. A run that is not finished in time stays on the disk, whole. `_waiting.py` bounds how
long a run may take to open.
"""


_START_SECONDS: Final = 30.0
"""What starting the service and logging in may take beside `init_timeout`, before the service counts as silent.

As long as W&B's client waits for a service that it starts (`x_service_wait`, wandb 0.31).
"""


def call_init(
    opening: Opening,
    client: wandb.Settings,
    stop: Callable[[], None] | None,
    arguments: Mapping[str, Any],
    *,
    packages: bool = False,
) -> wandb.Run:
    """Open a run with `wandb.init`, at the host of the opening and beside whatever else is open. Blocks.

    Args:
        opening: Which run, and how.
        client: The `client_settings` for it.
        stop: Function that W&B calls, in one of its threads, when a user stops the run in W&B's UI.
        arguments: Arguments of `wandb.init`, instead of those of the opening.
        packages: Whether the caller passes the list of packages to the open run, so that W&B does not read it.

    Raises:
        NotOpenedError: Nobody listened, or the server did not open the run in time.
        Exception: W&B's client or its server refused it.
    """
    import wandb

    arguments = {
        name: value
        for name, value in arguments.items()
        if not (name in opening.below and getattr(client, f"run_{name}"))
    }
    if opening.beside.again:
        arguments["tags"] = ()  # else W&B replaces those of the attempt before; `_add_beside` adds the user's
    settings = _build_settings(arguments.pop("settings", {}), opening, client, stop)
    if packages:
        settings[SETTING] = False
    if opening.shared:
        arguments.pop("mode", None)  # the settings say "shared", over which the argument would go
    limit = settings.get("init_timeout", client.init_timeout) + _START_SECONDS
    asks_who = _without_viewer(client) if opening.secondary else nullcontext()
    with use_own_client(), HOSTS.logged_in(opening.host), asks_who:
        mode = effective_mode(arguments.get("mode") or _effective("mode", settings, client))
        if mode != "disabled":
            begin_opening(packages=packages)
            settings = {**find_git_settings(opening, client, settings), **settings}
        # `create_new`: by default W&B would hand out a run that is open already, of whichever task.
        init = partial(wandb.init, id=opening.run_id, reinit="create_new", settings=settings, **arguments)
        init = partial(_init_with_living_service, init, limit)
        waiting = _build_waiting(opening, client, settings) if mode == "online" else None
        return waiting.open_run(init) if waiting else init()


@contextmanager
def _without_viewer(client: wandb.Settings) -> Iterator[None]:
    """Have a writer that joins a run log in without asking for the key's user: this saves a request for each rank.

    W&B's client shows the name in the log, and reads whether this user has code saved, which only the owner does.
    """
    if client.x_disable_viewer:  # the user's, or set by another opening that is under way
        yield
        return
    client.x_disable_viewer = True
    try:
        yield
    finally:
        client.x_disable_viewer = False


def _init_with_living_service(init: Callable[[], wandb.Run], limit: float) -> wandb.Run:
    """Call `init`, and once more where W&B's service was dead, or silent for longer than `limit` seconds."""
    service = service_behind()
    try:
        with WATCHDOG.within(limit, abandon_service):
            return init()
    except Exception as error:
        if not service_died(error):
            raise
        renew_service(service)
        with WATCHDOG.within(limit, abandon_service):
            return init()


def _effective(name: str, settings: Mapping[str, Any], client: wandb.Settings) -> Any:
    return settings[name] if name in settings else getattr(client, name)


def _build_waiting(opening: Opening, client: wandb.Settings, settings: Mapping[str, Any]) -> Waiting:
    """Return what waits for the server with the opening of an online run."""
    server = _effective("base_url", settings, client)
    return Waiting(
        run_id=opening.run_id,
        server=server,
        proxy=_effective("https_proxy" if server.startswith("https:") else "http_proxy", settings, client),
        at_most=_effective("init_timeout", settings, client),
        gives_up="init_timeout" not in settings.keys() | client.model_fields_set,
    )


def _build_settings(
    users: Mapping[str, Any], opening: Opening, client: wandb.Settings, stop: Callable[[], None] | None
) -> dict[str, Any]:
    """Return the fields of `wandb.Settings` to set: the user's, beside what this package decides."""
    import wandb

    known, taken = wandb.Settings.model_fields, client.model_fields_set
    defaults = {**BOUNDS, **opening.defaults}.items()
    # Only what this version of wandb knows, and what nobody has set.
    ours = {name: value for name, value in defaults if name in known and name not in taken}
    ours["stop_fn"] = LeftBehind(stop) if stop else None
    host = {"base_url": api_url(opening.host)} if opening.host else {}
    # The host last: another server than the one in the plan would have neither the run nor its links.
    return {**ours, **users, **opening.settings, **host}


def client_settings(opening: Opening) -> wandb.Settings:
    """Return the client's own settings, as far as this run needs them.

    Raises:
        OpenRunError: W&B does not take a variable of this process.
    """
    online = opening.shared or effective_mode(opening.arguments.get("mode")) == "online"
    return own_settings() if online else offline_settings()
