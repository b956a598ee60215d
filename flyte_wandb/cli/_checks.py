"""The preflight: could a task open its run from here, and if not, what is to be done?"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from types import MappingProxyType
from typing import Final, Literal
from urllib.error import HTTPError

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from .._errors import FlyteWandbError
from .._logging import listed, one_line
from .._place import api_url
from ..plans._plan import detect_topology
from ..plans._rehearsal import rehearse_plugins
from ..plugins._loading import DISABLE_VARIABLE, InstalledPlugin, disabled_names, survey_plugins
from ..plugins._manager import StrategyManager
from ..wandb_client._configuration import effective_mode, find_api_key, read_configured
from ..wandb_client._server_info import Access, ServerInfo, ask_server, has_entity, project_access

State = Literal["ok", "note", "problem"]

_PACKAGES: Final = ("flyte", "wandb", "pluggy")
_SHARED_FROM: Final = Version("0.68")
"""The first version of a self-hosted server that knows shared mode (W&B's documentation of distributed training)."""

_RANK_VARIABLES: Final = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the preflight.

    Attributes:
        about: What was checked.
        state: ``problem`` where a run could not start, ``note`` for what may surprise.
        message: What the check found.
        remedy: What to do, or None.
    """

    about: str
    state: State
    message: str
    remedy: str | None = None


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """Settings to try instead of those in the client's own configuration, and how long to wait for the server."""

    host: str | None = None
    project: str | None = None
    entity: str | None = None
    timeout: float = 5.0


@dataclass(frozen=True, kw_only=True)
class LoggedInServer:
    """A server that knows the key.

    Attributes:
        base_url: Where its API listens.
        key: The key.
        info: What it says of itself and of the key's owner.
        timeout: Seconds to wait for each answer.
    """

    base_url: str
    key: str
    info: ServerInfo
    timeout: float

    def has_entity(self, entity: str) -> bool:
        """Whether the server has this user or team."""
        return has_entity(self.base_url, self.key, entity, timeout=self.timeout)

    def project_access(self, entity: str, project: str) -> Access:
        """What the key may do in a project."""
        return project_access(self.base_url, self.key, entity, project, timeout=self.timeout)


def run_checks(options: DoctorOptions) -> Iterator[Finding]:
    """Check everything that a run needs, and yield the findings one by one.

    Args:
        options: What to try.
    """
    # From what needs nothing to what needs a server: a slow check does not keep the others from the screen.
    yield _check_versions()
    manager, plugins = survey_plugins()
    yield from _check_plugins(rehearse_plugins(manager, plugins))
    yield _catch_errors("launcher", lambda: _check_launcher(manager))
    yield from _check_service()
    try:
        mode, source = read_configured("mode")
    except Exception as error:  # such as pydantic's, of a variable, and configparser's, of the settings file
        yield _problem_finding(
            "configuration",
            f"W&B's own configuration cannot be read: {one_line(error)}",
            "correct the variable or settings file",
        )
        return
    yield _check_mode(mode, source)
    yield from _check_connection(options, online=effective_mode(None) == "online")


def _check_versions() -> Finding:
    installed = {name: metadata.version(name) for name in ("flyte-wandb", *_PACKAGES)}
    versions = [f"Python {platform.python_version()}", *(f"{name} {version}" for name, version in installed.items())]
    message = ", ".join(versions)
    # Requirements of extras carry a marker, and are nobody's but those of who asked for the extra.
    needed = (Requirement(text) for text in metadata.requires("flyte-wandb") or () if "extra ==" not in text)
    unmet = [str(need) for need in needed if need.name in installed and installed[need.name] not in need.specifier]
    if unmet:
        return _problem_finding("versions", f"{message}; needed: {', '.join(unmet)}", f"pip install '{unmet[0]}'")
    return _ok_finding("versions", message)


def _check_plugins(plugins: Sequence[InstalledPlugin]) -> Iterator[Finding]:
    for plugin in plugins:
        if plugin.problem:
            yield _problem_finding("plugins", str(plugin.problem), None)
    used = [f"{plugin.name} ({plugin.origin})" for plugin in plugins if not plugin.problem and not plugin.disabled]
    yield _ok_finding("plugins", ", ".join(used) or "none")
    blocked = disabled_names()
    if unknown := sorted(blocked - {plugin.name for plugin in plugins}):
        yield _note_finding(
            "plugins", f"{DISABLE_VARIABLE} names {', '.join(unknown)}, which is not installed", "correct it"
        )
    if known := sorted(blocked - set(unknown)):
        yield _note_finding("plugins", f"{DISABLE_VARIABLE} leaves out {', '.join(known)}", None)


def _check_launcher(manager: StrategyManager) -> Finding:
    topology = detect_topology(MappingProxyType(os.environ), manager)
    if topology.distributed:
        place = f"rank {topology.rank} of {topology.world_size}, node {topology.worker_index} of {topology.num_workers}"
        return _ok_finding("launcher", f"{topology.launcher}: {place}")
    # A pod may have RANK and WORLD_SIZE of its own, which look like a rank's to a reader.
    if stray := [name for name in _RANK_VARIABLES if os.environ.get(name)]:
        message = f"single process: it has {', '.join(stray)} only, and no marker of a launcher"
        remedy = (
            f"start ranks with torchrun, Elastic or a clustered environment, or set all of {', '.join(_RANK_VARIABLES)}"
        )
        return _note_finding("launcher", message, remedy)
    return _ok_finding("launcher", "single process (no distributed launcher)")


def _check_service() -> Iterator[Finding]:
    # Through one service, W&B's client lets one process write to a run ("run ID is in use", from 0.26.1 on).
    if os.environ.get("WANDB_SERVICE"):
        message = "WANDB_SERVICE is set: runs go through another process's W&B service"
        yield _note_finding(
            "service", message, "unset it if that process can end first; ranks that share a run ignore it anyway"
        )


def _check_mode(mode: str, source: str) -> Finding:
    effective = effective_mode(None)
    message = f"{effective} ({source})"
    if effective == "online":
        return _ok_finding("mode", message)
    remedy = {
        "offline": "upload the runs later with flyte-wandb sync, or unset WANDB_MODE",
        "disabled": "W&B keeps no run; unset WANDB_MODE to have one",
    }
    return _note_finding("mode", message, remedy[effective])


def _check_connection(options: DoctorOptions, *, online: bool) -> Iterator[Finding]:
    base_url, source = read_configured("base_url")
    if options.host:
        base_url, source = api_url(options.host), "--host"
    yield _ok_finding("server", f"{base_url} ({source})")
    ask: LoggedInServer | None = None
    # Offline, a server that does not answer is what people expect.
    if online:
        key, finding = _check_api_key(base_url)
        yield finding
        server, findings = _check_server(base_url, key, options.timeout)
        yield from findings
        if key and server and server.user:
            ask = LoggedInServer(base_url=base_url, key=key, info=server, timeout=options.timeout)
    yield from _check_place(options, ask)


def _check_api_key(base_url: str) -> tuple[str | None, Finding]:
    remedy = f"wandb login --host {base_url}, or a Flyte secret as WANDB_API_KEY (flyte.Secret(..., as_env_var=...))"
    try:
        key, source = find_api_key(base_url)
    except Exception as error:
        return None, _problem_finding("key", f"the key for {base_url} is none: {error}", remedy)
    if os.environ.get("WANDB_IDENTITY_TOKEN_FILE") and key is None:
        # The client exchanges the token for an access token when it logs in, so there is no key to try here.
        return None, _ok_finding("key", f"an identity token for {base_url} (WANDB_IDENTITY_TOKEN_FILE)")
    if key is None:
        return None, _problem_finding("key", f"none found for {base_url}", remedy)
    return key, _ok_finding("key", f"found for {base_url} ({source})")


def _check_server(base_url: str, key: str | None, timeout: float) -> tuple[ServerInfo | None, list[Finding]]:
    try:
        server = ask_server(base_url, key, timeout=timeout)
    except (OSError, ValueError) as error:
        # An HTTPError says code and reason; of a URLError only the reason says something.
        cause = error if isinstance(error, HTTPError) else getattr(error, "reason", error)
        message = f"{base_url} does not answer as a W&B server does: {cause}"
        remedy = "check the address and the network, or work offline with WANDB_MODE=offline"
        return None, [_problem_finding("connection", message, remedy)]
    # A key that W&B does not know is no error to it: it answers that nobody is logged in.
    if key and server.user is None:
        message = f"{base_url} does not know the key"
        return server, [
            _problem_finding("connection", message, f"wandb login --relogin --host {base_url}"),
            _check_shared_mode(server),
        ]
    login = f", logged in as {server.user}" if server.user and key else ""
    return server, [_ok_finding("connection", f"{base_url} answers{login}"), _check_shared_mode(server)]


def _check_shared_mode(server: ServerInfo) -> Finding:
    """Check whether children, and ranks under run_mode "shared", could write to one run."""
    if server.version is None:
        return _ok_finding("shared mode", "the server names no version, as W&B's own clouds do, which know shared mode")
    message = f"the server has version {server.version}"
    try:
        new_enough = Version(server.version) >= _SHARED_FROM
    except InvalidVersion:
        return _note_finding("shared mode", f"{message}, which says nothing about shared mode", None)
    if new_enough:
        return _ok_finding("shared mode", f"{message}, which knows shared mode")
    remedy = "upgrade it, or set joinable=False and avoid run_mode='shared'"
    return _problem_finding("shared mode", f"{message}; shared mode needs {_SHARED_FROM} or newer", remedy)


def _check_place(options: DoctorOptions, server: LoggedInServer | None) -> Iterator[Finding]:
    entity, of_entity = _configured("entity", options.entity)
    project, of_project = _configured("project", options.project)
    yield _check_entity(entity, of_entity, server)
    yield _check_project(project, of_project, entity or (server.info.entity if server else None), server)


def _configured(name: str, option: str | None) -> tuple[str | None, str]:
    """Return an option, or else what W&B's configuration says, and where it comes from."""
    return (option, f"--{name}") if option else read_configured(name)


def _check_entity(entity: str | None, source: str, server: LoggedInServer | None) -> Finding:
    if not entity:
        # Only the server says which entity the key's owner has.
        default = f", {server.info.entity}" if server and server.info.entity else ""
        return _note_finding("entity", f"not set; W&B uses the default of the key's owner{default}", _to_set("entity"))
    about = f"{entity} ({source})"
    if server is None:
        return _ok_finding("entity", about)

    def check() -> Finding:
        if server.has_entity(entity):
            return _ok_finding("entity", f"{about}, found on the server")
        own = f"; the key's owner belongs to {listed(server.info.teams)}" if server.info.teams else ""
        message = f"{about}: the server has no user or team of this name that the key can see{own}"
        return _problem_finding("entity", message, _to_set("entity"))

    return _unless_silent("entity", about, check)


def _check_project(project: str | None, source: str, entity: str | None, server: LoggedInServer | None) -> Finding:
    if not project:
        # Which one the client would take, only the client knows.
        message = "not set; W&B names one after the code's git repository, or takes 'uncategorized'"
        return _note_finding("project", message, _to_set("project"))
    about = f"{project} ({source})"
    if server is None or entity is None:
        return _ok_finding("project", about)

    def check() -> Finding:
        access = server.project_access(entity, project)
        if access == "read":
            remedy = f"ask {entity} for write access, or set another project= or entity="
            return _problem_finding("project", f"{about}: the key may read {entity}/{project} and not write", remedy)
        here = "the key may write to it" if access == "write" else f"not in {entity} yet: the first run creates it"
        return _ok_finding("project", f"{about}, {here}")

    return _unless_silent("project", about, check)


def _to_set(name: str) -> str:
    return f"set {name}= in wandb_init or wandb_config, or WANDB_{name.upper()}, so that links lead to the run"


def _unless_silent(about: str, value: str, check: Callable[[], Finding]) -> Finding:
    """Return what a check finds. A server need not answer it: a run may start all the same."""
    try:
        return check()
    except (OSError, ValueError) as error:
        return _note_finding(about, f"{value}; the server does not say whether a run can go there: {error}", None)


def _catch_errors(about: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except FlyteWandbError as error:
        return _problem_finding(about, str(error), None)


def _ok_finding(about: str, message: str) -> Finding:
    return Finding(about=about, state="ok", message=message)


def _note_finding(about: str, message: str, remedy: str | None) -> Finding:
    return Finding(about=about, state="note", message=message, remedy=remedy)


def _problem_finding(about: str, message: str, remedy: str | None) -> Finding:
    return Finding(about=about, state="problem", message=message, remedy=remedy)
