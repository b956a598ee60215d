"""The one pure function behind the running task, its link and the preview."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flyte_wandb_hookspecs import Group, Part, Plan, Request, Role, Step, Topology

from .._errors import HookError
from .._place import Place
from ..plugins._loading import get_manager
from ..plugins._manager import StrategyManager
from ..settings import _limits
from ._world import topology_of_rank


def plan(request: Request, strategies: StrategyManager | None = None) -> Plan:
    """Decide what the rank of `request` does: its part, its role, its run's id and group, and who decided each.

    Args:
        request: The question.
        strategies: The plugins to ask; those installed where not given.

    Raises:
        UnansweredError: Nobody knows the run mode or rank scope.
        HookError: A plugin failed, refused, or gave an answer that W&B would refuse.

    >>> from flyte_wandb import Request, plan
    >>> plan(Request(run_name="r1", action_name="a0")).run_id
    'r1-a0'
    """
    ask = strategies or get_manager()
    where = ask.decide("locate_rank", _part_fault, request=request)
    part: Part = where.value
    chosen = ask.decide("choose_initializer", _role_fault, request=request, part=part)
    role: Role = chosen.value
    if role.owns or role is Role.SECONDARY:
        return _plan_own_run(ask, request, part, role, (where, chosen))
    return _plan_without_own_run(request, part, role, (where, chosen))


def locate_part(request: Request, strategies: StrategyManager | None = None) -> Part:
    """Ask only to which part of the world the rank of `request` belongs.

    Raises:
        UnansweredError: Nobody knows the rank scope.
        HookError: A plugin failed, refused, or gave an answer that is no part.
    """
    part: Part = (strategies or get_manager()).decide("locate_rank", _part_fault, request=request).value
    return part


def detect_topology(environ: Mapping[str, str], strategies: StrategyManager | None = None) -> Topology:
    """Ask the plugins which rank this process is; a process that nobody launched is a world of its own.

    Raises:
        HookError: A launcher's variables are missing, not numbers, or contradict each other.
    """
    step = (strategies or get_manager()).ask("detect_topology", _topology_fault, environ=environ)
    return step.value if step else Topology()


def _plan_own_run(ask: StrategyManager, request: Request, part: Part, role: Role, steps: tuple[Step, ...]) -> Plan:
    asked: dict[str, Any] = {"request": request, "part": part, "role": role}
    named = _use_trial_id(ask, asked, ask.decide("compute_run_id", _limits.RUN_ID.fault, **asked))
    grouped = ask.decide("compute_group", _group_fault, **asked)
    return Plan(part=part, role=role, run_id=named.value, group=grouped.value.name, steps=(*steps, named, grouped))


def _use_trial_id(ask: StrategyManager, asked: Mapping[str, Any], named: Step) -> Step:
    """Give the run that rank 0 writes to the id of the trial: W&B's controller knows the trial by no other."""
    request: Request = asked["request"]
    if request.trial is None:
        return named
    first = replace(request, topology=topology_of_rank(request.topology, 0))
    part = locate_part(first, ask)
    of_first = ask.decide("compute_run_id", _limits.RUN_ID.fault, **{**asked, "request": first, "part": part})
    if named.value != of_first.value:
        return named
    return Step(hook=named.hook, value=request.trial.run_id, plugin=f"the sweep {request.trial.sweep_id}")


def _plan_without_own_run(request: Request, part: Part, role: Role, steps: tuple[Step, ...]) -> Plan:
    if role is Role.SKIP:
        return Plan(part=part, role=role, run_id=None, group=None, steps=steps)
    if request.parent is None:
        raise HookError(
            f"choose_initializer of plugin {steps[-1].plugin!r} answered {role}, but there is no parent run"
        )
    return Plan(part=part, role=role, run_id=request.parent.run_id, group=request.parent.group, steps=steps)


def _part_fault(value: object) -> str | None:
    return None if isinstance(value, Part) else f"a part is a Part, not {type(value).__name__}"


def _role_fault(value: object) -> str | None:
    return None if isinstance(value, Role) else f"a role is a Role, not {type(value).__name__}"


def _topology_fault(value: object) -> str | None:
    return None if isinstance(value, Topology) else f"a topology is a Topology, not {type(value).__name__}"


def _group_fault(value: object) -> str | None:
    if not isinstance(value, Group):
        return f"a group is a Group, not {type(value).__name__}; Group(name=None) means no group"
    return None if value.name is None else _limits.GROUP.fault(value.name)


def run_place(request: Request, plan: Plan) -> Place:
    """Say where the run lives: who joins a run does so in the project that keeps it."""
    parent = request.parent
    if plan.role is Role.JOIN and parent and parent.project:
        return Place(project=parent.project, entity=parent.entity, host=parent.host)
    return requested_place(request)


def requested_place(request: Request) -> Place:
    """Say where the settings want runs to live, or where the sweep is that they belong to."""
    settings, trial = request.settings, request.trial
    if trial:
        return Place(project=trial.project, entity=trial.entity, host=trial.host)
    return Place(project=settings.project, entity=settings.entity, host=settings.host)
