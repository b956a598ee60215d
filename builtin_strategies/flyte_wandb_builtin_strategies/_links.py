"""The built-in links: the page of the run, or of the group where every rank has a run of its own."""

from flyte_wandb_hookspecs import Plan, Request, hookimpl, quote_segment


@hookimpl
def build_link(request: Request, plan: Plan, project_url: str) -> str:
    """Lead to the group where `new` fans out over ranks, to the run where there is one, else to the project."""
    if request.run_mode == "new" and request.topology.distributed and plan.group:
        return f"{project_url}/groups/{quote_segment(plan.group)}/workspace"
    if plan.run_id:
        return f"{project_url}/runs/{quote_segment(plan.run_id)}"
    return project_url
