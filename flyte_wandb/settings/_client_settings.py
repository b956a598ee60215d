"""`settings=`: W&B's own way of saying what a setting says. Each of its fields counts as the setting of that name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

SETTING_OF: Final[Mapping[str, str]] = {
    "mode": "mode",
    "project": "project",
    "entity": "entity",
    "base_url": "host",
    "run_id": "id",
    "run_name": "name",
    "run_tags": "tags",
    "run_group": "group",
    "run_notes": "notes",
    "run_job_type": "job_type",
    "root_dir": "dir",
    "allow_val_change": "allow_val_change",
    "force": "force",
    "resume": "resume",
    "resume_from": "resume_from",
    "fork_from": "fork_from",
    "save_code": "save_code",
    "sync_tensorboard": "sync_tensorboard",
}
"""Fields of `wandb.Settings`, each with the setting that it counts as."""

_OF_A_WRITER: Final = "run mode and rank decide which writer of a run is primary, and its label"
REFUSED_FIELDS: Final[Mapping[str, str]] = {
    "reinit": "every task opens its own run, beside those that are open; remove reinit",
    "anonymous": "W&B has removed anonymous runs; remove it",
    "sweep_id": "wandb_sweep and run_sweep set the sweep of a task; remove sweep_id",
    "sweep_param_path": "wandb_sweep and run_sweep pass a trial its parameters; remove sweep_param_path",
    "x_label": f"{_OF_A_WRITER}; remove x_label",
    "x_primary": f"{_OF_A_WRITER}; use run_mode='shared' and remove x_primary",
    "x_update_finish_state": f"{_OF_A_WRITER}; use run_mode='shared' and remove x_update_finish_state",
}
"""Fields that this package decides and has no setting for, each with what to do."""

_MODES: Final = {"dryrun": "offline", "run": "online"}
"""W&B's older names of its modes."""


def settings_fault(value: object) -> str | None:
    """Say why `value` is nothing that `settings=` takes, or None where it is."""
    if isinstance(value, Mapping):
        other = next((key for key in value if not isinstance(key, str)), None)
        return None if other is None else f"expected names of fields as strings, got {type(other).__name__}"
    if _is_client_settings(value):
        return None
    return f"expected a wandb.Settings or a dict of its fields, got {type(value).__name__}"


def fields_that_are_set(value: Any) -> dict[str, Any]:
    """Return the fields that a `wandb.Settings`, or a dict, sets. None counts as not set.

    >>> fields_that_are_set({"mode": "offline", "_disable_stats": True, "project": None})
    {'mode': 'offline', 'x_disable_stats': True}
    """
    is_mapping = isinstance(value, Mapping)
    pairs = value.items() if is_mapping else ((name, getattr(value, name)) for name in sorted(value.model_fields_set))
    # W&B takes its private fields with the underscore of older versions, too.
    return {f"x{name}" if name.startswith("_") else name: item for name, item in pairs if item is not None}


def as_setting(field: str, value: Any) -> tuple[str, Any]:
    """Return the setting that a field counts as, and its value there.

    >>> as_setting("run_id", "exp"), as_setting("mode", "dryrun")
    (('id', 'exp'), ('mode', 'offline'))
    """
    if field == "mode":
        value = _MODES.get(value, value)
    if field in ("resume_from", "fork_from") and not isinstance(value, str):
        value = f"{value.run}?{value.metric}={value.value}"  # what a wandb.Settings makes of the text
    return SETTING_OF[field], value


def _is_client_settings(value: object) -> bool:
    """Whether this is a `wandb.Settings`; whoever has made one has imported wandb."""
    wandb = sys.modules.get("wandb")
    return wandb is not None and isinstance(value, wandb.Settings)
