"""Where a task's links lead: the pages of its runs, groups and sweeps, found before any of them exists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Final

from flyte_wandb_hookspecs import Plan, Request

from .. import wandb_client as _client
from .._action import Action
from ..plans._inherited import read_sweep
from ..plans._plan import asked_place, place, plan
from ..plans._request import request_of_link
from ..plans._spec import Spec
from ..plans._world import check_owners, world
from ..plugins._loading import installed
from ..plugins._manager import StrategyManager
from ..settings._context import _PLACE_KEYS, _sweep_context
from ._pages import pages_of
from ._placeholders import Made, transparent

MOST_CHECKED: Final = 256
"""Ranks whose plans are compared when Flyte asks for a link; the preview compares all of a world."""


def run_link(spec: Spec, action: Action, strategies: StrategyManager | None = None, *, rank: int | None = 0) -> Made:
    """Return the link to the page that `build_link` names for a rank of the declared world, or the best one above.

    Args:
        spec: What the decorator says about the task.
        action: The action, some of whose names may be placeholders such as ``{{.actionName}}``.
        strategies: The plugins to ask; those installed where not given.
        rank: The rank whose run or group is meant; None for what all of them have in common.

    Raises:
        FlyteWandbError: The request cannot be planned, two ranks would own one run, or a plugin's address is none.
    """
    ask = strategies or installed()
    first = request_of_link(spec, action)
    if _without_run(first, action, rank):
        return _best(first)
    plans = [plan(request, ask) for request in islice(world(first), MOST_CHECKED)]
    check_owners(plans, whole=len(plans) == first.topology.world_size)
    return transparent(partial(_made_for_run, spec, ask, rank), action)


def link_of(request: Request, *, of_group: bool = False) -> Made:
    """Return the link to the page that `build_link` names for the rank of a request, or for the group of its run.

    Raises:
        FlyteWandbError: A rank cannot be planned, or a plugin's address is none.
    """
    return _made_for_rank(request, installed(), _without_id if of_group else _itself)


def sweep_link(
    spec: Spec, action: Action, strategies: StrategyManager | None = None, *, sweep_id: str | None = None
) -> Made:
    """Return the link to a sweep, or to the one above this action, or to all of the project, or to the best page above.

    Args:
        spec: What is known of the task.
        action: The action.
        strategies: The plugins to ask; those installed where not given.
        sweep_id: A sweep where `spec` and context say that sweeps are; None for the one that the context names.
    """
    return transparent(partial(_made_for_sweep, spec, strategies or installed(), sweep_id), action)


def best_link(spec: Spec, action: Action) -> Made:
    """Return the link to the innermost page that exists whatever the plugins and the rest of the context say."""
    context = {key: text for key, text in action.context.items() if key in _PLACE_KEYS}
    return _best(request_of_link(spec, replace(action, context=context)))


def _best(request: Request) -> Made:
    pages = pages_of(asked_place(request))
    return Made(url=pages.best, pages=pages)


def _without_run(request: Request, action: Action, rank: int | None) -> bool:
    """Whether no run will be there: W&B is disabled, or this is a rank that Flyte's local mode does not start."""
    mode = _client.effective_mode(request.settings.mode) if action.local else request.settings.mode
    return mode == "disabled" or (action.local and rank not in (0, None))


def _made_for_run(spec: Spec, ask: StrategyManager, rank: int | None, action: Action) -> Made:
    asked = request_of_link(spec, action, rank or 0)
    return _made_for_rank(asked, ask, _itself if rank is not None else partial(_in_common, asked, ask))


def _itself(planned: Plan) -> Plan:
    return planned


def _without_id(planned: Plan) -> Plan:
    return replace(planned, run_id=None)


def _in_common(request: Request, ask: StrategyManager, planned: Plan) -> Plan:
    return replace(planned, run_id=None, group=_common_group(request, ask))


def _made_for_rank(asked: Request, ask: StrategyManager, shown: Callable[[Plan], Plan]) -> Made:
    """Ask for the link to what is `shown` of the plan of a rank, or of its part's writer where it skips."""
    request, planned = _writer(asked, ask)
    pages = pages_of(place(request, planned))
    if pages.project is None:
        return Made(url=pages.best, pages=pages, steps=planned.steps)
    step = ask.decide("build_link", _url_fault, request=request, plan=shown(planned), project_url=pages.project)
    return Made(url=step.value, pages=pages, steps=(*planned.steps, step))


def _writer(request: Request, ask: StrategyManager) -> tuple[Request, Plan]:
    """Return the plan of the rank, or where it skips that of the first rank of its part that writes to a run."""
    planned = plan(request, ask)
    if planned.role.opens:
        return request, planned
    others = ((one, plan(one, ask)) for one in islice(world(request), MOST_CHECKED))
    part = planned.part.label
    return next(((one, its) for one, its in others if its.part.label == part and its.role.opens), (request, planned))


def _common_group(request: Request, ask: StrategyManager) -> str | None:
    """Return the group of all runs, or None where they have none or several."""
    plans: list[Plan] = [plan(one, ask) for one in islice(world(request), MOST_CHECKED)]
    groups = {one.group for one in plans if one.role.opens}
    return groups.pop() if len(groups) == 1 else None


def _made_for_sweep(spec: Spec, ask: StrategyManager, sweep_id: str | None, action: Action) -> Made:
    request = request_of_link(spec, replace(action, context=_sweep_context(action.context)))
    sweep = read_sweep(action.context) if sweep_id is None else None
    pages = pages_of(sweep.place if sweep and sweep.project else asked_place(request))
    if pages.project is None:
        return Made(url=pages.best, pages=pages)
    known = sweep.sweep_id if sweep else sweep_id
    asked = {"request": request, "sweep_id": known, "project_url": pages.project}
    step = ask.decide("build_sweep_link", _url_fault, **asked)
    return Made(url=step.value, pages=pages, steps=(step,))


def _url_fault(value: object) -> str | None:
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        return None
    return "a link is an http or https address"
