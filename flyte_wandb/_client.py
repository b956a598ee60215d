"""The one module that imports wandb, and the one place where its process-wide state is touched."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any, Final

from . import _hosts
from ._errors import OpenRunError
from ._one_host import OneHostAtATime

if TYPE_CHECKING:
    import wandb

    from ._opening import Mode, Opening

_LOG = logging.getLogger("flyte_wandb")
_LOADING: Final = threading.Lock()
_SERVICE_VARIABLE: Final = "WANDB_SERVICE"
_LOGIN: Final = ("base_url", "api_key", "identity_token_file", "credentials_file")
_FORGET_SECONDS: Final = 2.0
_GLOBALS: Final = [
    "run",
    "config",
    "log",
    "summary",
    "save",
    "use_artifact",
    "log_artifact",
    "define_metric",
    "alert",
    "mark_preempting",
    "log_model",
    "use_model",
    "link_model",
    "watch",
    "unwatch",
]
_MODES: Final[dict[str, Mode]] = {"offline": "offline", "dryrun": "offline", "disabled": "disabled"}


def effective_mode(mode: str | None) -> Mode:
    """Return how a run would reach a server: by `mode` where it is set, else by WANDB_MODE and W&B's settings files."""
    return _MODES.get(mode or _own_settings().mode, "online")


def open_run(opening: Opening) -> wandb.Run:
    """Open the run, beside whatever else is open in this process, and check that it is the one asked for.

    Raises:
        OpenRunError: W&B refused, did not answer, or handed out another run. Its name is free again afterwards.
    """
    import wandb

    _own_settings()
    if opening.shared:
        # W&B refuses a second writer of one run id behind the same service process.
        os.environ.pop(_SERVICE_VARIABLE, None)
    arguments = dict(opening.arguments)
    settings = _settings(arguments.pop("settings", None), opening)
    if opening.shared:
        arguments.pop("mode", None)
    try:
        with _HOSTS.logged_in(opening.host):
            run = wandb.init(id=opening.run_id, reinit="create_new", settings=settings, **arguments)
    except Exception as error:
        _forget(opening.run_id, error)
        raise OpenRunError(f"{_not_opened(opening)}: {type(error).__name__}: {error}") from error
    if run.id != opening.run_id and not run.disabled:
        raise OpenRunError(f"{_not_opened(opening)}: it handed out the run {run.id!r} instead")
    return run


def add_config(run: wandb.Run, config: dict[str, Any] | None) -> None:
    """Add a joiner's configuration to the run that it borrows, as W&B does with that of a writer elsewhere."""
    if config:
        run.config.update(config, allow_val_change=True)  # type: ignore[no-untyped-call]


def note_failure(run: wandb.Run, writer: str, error: BaseException | None) -> None:
    """Write to the run's summary that one of its writers failed. The run's state is its owner's to tell."""
    try:
        run.summary[f"failed/{writer}"] = f"{type(error).__name__}: {error}"
    except Exception:
        _LOG.exception("the failure of %s could not be written to the run %s", writer, run.id)


def close_run(run: wandb.Run, exit_code: int) -> None:
    """Finish a run with the outcome of its task. What goes wrong is logged: the task's result is already there."""
    try:
        run.finish(exit_code=exit_code)
    except Exception:
        _LOG.exception("the run %s could not be finished; its last rows may be missing in W&B", run.id)


def global_names() -> dict[str, Any]:
    """Return what `wandb.run`, `wandb.log` and their like mean now."""
    import wandb

    return {name: getattr(wandb, name) for name in _GLOBALS if hasattr(wandb, name)}


def set_global_names(names: dict[str, Any]) -> None:
    """Have `wandb.run`, `wandb.log` and their like mean again what `global_names` returned."""
    import wandb

    for name, value in names.items():
        setattr(wandb, name, value)


def point_globals(run: wandb.Run | None) -> None:
    """Make `wandb.run`, `wandb.log` and their like mean `run`; with None, nothing.

    W&B's own `reinit` modes would hand one task the run of another, so every run is opened with ``create_new``, which
    leaves these names alone; Lightning's and Hugging Face's loggers look there.
    """
    from wandb.sdk.lib import module

    if run is None:
        module.unset_globals()  # type: ignore[no-untyped-call]
    else:
        set_global_names({name: run if name == "run" else getattr(run, name) for name in global_names()})


def end_client() -> None:
    """End W&B's client of this process: the next run starts with what the environment says by then."""
    import wandb

    wandb.teardown()


def configured(name: str) -> tuple[Any, str]:
    """Return one of the client's own settings, and where it comes from.

    Args:
        name: A field of `wandb.Settings`, such as ``project``.
    """
    import wandb

    value, variable = getattr(_own_settings(), name), f"WANDB_{name.upper()}"
    if os.environ.get(variable):
        return value, variable
    default = wandb.Settings.model_fields[name].default
    return value, "W&B's default" if value == default else "W&B's settings files"


def api_key(base_url: str) -> tuple[str | None, str]:
    """Return the key with which the client would log in at `base_url`, and where it was found.

    Raises:
        Exception: The key that was found is none; W&B's message does not show it.
    """
    from wandb.sdk.lib import wbauth

    if key := os.environ.get("WANDB_API_KEY"):
        return _well_formed(key), "WANDB_API_KEY"
    if key := wbauth.read_netrc_auth(host=base_url):
        return key, "the netrc file"
    return _own_settings().api_key, "W&B's settings files"


def _well_formed(key: str) -> str:
    from wandb.sdk.lib import wbauth

    if fault := wbauth.check_api_key(key):
        raise ValueError(fault)
    return key


def client_place() -> tuple[str, str | None, str | None]:
    """Return the app URL, the entity and the project that W&B's own configuration names."""
    settings = _own_settings()
    return settings.app_url.rstrip("/"), settings.entity, settings.project


def _own_settings() -> wandb.Settings:
    """Return the client's own settings: W&B's files, then the environment. Starts no service.

    W&B loads them when they are first asked for, and lets a second thread see them half loaded.
    """
    from wandb.sdk import wandb_setup

    with _LOADING:
        return wandb_setup.singleton().settings


def _settings(
    given: wandb.Settings | dict[str, Any] | None, opening: Opening
) -> wandb.Settings | dict[str, Any] | None:
    wanted = dict(opening.settings)
    if opening.host:
        wanted["base_url"] = _hosts.api_url(opening.host)
    if given is None or isinstance(given, dict):
        return {**(given or {}), **wanted} or None
    settings = given.model_copy()
    for name, value in wanted.items():
        setattr(settings, name, value)
    return settings


def _not_opened(opening: Opening) -> str:
    server = _hosts.api_url(opening.host) if opening.host else _own_settings().base_url
    project = opening.arguments.get("project")
    where = f" (project {project!r})" if project else ""
    return f"W&B did not open the run {opening.run_id!r}{where} at {server}"


def _login() -> dict[str, Any]:
    settings = _own_settings()
    return {name: getattr(settings, name) for name in _LOGIN}


def _log_in_again(login: dict[str, Any]) -> None:
    settings = _own_settings()
    for name, value in login.items():
        setattr(settings, name, value)


_HOSTS: Final = OneHostAtATime(save=_login, restore=_log_in_again)


def _forget(run_id: str, error: Exception) -> None:
    """Free the id of a run that was not opened: W&B's service keeps it registered, and refuses it to a retry.

    The service lets go of a run only after its exit; told to do so before, it answers nothing any more. A run that is
    in use is somebody else's and stays as it is.
    """
    from wandb.sdk import wandb_setup
    from wandb.sdk.interface.interface_sock import InterfaceSock
    from wandb.sdk.mailbox.mailbox_handle import ServerResponseError

    if isinstance(error, ServerResponseError):
        return
    try:
        service = wandb_setup.singleton().assert_service()
        stream = InterfaceSock(service._asyncer, service._client, stream_id=run_id)
        stream.deliver_exit(1).wait_or(timeout=_FORGET_SECONDS)
        service.inform_finish(run_id=run_id)
    except Exception:
        _LOG.debug("the run id %s could not be freed", run_id, exc_info=True)
