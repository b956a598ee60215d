"""The settings of `wandb_init` and `wandb_config`: their types, their limits, and their text in Flyte's context."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Set
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypedDict, get_args

from .._errors import SettingError
from .._logging import mask_userinfo, quoted, suggest_name
from .._place import host_fault
from .._start import moment_fault, start_fault
from ..wandb_client._opening import Mode
from ..wandb_client._setting_names import client_setting_names
from . import _encoding as _codec
from . import _limits
from ._client_settings import REFUSED_FIELDS, SETTING_OF, as_setting, fields_that_are_set, settings_fault
from ._config_values import ConfigFile, config_fault, read_config

if TYPE_CHECKING:
    import os

    import wandb

Check = Callable[[Any], "str | None"]

RunMode = Literal["auto", "new", "shared"]
"""The built-in run modes; plugins bring more."""

RankScope = Literal["global", "worker"]
"""The built-in rank scopes; plugins bring more."""

SystemMetrics = Literal["owner", "nodes"]
"""Whose system metrics a run has."""

OnError = Literal["raise", "offline", "ignore"]
"""What a task does if W&B does not open its run."""

OnRetry = Literal["resume", "restart", "new"]
"""What a retry does with the run of the previous attempt."""

Resume = Literal["allow", "must", "never", "auto"]
"""W&B's ways to continue an existing run."""


class SettingArguments(TypedDict, total=False):
    """Keyword arguments of `wandb_init` and `wandb_config`. None counts as not set.

    The settings up to `run_creations_per_second` are this package's; the others are passed to `wandb.init` unchanged.
    """

    run_mode: RunMode | str | None
    rank_scope: RankScope | str | None
    project: str | None
    entity: str | None
    host: str | None
    id: str | None
    name: str | None
    tags: list[str] | tuple[str, ...] | Set[str] | None
    config: Any
    group: str | None
    mode: Mode | None
    joinable: bool | None
    system_metrics: SystemMetrics | None
    download_logs: bool | None
    report: bool | None
    flyte_identity: bool | None
    config_inputs: bool | None
    on_error: OnError | None
    on_retry: OnRetry | None
    checkpoint_step: int | Callable[[], int | None] | None
    sigterm_grace: float | None
    run_creations_per_second: float | None

    notes: str | None
    job_type: str | None
    dir: str | os.PathLike[str] | None
    config_exclude_keys: list[str] | None
    config_include_keys: list[str] | None
    allow_val_change: bool | None
    force: bool | None
    resume: bool | Resume | None
    resume_from: str | None
    fork_from: str | None
    save_code: bool | None
    tensorboard: bool | None
    sync_tensorboard: bool | None
    monitor_gym: bool | None
    settings: wandb.Settings | dict[str, Any] | None


class Field(NamedTuple):
    """One setting: how its value is checked, and whether it travels as it is (text) or encoded.

    Attributes:
        check: Says why a value cannot be used, or None.
        text: Whether the value is a text that travels as it is.
        travel: Says why a value cannot travel, or None.
        read: Makes the setting of what users write; `ValueError` where it cannot.
    """

    check: Check
    text: bool = False
    travel: Check = lambda value: None
    read: Callable[[Any], Any] = lambda value: value

    def accept(self, value: Any) -> tuple[Any, str | None]:
        """Return what users write as the setting that it makes, and why it cannot be used, or None."""
        try:
            read = self.read(value)
        except ValueError as error:
            return value, str(error)
        return read, self.check(read)

    def encode(self, name: str, value: Any) -> str:
        """Write a value for Flyte's context."""
        if isinstance(value, ConfigFile):
            value = value.read()
        if fault := self.travel(value):
            raise SettingError(f"{name} cannot travel in Flyte's context: {fault}")
        if not self.text:
            return _codec.encode_value(value, name)
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise SettingError(f"{name}={quoted(value)} cannot travel in Flyte's context: {error}") from None
        return str(value)

    def decode(self, text: str) -> Any:
        """Read a value from Flyte's context; ValueError where it is not one."""
        return text if self.text else _codec.decode_value(text)


_LONGEST_VALUE: Final = 1000
"""Characters of a value in a message: enough for the tags of a run, and a megabyte fills no log."""


def _value_text(value: object) -> str:
    try:
        text = repr(value)
    except RecursionError:
        text = quoted(value)
    return mask_userinfo(text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…")


def check_settings(
    arguments: Mapping[str, Any], function: str, fields: Mapping[str, Field] | None = None
) -> dict[str, Any]:
    """Return the arguments that are set, each checked. Without `fields` they are settings of runs.

    Raises:
        SettingError: A name is unknown, a value cannot be used, or two contradict each other; the message names
            `function`, names and values.
    """
    known = FIELDS if fields is None else fields
    given = {
        name: _read_argument(name, value, function, known) for name, value in arguments.items() if value is not None
    }
    if fields is not None:
        return given
    given = with_client_settings(given, f"{function}(settings=...)")
    if fault := start_fault(given) or _keys_fault(given):
        raise SettingError(f"{function}(...): {fault}")
    return given


def _read_argument(name: str, value: Any, function: str, known: Mapping[str, Field]) -> Any:
    read, fault = known[name].accept(value) if name in known else (value, _unknown_fault(name, known))
    if fault:
        raise SettingError(f"{function}({name}={_value_text(value)}): {fault}")
    return read


def with_client_settings(given: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return settings of runs with the fields of `settings` as the settings that they count as, below these.

    Args:
        given: Settings of one place, each checked.
        source: Where the user wrote `settings`, for messages.

    Raises:
        SettingError: W&B does not have a field, a user cannot set it, or its value cannot be used; the message names
            both.

    >>> with_client_settings({"project": "a", "settings": {"mode": "offline", "quiet": True}}, "")
    {'mode': 'offline', 'settings': {'quiet': True}, 'project': 'a'}
    """
    if "settings" not in given:
        return dict(given)
    client = fields_that_are_set(given["settings"])
    same: dict[str, Any] = {}
    for field, value in client.items():
        if fault := REFUSED_FIELDS.get(field):
            raise SettingError(f"{source}: the field {field}={_value_text(value)} cannot be set: {fault}")
        if field in SETTING_OF:
            name, same_value = as_setting(field, value)
            same_value, fault = FIELDS[name].accept(same_value)
            if fault:
                raise SettingError(f"{source}: the field {field}={_value_text(value)} counts as {name}=: {fault}")
            same[name] = same_value
    rest = {field: value for field, value in client.items() if field not in SETTING_OF}
    names = client_setting_names() if rest else frozenset()
    for field in rest if names else ():
        if field not in names:  # its value is not shown: it may be a key whose name is misspelt
            raise SettingError(f"{source}: W&B does not have the field {field}: {_unknown_fault(field, names)}")
    return same | ({"settings": rest} if rest else {}) | {n: v for n, v in given.items() if n != "settings"}


def default_of(name: str) -> Any:
    """Return what holds for a setting that nobody has set.

    >>> default_of("run_mode"), default_of("download_logs"), default_of("project")
    ('auto', False, None)
    """
    from flyte_wandb_hookspecs import Settings  # loads pluggy, which `import flyte_wandb` does not

    return next((field.default for field in dataclasses.fields(Settings) if field.name == name), None)


def _unknown_fault(name: str, known: Collection[str]) -> str:
    if name in REFUSED_FIELDS:
        return REFUSED_FIELDS[name]
    return f"there is no such setting{suggest_name(name, known)}"


def check_type(kind: str, *types: type) -> Check:
    """Return a check for values of exactly these types."""
    return lambda value: None if type(value) in types else f"expected {kind}, got {type(value).__name__}"


def check_choice(*choices: str | bool) -> Check:
    """Return a check for one of these values."""
    known = [(type(choice), choice) for choice in choices]
    return lambda value: None if (type(value), value) in known else f"expected one of {', '.join(map(str, choices))}"


def _read_tags(value: Any) -> Any:
    """Return tags as a list or tuple: W&B takes one text for one tag, too, and users write sets."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Set):
        return tuple(sorted(value, key=str))
    if type(value) not in (list, tuple):
        raise ValueError(f"expected a string, or a list, tuple or set of strings, got {type(value).__name__}")
    return value


def _tags_fault(value: object) -> str | None:
    if type(value) not in (list, tuple):
        return f"expected a list or tuple of strings, got {type(value).__name__}"
    return next((fault for tag in value if (fault := _limits.TAG.fault(tag))), None)  # type: ignore[attr-defined]


def texts_fault(value: object) -> str | None:
    """Say why a value is not a list of strings, or return None."""
    if type(value) is not list:
        return f"expected a list of strings, got {type(value).__name__}"
    other = next((item for item in value if not isinstance(item, str)), None)
    return None if other is None else f"expected a list of strings, got {type(other).__name__} in it"


def mapping_fault(value: object) -> str | None:
    """Say why a value is not a mapping, or return None."""
    return None if isinstance(value, Mapping) else f"expected a mapping, got {type(value).__name__}"


def _step_fault(value: object) -> str | None:
    if callable(value) or (type(value) is int and value >= 0):
        return None
    return f"expected a step, 0 or more, or a function that returns one, not {quoted(value)}"


def _seconds_fault(value: object) -> str | None:
    if type(value) in (int, float) and 0 <= value <= LONGEST_GRACE:  # type: ignore[operator]
        return None
    return f"expected seconds, 0 to {LONGEST_GRACE}, not {quoted(value)}"


def _rate_fault(value: object) -> str | None:
    if type(value) in (int, float) and 0 <= value <= HIGHEST_RATE:  # type: ignore[operator]
        return None
    return f"expected runs per second, 0 (no limit) to {HIGHEST_RATE:,}, not {quoted(value)}"


def _folder_fault(value: object) -> str | None:
    return None if isinstance(value, str | PathLike) else f"expected the path of a folder, got {type(value).__name__}"


def _keys_fault(given: Mapping[str, Any]) -> str | None:
    both = given.get("config_include_keys") and given.get("config_exclude_keys")
    return "W&B accepts only one of config_include_keys and config_exclude_keys; remove the other" if both else None


def _without_key(settings: Mapping[str, Any]) -> str | None:
    if "api_key" not in settings:
        return None
    return "everyone who sees the run in Flyte would see the key; pass it as WANDB_API_KEY, in a Flyte secret"


LONGEST_GRACE: Final = 3600
"""The longest `sigterm_grace` in seconds: as long as anybody's `terminationGracePeriodSeconds`."""

HIGHEST_RATE: Final = 1_000_000
"""The highest `run_creations_per_second`: as many as a preview has ranks, so that nobody waits."""

_FLAG: Final = Field(check=check_type("True or False", bool))
_TEXT: Final = Field(check=check_type("a string", str), text=True)
_LIST: Final = Field(check=texts_fault)
_MODE: Final = check_choice(*get_args(Mode))

FIELDS: Final[Mapping[str, Field]] = {
    "run_mode": _TEXT,
    "rank_scope": _TEXT,
    "project": Field(check=_limits.PROJECT.fault, text=True),
    "entity": Field(check=_limits.ENTITY.fault, text=True),
    "host": Field(check=host_fault, text=True),
    "id": Field(check=_limits.RUN_ID.fault, text=True),
    "name": Field(check=_limits.NAME.fault, text=True),
    "tags": Field(check=_tags_fault, read=_read_tags),
    "config": Field(check=config_fault, read=read_config),
    "group": Field(check=_limits.GROUP.fault, text=True),
    "mode": Field(
        check=lambda value: (
            "W&B's shared mode is a run mode here; use run_mode='shared'" if value == "shared" else _MODE(value)
        ),
        text=True,
    ),
    "joinable": _FLAG,
    "system_metrics": Field(check=check_choice(*get_args(SystemMetrics)), text=True),
    "download_logs": _FLAG,
    "report": _FLAG,
    "flyte_identity": _FLAG,
    "config_inputs": _FLAG,
    "on_error": Field(check=check_choice(*get_args(OnError)), text=True),
    "on_retry": Field(check=check_choice(*get_args(OnRetry)), text=True),
    "checkpoint_step": Field(check=_step_fault),
    "sigterm_grace": Field(check=_seconds_fault),
    "run_creations_per_second": Field(check=_rate_fault),
    "notes": _TEXT,
    "job_type": Field(check=_limits.JOB_TYPE.fault, text=True),
    "dir": Field(check=_folder_fault),
    "config_exclude_keys": _LIST,
    "config_include_keys": _LIST,
    "allow_val_change": _FLAG,
    "force": _FLAG,
    "resume": Field(check=check_choice(True, False, *get_args(Resume))),
    "resume_from": Field(check=moment_fault, text=True),
    "fork_from": Field(check=moment_fault, text=True),
    "save_code": _FLAG,
    "tensorboard": _FLAG,
    "sync_tensorboard": _FLAG,
    "monitor_gym": _FLAG,
    "settings": Field(check=settings_fault, travel=_without_key),
}
"""Every setting by name."""

OWN_FIELDS: Final = tuple(FIELDS)[: tuple(FIELDS).index("notes")]
"""The settings of this package; the others are passed to `wandb.init` unchanged."""
