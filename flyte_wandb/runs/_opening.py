"""From a plan to the way in which W&B is asked for the run: plain, in W&B's shared mode, or alone because offline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flyte_wandb_hookspecs import Plan, Request, Role, Topology, plain_copy

from .._errors import SettingError
from .._start import BRANCHES, START, has_run_before, run_of, start_arguments, starts_over
from ..plans._budget import INTERVAL_FIELD, count_writers, find_interval
from ..plans._plan import run_place
from ..settings._limits import NAME
from ..wandb_client._opening import Additions, Mode, Opening
from ._run_hooks import NOTHING_ADDED, Contribution

PARENT_KEY: Final = "flyte_parent_run_id"
"""Config key of the run of the tracked task above."""

_READABLE: Final = 20
"""Characters of a name that people still read; those of Flyte's local mode have 25 and 36."""

_OF_THE_OWNER: Final = ("name", "tags", "notes", "job_type", "group")
"""Arguments of `wandb.init` that a writer leaves out who joins a run: W&B would put them over those of its owner."""

_OF_A_MONITOR: Final = ("project", "entity", "group", "name", "mode", "dir", "force", "resume", "settings")
"""The arguments of `wandb.init` with which a MONITOR joins; the others would write to the run or patch libraries."""

_METRICS_ONLY: Final[Mapping[str, Any]] = {
    "console": "off",
    "disable_code": True,
    "disable_git": True,
    "x_disable_meta": True,
    "x_save_requirements": False,
    "ignore_globs": ("*",),
}
"""Fields of `wandb.Settings` with which W&B's client sends system metrics, and no files (wandb 0.31)."""


def build_opening(
    plan: Plan,
    request: Request,
    *,
    mode: Mode | None,
    added: Contribution = NOTHING_ADDED,
    rewind: int | None = None,
) -> Opening:
    """Return the call of `wandb.init` that opens or joins the run of `plan`.

    Args:
        plan: A plan with a role that opens a run.
        request: The request of the plan.
        added: Additions, if the action opens its own run.
        mode: The mode of W&B's client, if other processes may write to the run. None if the whole tree of tasks runs
            in this process and shares the run object.
        rewind: The step after which a retry continues, or None.

    Raises:
        SettingError: The run should start at a step, which a run with this id, or of several processes, cannot.
    """
    assert plan.run_id is not None
    # A run that other processes may write to needs W&B's shared mode, which does not exist offline.
    several_writers = plan.role is not Role.SOLO
    shared, alone = several_writers and mode == "online", several_writers and mode == "offline"
    label = writer_label(request)
    owns, own = plan.role.owns, opens_own_run(plan, mode)
    if plan.role is not Role.JOIN:  # a secondary as well: it would write to the run that the primary leaves alone
        _refuse_branch(plan, request, shared=shared)
    # Offline each writer keeps a run of its own, which needs an id of its own.
    run_id = plan.run_id if owns or not own else f"{plan.run_id}-{label}"
    arguments = _init_arguments(
        plan, request, added if own else NOTHING_ADDED, run_id, own=own, local=mode is None, alone=alone
    )
    # Ranks of one task have one configuration, which the first of them sends; a child brings its own.
    config_of_owner = arguments.pop("config", {}) if shared and plan.role is Role.SECONDARY else {}
    return Opening(
        run_id=run_id,
        numbered=owns and request.settings.id is None and request.trial is None,
        joins=plan.run_id if plan.role is Role.JOIN else None,
        host=run_place(request, plan).host,
        arguments=arguments,
        settings={**_sweep_settings(plan, request), **(_shared_settings(label, owns=owns) if shared else {})},
        defaults={**(_find_writer_defaults(plan, request) if shared else {}), **_metrics_settings(plan, request)},
        shared=shared,
        # A primary that is the only rank of its part misses nobody, so nothing is said of it.
        alone=alone and (plan.role is not Role.PRIMARY or plan.part.size > 1),
        rewind=rewind if own else None,
        starts_over=owns and starts_over(request),
        fork_from=request.settings.init.get("fork_from") if owns and has_run_before(request) else None,
        below=_arguments_below(request),
        beside=_build_additions(request, added, run_id) if own else Additions(),
        config_of_owner=config_of_owner,
    )


def build_monitor_opening(plan: Plan, request: Request, *, mode: Mode) -> Opening:
    """Return the call of `wandb.init` that joins the run of `plan` with the system metrics of this rank's node.

    Offline it opens its own run for them, in the group of the others.

    Args:
        plan: The plan of a MONITOR.
        request: The request it was made for.
        mode: How W&B's client reaches a server.
    """
    opening = build_opening(plan, request, mode=mode)
    arguments = {name: value for name, value in opening.arguments.items() if name in _OF_A_MONITOR}
    return opening._replace(arguments=arguments, settings={**opening.settings, **_METRICS_ONLY})


def opens_own_run(plan: Plan, mode: Mode | None) -> bool:
    """Whether this writer opens a run rather than joins one: its owner does, and everybody offline."""
    return plan.role.owns or (plan.role is not Role.SKIP and mode == "offline")


def writer_label(request: Request) -> str:
    """Return what a writer is called among the writers of one shared run.

    >>> writer_label(Request(run_name="r1", action_name="a0"))
    'a0'
    """
    if not request.topology.distributed:
        return request.action_name
    return rank_label(request.topology)


def default_name(request: Request, run_id: str) -> str | None:
    """Return what the run is called where nobody says it: task, run and action of Flyte, and what the id adds to these.

    A trial has the name that W&B gives to the trials of a sweep.

    >>> default_name(Request(run_name="r1", action_name="a1", task_name="env.train"), "r1-a1-rank-3")
    'train r1 a1 rank-3'
    """
    if request.trial:
        return None
    task = request.task_name.rpartition(".")[2] if request.task_name else None
    names = (request.run_name, request.action_name) if task else (request.action_name, request.run_name)
    added = run_id.removeprefix(request.base).strip("-") if run_id.startswith(request.base) else ""
    words = [task or "", *map(_shorten, names), added]
    return " ".join(dict.fromkeys(filter(None, words)))[: NAME.longest]


def _shorten(name: str) -> str:
    """Keep both ends of a name that a machine has made: they tell it apart in a list, and in Flyte's UI."""
    return name if len(name) <= _READABLE else f"{name[:8]}…{name[-4:]}"


def _is_new(request: Request) -> bool:
    """Whether nobody can have opened the run before, and called it something: the id has Flyte's names in it."""
    return request.settings.id is None and not has_run_before(request)


def rank_label(topology: Topology) -> str:
    """Return ``rank-{rank}`` on a single node, ``worker-{index}-rank-{local rank}`` on several."""
    if topology.num_workers == 1:
        return f"rank-{topology.rank}"
    return f"worker-{topology.worker_index}-rank-{topology.local_rank}"


def _shared_settings(label: str, *, owns: bool) -> dict[str, Any]:
    # W&B documents these for shared mode, in spite of the `x_`. Only the owner may end the run.
    return {"mode": "shared", "x_label": label, "x_primary": owns, "x_update_finish_state": owns}


def _find_writer_defaults(plan: Plan, request: Request) -> dict[str, Any]:
    """Have the writers of one run send so seldom that together they stay within what W&B takes of a run."""
    interval = find_interval(count_writers(request, plan))
    return {} if interval is None else {INTERVAL_FIELD: interval}


def _metrics_settings(plan: Plan, request: Request) -> dict[str, Any]:
    """Have one rank of each node collect for a run, and tell of those of the node's GPUs that its part has.

    By convention the GPU of a rank has the number of its local rank.
    """
    topology, here = request.topology, plan.part.node_ranks
    if plan.role is Role.SECONDARY and here and here[0] != topology.local_rank:
        return {"x_disable_stats": True}
    # All of a node's GPUs need no list, and the node may have more of them than ranks.
    return {"x_stats_gpu_device_ids": tuple(sorted(here))} if 0 < len(here) < topology.local_world_size else {}


def _sweep_settings(plan: Plan, request: Request) -> dict[str, Any]:
    """Bind the trial's own run to its sweep; other ranks' runs are none that the controller asked for."""
    trial = request.trial
    return {"sweep_id": trial.sweep_id} if trial and plan.run_id == trial.run_id else {}


def _init_arguments(
    plan: Plan, request: Request, added: Contribution, run_id: str, *, own: bool, local: bool, alone: bool
) -> dict[str, Any]:
    settings = request.settings
    where = run_place(request, plan)
    # The order is the precedence: a plugin's job type, what the user hands to `wandb.init`, then what is planned.
    arguments = {
        "job_type": added.once.get("job_type"),
        **plain_copy(settings.init),
        "project": where.project,
        "entity": where.entity,
        "group": plan.group,
        "name": settings.name or (default_name(request, run_id) if _is_new(request) else None),
        "config": _init_config(request, added, own=own),
        "tags": settings.tags,
        "mode": settings.mode,
    }
    for name in START if own else (*START, *_OF_THE_OWNER):
        arguments.pop(name, None)
    if plan.role.owns:
        arguments |= start_arguments(request)
    elif own or local:
        # A child in its parent's process may come after the end of the run, which W&B would else start over.
        arguments["resume"] = "allow"
    if alone and plan.group is None:
        arguments["group"] = plan.run_id  # what shared mode would have held together
    return {name: value for name, value in arguments.items() if value is not None}


def _refuse_branch(plan: Plan, request: Request, *, shared: bool) -> None:
    """Refuse to start a run at a step where W&B cannot: it would open another run, or one without the rows."""
    if shared and request.settings.on_retry == "restart":
        raise SettingError(
            f"on_retry='restart' cannot be used: several processes write to the run {plan.run_id!r}, and W&B's shared "
            "mode has no steps to go back to; use on_retry='new', or a run mode in which one rank writes to each run"
        )
    branch = next((name for name in BRANCHES if request.settings.init.get(name)), None)
    if branch is None:
        return
    moment = request.settings.init[branch]
    if shared:
        raise SettingError(
            f"{branch}={moment!r} cannot be used: several processes write to the run {plan.run_id!r}, and W&B's shared "
            "mode has no steps; use a run mode in which one rank writes to each run"
        )
    if branch == "resume_from" and run_of(moment) != plan.run_id:
        raise SettingError(
            f"resume_from={moment!r} goes back in a run other than this rank's, {plan.run_id!r}; use "
            "fork_from, or a run mode that adds no rank or node to the id"
        )
    if branch == "fork_from" and run_of(moment) == plan.run_id:
        raise SettingError(f"fork_from={moment!r} forks from the run that it opens; use resume_from, or another id")


def _init_config(request: Request, added: Contribution, *, own: bool) -> dict[str, Any] | None:
    """Return the run's config: first a trial's parameters, then the user's config, then the additions.

    An own run below a tracked task names the run of that task, because nothing else leads there.
    """
    config = dict(added.identity)
    if request.parent and own:
        config[PARENT_KEY] = request.parent.run_id
    parameters = request.trial.parameters if request.trial else {}
    return {**config, **plain_copy(request.settings.config or {}), **plain_copy(parameters)} or None


def _arguments_below(request: Request) -> frozenset[str]:
    """Return the arguments that the user has not set: W&B's variables and files override them."""
    settings = request.settings
    set_by_user = {
        "group": settings.group is not None,
        "job_type": "job_type" in settings.init,
        "name": bool(settings.name),
    }
    return frozenset(name for name, by_user in set_by_user.items() if not by_user)


def _build_additions(request: Request, added: Contribution, run_id: str) -> Additions:
    """Return what is added to the run once it is open."""
    again = (f"attempt-{request.attempt}",) if request.attempt > 1 and request.settings.flyte_identity else ()
    return Additions(
        tags=tuple(dict.fromkeys((*added.tags, *again))),
        notes=added.once.get("notes"),
        config=added.config,
        name=None if request.settings.name or _is_new(request) else default_name(request, run_id),
        again=has_run_before(request),
    )
