"""The built-in names of runs and groups: `{base}[-{label}][-rank-{rank in the part}][-attempt-{number}]`."""

from flyte_wandb_hookspecs import Group, Part, Request, Role, hookimpl

from ._fan_out import fans_out, one_run_per_rank


@hookimpl
def compute_run_id(request: Request, part: Part, role: Role) -> str:
    """Name the run after its part, and after its rank and attempt too where each of them has a run of its own."""
    rank = f"-rank-{part.index}" if one_run_per_rank(request) else ""
    again = request.settings.on_retry == "new" and request.attempt > 1
    return f"{_part_name(request, part)}{rank}{f'-attempt-{request.attempt}' if again else ''}"


@hookimpl
def compute_group(request: Request, part: Part, role: Role) -> Group:
    """Group by what the user asked for, else by part where it has several runs, else with a parent that is closed."""
    if request.settings.group is not None:
        return Group(name=request.settings.group)
    if fans_out(request):
        return Group(name=_part_name(request, part))
    return Group(name=_group_of_closed_parent(request))


def _part_name(request: Request, part: Part) -> str:
    return f"{request.base}-{part.label}" if part.label else request.base


def _group_of_closed_parent(request: Request) -> str | None:
    parent = request.parent
    if parent is None or parent.joinable or request.run_mode != "auto" or request.topology.distributed:
        return None
    return parent.group or parent.run_id
