"""The built-in links: the page of the run, or of the group where there are several; the sweep's page."""

from __future__ import annotations

from flyte_wandb_hookspecs import Plan, Request, hookimpl, quote_segment

from ._fan_out import fans_out


@hookimpl
def build_link(request: Request, plan: Plan, project_url: str) -> str:
    """Lead to the group where several runs are meant, to the run where it is one, else to the project."""
    if plan.group and (plan.run_id is None or fans_out(request)):
        return f"{project_url}/groups/{quote_segment(plan.group)}/workspace"
    if plan.run_id:
        return f"{project_url}/runs/{quote_segment(plan.run_id)}"
    return project_url


@hookimpl
def build_sweep_link(request: Request, sweep_id: str | None, project_url: str) -> str:
    """Lead to the sweep, or to all sweeps of the project where its id is not known yet."""
    sweeps = f"{project_url}/sweeps"
    return f"{sweeps}/{quote_segment(sweep_id)}" if sweep_id else sweeps
