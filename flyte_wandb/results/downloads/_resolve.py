"""Finding the run or sweep to download, and its server, entity and project.

Each of the three comes from the first that has it: the arguments, the text, the run at hand with the same id, the
settings in Flyte's context, and W&B's own configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..._errors import DownloadError
from ...plans._inherited import read_run, read_sweep
from ...runs._getters import get_wandb_run
from ...settings._config import config_in_force
from ...settings._context import read_settings, with_sweep_place
from ...settings._merge import PLACE_FIELDS
from ...wandb_client._configuration import configured_place, effective_mode
from ._reference import Kind, Reference, read_reference

if TYPE_CHECKING:
    import wandb


def resolve_reference(text: str | None, kind: Kind, arguments: Mapping[str, str | None]) -> Reference:
    """Return the run or sweep that is named, or that is at hand, with its place.

    Args:
        text: A reference as people write it, or None for the run (or sweep) at hand: the current one, else the one
            above.
        kind: Whether a run or a sweep is to be downloaded.
        arguments: Arguments `project`, `entity` and `host`; None counts as not set.

    Raises:
        DownloadError: The text cannot be read, nothing is at hand, it was never sent to a server, or nobody says in
            which project it is.
    """
    at_hand = _references_at_hand(kind, config_in_force())
    named = read_reference(text, kind) if text else _nearest_reference(at_hand, kind)
    if named.kind != kind:
        raise DownloadError(f"{text!r} is a {named.kind}; download it as one, or name a {kind}")
    resolved = _fill_in_place(replace(named, **_drop_unset(arguments)), at_hand)
    if not resolved.project:
        raise DownloadError(
            f"the project of the {kind} {resolved.id!r} is unknown; write ENTITY/PROJECT/ID, or set project= or "
            "WANDB_PROJECT"
        )
    return resolved


def reference_of_run(run: wandb.Run) -> Reference:
    """Return the reference of a run that is or was open in this process.

    Raises:
        DownloadError: It is offline or disabled, so that no server has it.
    """
    if run.disabled:
        raise DownloadError(f"the run {run.id} is disabled (WANDB_MODE or mode=), so W&B has nothing to download")
    if run.offline:
        raise DownloadError(
            f"the run {run.id} is offline, so W&B does not have it yet; upload it with `flyte-wandb sync`, or set "
            "WANDB_MODE=online"
        )
    # From its address, because only there is the server that the client has really reached.
    return read_reference(str(run.url))


def _references_at_hand(kind: Kind, context: Mapping[str, str]) -> list[Reference]:
    """Return the runs, or the sweep, that this code works for, the nearest first."""
    if kind == "sweep":
        sweep = read_sweep(context)
        return [Reference(id=sweep.sweep_id, kind=kind, **_place_fields(sweep))] if sweep else []
    run, parent = get_wandb_run(), read_run(context)
    own = [reference_of_run(run)] if run and not (run.offline or run.disabled) else []
    return own + ([Reference(id=parent.run_id, **_place_fields(parent))] if parent else [])


def _nearest_reference(at_hand: list[Reference], kind: Kind) -> Reference:
    # An own run that is offline is an error of its own, and never an occasion to fetch the parent's.
    if kind == "run" and (run := get_wandb_run()):
        return reference_of_run(run)
    mode = effective_mode(read_settings(config_in_force()).get("mode"))
    if at_hand and mode == "online":
        return at_hand[0]
    why = f"there is no {kind} here" if mode == "online" else f"W&B is {mode}, so no server has the {kind} of this task"
    raise DownloadError(
        f"{why}; name one to download, such as ENTITY/PROJECT/ID, or call it in or below a task that has one"
    )


def _fill_in_place(named: Reference, at_hand: list[Reference]) -> Reference:
    """Fill in what is missing of the place: from the run at hand with this id or else the settings, then W&B's own."""
    matching = [
        reference
        for reference in at_hand
        if reference.id == named.id and reference.project and named.project in (None, reference.project)
    ]
    source = matching[0] if matching else _place_from_settings(named)
    _, entity, project = configured_place()
    missing = {"project": source.project or project, "entity": source.entity or entity, "host": source.host}
    return replace(named, **{**missing, **_drop_unset(_place_fields(named))})


def _place_from_settings(named: Reference) -> Reference:
    context = config_in_force()
    settings = read_settings(with_sweep_place(context) if named.kind == "sweep" else context)
    return Reference(id=named.id, kind=named.kind, **{name: settings.get(name) for name in PLACE_FIELDS})


def _place_fields(record: object) -> dict[str, Any]:
    return {name: getattr(record, name) for name in PLACE_FIELDS}


def _drop_unset(fields: Mapping[str, str | None]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
