"""Ids, groups and links of runs."""

from __future__ import annotations

from flyte_wandb_hookspecs import Group, Part, Plan, Request, Role, hookimpl, quote_segment


@hookimpl
def compute_run_id(request: Request, part: Part, role: Role) -> str:
    """Name the run after its part. Add the rank, or the attempt, if each of them has its own run."""
    rank = f"-rank-{part.index}" if one_run_per_rank(request) else ""
    # The first attempt has no suffix: a link is always built for it, because Flyte passes no attempt to links.
    has_suffix = request.settings.on_retry == "new" and request.attempt > 1
    return f"{_part_name(request, part)}{rank}{f'-attempt-{request.attempt}' if has_suffix else ''}"


@hookimpl
def compute_group(request: Request, part: Part, role: Role) -> Group:
    """Use the user's group, else one for a part with several runs, else that of a parent that nobody may join."""
    if request.settings.group == "parent":
        return Group(name=_parents_group(request))
    if request.settings.group is not None:
        return Group(name=request.settings.group)
    if fans_out(request):
        return Group(name=_part_name(request, part))
    return Group(name=_group_of_closed_parent(request))


def _part_name(request: Request, part: Part) -> str:
    return f"{request.base}-{part.label}" if part.label else request.base


def _parents_group(request: Request) -> str | None:
    return (request.parent.group or request.parent.run_id) if request.parent else None


def _group_of_closed_parent(request: Request) -> str | None:
    # Only a plain `auto` task wanted the parent's run and may not write to it; the group keeps the two together.
    parent = request.parent
    if parent is None or parent.joinable or request.run_mode != "auto" or request.topology.distributed:
        return None
    return _parents_group(request)


def one_run_per_rank(request: Request) -> bool:
    """Whether every rank has its own run."""
    return request.run_mode == "new" and request.topology.distributed


def fans_out(request: Request) -> bool:
    """Whether a part has several runs: of its ranks, or of the attempts of its action."""
    return request.settings.on_retry == "new" or one_run_per_rank(request)


@hookimpl
def build_link(request: Request, plan: Plan, project_url: str) -> str:
    """Lead to the run, to the group if there are several runs, or else to the project."""
    if plan.group and (plan.run_id is None or fans_out(request)):
        return f"{project_url}/groups/{quote_segment(plan.group)}/workspace"
    if plan.run_id:
        return f"{project_url}/runs/{quote_segment(plan.run_id)}"
    return project_url


@hookimpl
def build_sweep_link(request: Request, sweep_id: str | None, project_url: str) -> str:
    """Lead to the sweep, or to all sweeps of the project until its id is known."""
    sweeps = f"{project_url}/sweeps"
    return f"{sweeps}/{quote_segment(sweep_id)}" if sweep_id else sweeps
