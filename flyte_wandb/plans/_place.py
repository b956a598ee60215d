"""Where the run of a plan lives."""

from __future__ import annotations

from flyte_wandb_hookspecs import Plan, Request, Role

from .._place import Place


def place(request: Request, plan: Plan) -> Place:
    """Say where the run lives: who joins a run does so in the project that keeps it."""
    parent = request.parent
    if plan.role is Role.JOIN and parent and parent.project:
        return Place(project=parent.project, entity=parent.entity, host=parent.host)
    return asked_place(request)


def asked_place(request: Request) -> Place:
    """Say where the settings want runs to live, or where the sweep is that they belong to."""
    settings, trial = request.settings, request.trial
    if trial:
        return Place(project=trial.project, entity=trial.entity, host=trial.host)
    return Place(project=settings.project, entity=settings.entity, host=settings.host)
