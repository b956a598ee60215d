"""What `wandb.run`, `wandb.log` and their like mean in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ._owned_runs import show_run

if TYPE_CHECKING:
    import wandb

# All that W&B's `set_global` sets in the module `wandb` for a run (wandb 0.31); an older one may lack some.
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


def global_names() -> dict[str, Any]:
    """Return what `wandb.run`, `wandb.log` and their like mean now."""
    import wandb

    present = vars(wandb)
    return {name: present[name] for name in _GLOBALS if name in present}


def set_global_names(names: dict[str, Any]) -> None:
    """Set `wandb.run`, `wandb.log` and their like to what `global_names` returned."""
    import wandb

    vars(wandb).update(names)


def point_globals(run: wandb.Run | None) -> None:
    """Make `wandb.run`, `wandb.log` and their like mean `run`; with None, nothing.

    W&B's own `reinit` modes would hand one task the run of another, so every run is opened with ``create_new``, which
    leaves these names alone; Lightning's and Hugging Face's loggers look there.
    """
    from wandb.sdk.lib import module

    if run is None:
        module.unset_globals()  # type: ignore[no-untyped-call]
    else:
        show_run(run)
        set_global_names({name: run if name == "run" else getattr(run, name) for name in global_names()})
