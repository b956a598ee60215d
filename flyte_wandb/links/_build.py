"""Where a task's links lead: the pages of its runs, groups and sweeps, found before any of them exists."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Final, Literal

from flyte_wandb_hookspecs import Plan, Request

from .._action import Action
from ..plans._inherited import read_sweep
from ..plans._plan import plan, requested_place, run_place
from ..plans._request import build_link_request
from ..plans._spec import Spec
from ..plans._world import check_owners, world_requests
from ..plugins._loading import get_manager
from ..plugins._manager import StrategyManager
from ..settings._context import PLACE_KEYS, with_sweep_place
from ..wandb_client._configuration import effective_mode
from ._pages import find_pages
from ._placeholders import BuiltLink, check_placeholders

MOST_CHECKED: Final = 256
"""Ranks whose plans are compared when Flyte asks for a link; the preview compares all of a world."""

Target = Literal["run", "group", "common"]
"""What a link leads to: the run of a rank, the group of that run, or what the runs of all ranks have in common."""


def build_link_to_run(
    spec: Spec, action: Action, strategies: StrategyManager | None = None, *, rank: int | None = 0
) -> BuiltLink:
    """Return the link to the page that `build_link` names for a rank of the declared world, or the best one above.

    Args:
        spec: What the decorator says about the task.
        action: The action, some of whose names may be placeholders such as ``{{.actionName}}``.
        strategies: The plugins to ask; those installed where not given.
        rank: The rank whose run or group is meant; None for what all of them have in common.

    Raises:
        FlyteWandbError: The request cannot be planned, two ranks would own one run, or a plugin's address is none.
    """
    ask = strategies or get_manager()
    first = build_link_request(spec, action)
    if _opens_no_run(first, action, rank):
        return _link_to_best_page(first)
    plans = [plan(request, ask) for request in islice(world_requests(first), MOST_CHECKED)]
    check_owners(plans, whole=len(plans) == first.topology.world_size)
    target: Target = "common" if rank is None else "run"

    def build(action: Action) -> BuiltLink:
        return _ask_for_link(build_link_request(spec, action, rank or 0), ask, target)

    return check_placeholders(build, action)


def build_link_to_rank(request: Request, *, of_group: bool = False) -> BuiltLink:
    """Return the link to the page that `build_link` names for the rank of a request, or for the group of its run.

    Raises:
        FlyteWandbError: A rank cannot be planned, or a plugin's address is none.
    """
    return _ask_for_link(request, get_manager(), "group" if of_group else "run")


def build_link_to_sweep(
    spec: Spec, action: Action, strategies: StrategyManager | None = None, *, sweep_id: str | None = None
) -> BuiltLink:
    """Return the link to a sweep, or to the one above this action, or to all of the project, or to the best page above.

    Args:
        spec: What is known of the task.
        action: The action.
        strategies: The plugins to ask; those installed where not given.
        sweep_id: A sweep where `spec` and context say that sweeps are; None for the one that the context names.
    """
    return check_placeholders(partial(_ask_for_sweep_link, spec, strategies or get_manager(), sweep_id), action)


def build_best_link(spec: Spec, action: Action) -> BuiltLink:
    """Return the link to the innermost page that exists whatever the plugins and the rest of the context say."""
    context = {key: text for key, text in action.context.items() if key in PLACE_KEYS}
    return _link_to_best_page(build_link_request(spec, replace(action, context=context)))


def _link_to_best_page(request: Request) -> BuiltLink:
    pages = find_pages(requested_place(request))
    return BuiltLink(url=pages.best, pages=pages)


def _opens_no_run(request: Request, action: Action, rank: int | None) -> bool:
    """Whether no run will be there: W&B is disabled, or this is a rank that Flyte's local mode does not start."""
    mode = effective_mode(request.settings.mode) if action.local else request.settings.mode
    return mode == "disabled" or (action.local and rank not in (0, None))


def _ask_for_link(asked: Request, ask: StrategyManager, target: Target) -> BuiltLink:
    """Ask for the link of a rank, or where the rank skips of its part's writer.

    A plan without a `run_id` tells `build_link` that several runs are meant: those of its group, or of the project.
    """
    request, planned = _find_writer(asked, ask)
    pages = find_pages(run_place(request, planned))
    if pages.project is None:
        return BuiltLink(url=pages.best, pages=pages, steps=planned.steps)
    group = _find_common_group(asked, ask) if target == "common" else planned.group
    shown = planned if target == "run" else replace(planned, run_id=None, group=group)
    step = ask.decide("build_link", _url_fault, request=request, plan=shown, project_url=pages.project)
    return BuiltLink(url=step.value, pages=pages, steps=(*planned.steps, step))


def _find_writer(request: Request, ask: StrategyManager) -> tuple[Request, Plan]:
    """Return a rank's request and plan, or where it skips those of the first rank of its part that writes to a run."""
    planned = plan(request, ask)
    if planned.role.opens:
        return request, planned
    for other in islice(world_requests(request), MOST_CHECKED):
        its_plan = plan(other, ask)
        if its_plan.part.label == planned.part.label and its_plan.role.opens:
            return other, its_plan
    return request, planned


def _find_common_group(request: Request, ask: StrategyManager) -> str | None:
    """Return the group of all runs, or None where they have none or several."""
    plans: list[Plan] = [plan(one, ask) for one in islice(world_requests(request), MOST_CHECKED)]
    groups = {one.group for one in plans if one.role.opens}
    return groups.pop() if len(groups) == 1 else None


def _ask_for_sweep_link(spec: Spec, ask: StrategyManager, sweep_id: str | None, action: Action) -> BuiltLink:
    request = build_link_request(spec, replace(action, context=with_sweep_place(action.context)))
    sweep = read_sweep(action.context) if sweep_id is None else None
    pages = find_pages(sweep.place if sweep and sweep.project else requested_place(request))
    if pages.project is None:
        return BuiltLink(url=pages.best, pages=pages)
    known = sweep.sweep_id if sweep else sweep_id
    asked = {"request": request, "sweep_id": known, "project_url": pages.project}
    step = ask.decide("build_sweep_link", _url_fault, **asked)
    return BuiltLink(url=step.value, pages=pages, steps=(step,))


def _url_fault(value: object) -> str | None:
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        return None
    return "a link is an http or https address"
