"""The settings of `wandb_sweep` and `wandb_sweep_config`: W&B's configuration of a sweep, and its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypedDict, get_args

from .._logging import quoted
from ._context import SWEEP_PREFIX, SettingsNamespace
from ._schema import FIELDS, Field, check_choice, check_type, mapping_fault, texts_fault

Method = Literal["bayes", "custom", "grid", "random"]
"""How a sweep picks parameters; `custom` is your own controller."""


class SweepArguments(TypedDict, total=False):
    """Keyword arguments of `wandb_sweep` and `wandb_sweep_config`. None counts as not set.

    The settings from `name` on are the sweep's configuration, as in W&B's documentation; the others are this package's.
    """

    project: str | None
    entity: str | None
    host: str | None
    id: str | None
    prior_runs: list[str] | None
    download_logs: bool | None

    name: str | None
    description: str | None
    method: Method | None
    metric: Mapping[str, Any] | None
    parameters: Mapping[str, Any] | None
    early_terminate: Mapping[str, Any] | None
    run_cap: int | None
    program: str | None
    command: list[str] | None
    controller: Mapping[str, Any] | None


def _run_cap_fault(value: object) -> str | None:
    return None if type(value) is int and value > 0 else f"expected a number of trials, 1 or more, not {quoted(value)}"


def _parameters_fault(value: object) -> str | None:
    return mapping_fault(value) or (None if value else "it has no parameters")


_TEXT: Final = Field(check=check_type("a string", str), text=True)
_MAPPING: Final = Field(check=mapping_fault)

SWEEP_FIELDS: Final[Mapping[str, Field]] = {
    "project": FIELDS["project"],
    "entity": FIELDS["entity"],
    "host": FIELDS["host"],
    "id": _TEXT,
    "prior_runs": Field(check=texts_fault),
    "download_logs": FIELDS["download_logs"],
    "name": FIELDS["name"],
    "description": _TEXT,
    "method": Field(check=check_choice(*get_args(Method)), text=True),
    "metric": _MAPPING,
    "parameters": Field(check=_parameters_fault),
    "early_terminate": _MAPPING,
    "run_cap": Field(check=_run_cap_fault),
    "program": _TEXT,
    "command": Field(check=texts_fault),
    "controller": _MAPPING,
}
"""Every setting of a sweep by name."""

SWEEPS: Final = SettingsNamespace(prefix=SWEEP_PREFIX, fields=SWEEP_FIELDS, writer="wandb_sweep_config")
"""The same as Flyte's context carries them."""

SWEEP_CONFIG: Final = tuple(SWEEP_FIELDS)[tuple(SWEEP_FIELDS).index("name") :]
"""The settings that make up the sweep's configuration in W&B."""
