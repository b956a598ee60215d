"""Run ids and groups by the organisation's template, around what the other plugins say.

Wrappers: what the others answered tells parts and ranks apart, and a rank scope or run mode of somebody else, too.
"""

from __future__ import annotations

from collections.abc import Generator

from flyte_wandb import Group, Request, hookimpl

from ._organisation import NO_PROJECT, TEAM, TEMPLATE
from ._template import filled


@hookimpl(wrapper=True)
def compute_run_id(request: Request) -> Generator[None, object, object]:
    """Put the run id that the others answered into the template. What is no id is left to flyte-wandb's check."""
    run_id = yield
    return _named(request, run_id) if isinstance(run_id, str) else run_id


@hookimpl(wrapper=True)
def compute_group(request: Request) -> Generator[None, object, object]:
    """Put the group that the others answered into the template, if it is one and does not have its name from there."""
    group = yield
    if not isinstance(group, Group) or group.name is None or _is_above(request, group.name):
        return group
    return Group(name=_named(request, group.name))


def _named(request: Request, base: str) -> str:
    return filled(TEMPLATE, team=TEAM, project=request.settings.project or NO_PROJECT, base=base)


def _is_above(request: Request, group: str) -> bool:
    """Whether the group is the parent's, or called after its run: these were put into the template already."""
    parent = request.parent
    return parent is not None and group in (parent.group, parent.run_id)
