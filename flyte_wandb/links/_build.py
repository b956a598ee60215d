"""Where a task's links lead: the pages of its runs, groups and sweeps, found before any of them exists."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Final, Literal

from flyte_wandb_hookspecs import Plan, Request

from .._action import Action
from ..plans._budget import TESTED_WRITERS, describe_writers, most_writers
from ..plans._inherited import read_sweep
from ..plans._plan import plan, requested_place, run_place
from ..plans._request import build_link_request, detect_own_topology
from ..plans._spec import Spec
from ..plans._world import check_world, world_requests
from ..plugins._loading import get_manager
from ..plugins._manager import StrategyManager
from ..settings._context import PLACE_KEYS, with_sweep_place
from ..wandb_client._configuration import effective_mode
from ._pages import find_pages
from ._placeholders import BuiltLink, check_placeholders

MOST_CHECKED: Final = 256
"""When Flyte asks for a link, the plans of this many ranks are compared; the preview compares all of a world."""

Target = Literal["run", "group", "project"]
"""What a link leads to: the run of a rank, the group of that run, or the project."""


def build_link_to_run(
    spec: Spec, action: Action, strategies: StrategyManager | None = None, *, rank: int | None = 0
) -> BuiltLink:
    """Return the link to the page that `build_link` names for a rank of the declared world, or the best one above.

    Args:
        spec: What the decorator knows of the task.
        action: The action. Its names may be placeholders such as ``{{.actionName}}``.
        strategies: The plugins to ask. Default: those installed.
        rank: The link leads to the run or group of this rank. None leads to what all ranks have in common.

    Raises:
        FlyteWandbError: The request cannot be planned, two ranks would own one run, or a plugin's address is none.
    """
    manager = strategies or get_manager()
    first = build_link_request(spec, action)
    if _opens_no_run(first, action, rank):
        return _link_to_best_page(first)
    # The last place before the submission where somebody reads an error: two owners cost hours of GPUs later.
    plans = _plan_first_ranks(first, manager)
    check_world(plans, whole=len(plans) == first.topology.world_size)
    leader, target = _find_common_page(plans) if rank is None else (rank, "run")

    def build(action: Action) -> BuiltLink:
        return _ask_for_link(build_link_request(spec, action, leader), manager, target)

    return replace(check_placeholders(build, action), crowd=_find_crowd(first, plans))


@dataclass(frozen=True, slots=True, kw_only=True)
class _PlannedWorld:
    """The plans of the first ranks of a world, and what they follow from."""

    manager: StrategyManager
    changes: int
    first: Request
    plans: tuple[Plan, ...]


_last_planned: _PlannedWorld | None = None  # replaced whole: two threads at worst plan the same twice


def _plan_first_ranks(first: Request, manager: StrategyManager) -> tuple[Plan, ...]:
    """Plan the first ranks of a world, once for all links of a task: Flyte asks for them one after the other."""
    global _last_planned
    last = _last_planned
    if last and last.manager is manager and last.changes == manager.changes and _are_equal(last.first, first):
        return last.plans
    changes = manager.changes
    plans = tuple(plan(request, manager) for request in islice(world_requests(first), MOST_CHECKED))
    _last_planned = _PlannedWorld(manager=manager, changes=changes, first=first, plans=plans)
    return plans


def _are_equal(one: Request, other: Request) -> bool:
    try:
        return one == other
    except Exception:  # of values in a configuration, such as arrays
        return False


def _find_crowd(first: Request, plans: tuple[Plan, ...]) -> str | None:
    """Say that a run of the world has more writers than W&B has tested, or None."""
    writers = most_writers(plans)
    return describe_writers(first, writers) if writers > TESTED_WRITERS else None


def build_link_to_rank(request: Request, *, of_group: bool = False) -> BuiltLink:
    """Return the link to the page that `build_link` names for the rank of a request, or for the group of its run.

    Raises:
        FlyteWandbError: A rank cannot be planned, or a plugin's address is none.
    """
    return _ask_for_link(request, get_manager(), "group" if of_group else "run")


def build_link_to_sweep(
    spec: Spec, action: Action, strategies: StrategyManager | None = None, *, sweep_id: str | None = None
) -> BuiltLink:
    """Return the link to a sweep: the one with this id, else the one above this action, else all of the project.

    Args:
        spec: What the decorator knows of the task.
        action: The action. Its names may be placeholders.
        strategies: The plugins to ask; those installed where not given.
        sweep_id: W&B's id of a sweep in the project that settings and context name; None for the one in the context.
    """
    return check_placeholders(partial(_ask_for_sweep_link, spec, strategies or get_manager(), sweep_id), action)


def build_best_link(spec: Spec, action: Action) -> BuiltLink:
    """Return the link to the innermost page that exists whatever the plugins say."""
    # The rest of the context may be what could not be planned with.
    context = {key: text for key, text in action.context.items() if key in PLACE_KEYS}
    return _link_to_best_page(build_link_request(spec, replace(action, context=context)))


def _link_to_best_page(request: Request) -> BuiltLink:
    pages = find_pages(requested_place(request))
    return BuiltLink(url=pages.best, pages=pages)


def _opens_no_run(request: Request, action: Action, rank: int | None) -> bool:
    """Whether no run will be there: W&B is disabled, or this is a rank that Flyte's local mode does not start."""
    # WANDB_MODE of this machine says nothing about a container's.
    mode = effective_mode(request.settings.mode) if action.local else request.settings.mode
    return mode == "disabled" or (action.local and rank not in (0, None) and not detect_own_topology().distributed)


def _ask_for_link(request: Request, manager: StrategyManager, target: Target) -> BuiltLink:
    """Ask for the link of a rank. A rank that skips has the link of its part's writer."""
    return _ask_for_plans_link(*_find_writer(request, manager), manager, target)


def build_link_of_plan(request: Request, planned: Plan) -> BuiltLink:
    """Return the link of `build_link` for a rank with a known plan. The plan has to have a run.

    Raises:
        FlyteWandbError: A plugin's address is none.
    """
    return _ask_for_plans_link(request, planned, get_manager(), "run")


def _ask_for_plans_link(writer: Request, planned: Plan, manager: StrategyManager, target: Target) -> BuiltLink:
    pages = find_pages(run_place(writer, planned))
    if pages.project is None:
        return BuiltLink(url=pages.best, pages=pages, steps=planned.steps)
    target_plan = planned
    if target != "run":
        # Without a `run_id` the plan stands for several runs: those of its group, or else of the project.
        target_plan = replace(planned, run_id=None, group=planned.group if target == "group" else None)
    step = manager.decide("build_link", _url_fault, request=writer, plan=target_plan, project_url=pages.project)
    return BuiltLink(url=step.value, pages=pages, steps=(*planned.steps, step), caveat=writer.topology.caveat)


def _find_writer(request: Request, manager: StrategyManager) -> tuple[Request, Plan]:
    """Return request and plan of a rank; where it skips, those of the first rank of its part that writes to a run."""
    planned = plan(request, manager)
    if planned.role.opens:
        return request, planned
    for other in islice(world_requests(request), MOST_CHECKED):
        other_plan = plan(other, manager)
        if other_plan.part.label == planned.part.label and other_plan.role.opens:
            return other, other_plan
    return request, planned


def _find_common_page(plans: tuple[Plan, ...]) -> tuple[int, Target]:
    """Return a rank with a run, and what the runs of all ranks have in common: their group, or else the project."""
    writers = {rank: rank_plan.group for rank, rank_plan in enumerate(plans) if rank_plan.role.opens}
    return next(iter(writers), 0), "group" if len({*writers.values()}) == 1 else "project"


def _ask_for_sweep_link(spec: Spec, manager: StrategyManager, sweep_id: str | None, action: Action) -> BuiltLink:
    request = build_link_request(spec, replace(action, context=with_sweep_place(action.context)))
    sweep = read_sweep(action.context) if sweep_id is None else None
    # A context with a bare sweep id names no project.
    pages = find_pages(sweep.place if sweep and sweep.project else requested_place(request))
    if pages.project is None:
        return BuiltLink(url=pages.best, pages=pages)
    question = {
        "request": request,
        "sweep_id": sweep.sweep_id if sweep else sweep_id,
        "project_url": pages.project,
    }
    step = manager.decide("build_sweep_link", _url_fault, **question)
    return BuiltLink(url=step.value, pages=pages, steps=(step,))


_LONGEST_LINK: Final = 8192
"""More than servers take in an address, and nothing that would fill Flyte's UI."""


def _url_fault(value: object) -> str | None:
    # The answer ends up in Flyte's UI, where people click on it: no other scheme, such as "javascript:".
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        return "a link is an http or https address"
    return None if len(value) <= _LONGEST_LINK else f"a link has at most {_LONGEST_LINK:,} characters"
