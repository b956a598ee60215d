"""The one pure function behind the running task, its link and the preview."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from flyte_wandb_hookspecs import Group, Part, Plan, Request, Role, Step, Topology

from .._errors import HookError, SettingError
from .._place import Place
from ..plugins._loading import get_manager
from ..plugins._manager import StrategyManager, describe_authors, find_culprit
from ..settings import _limits
from ._world import is_even, topology_of_rank


def plan(request: Request, strategies: StrategyManager | None = None) -> Plan:
    """Decide what the rank of `request` does: its part, its role, its run's id and group, and who decided each.

    Args:
        request: The question.
        strategies: The plugins to ask; those installed where not given.

    Raises:
        UnansweredError: Nobody knows the run mode or rank scope.
        HookError: A plugin failed, refused, or gave an answer that W&B would refuse.
        SettingError: W&B would refuse the names of the Flyte run and action as a run's id.

    >>> from flyte_wandb import Request, plan
    >>> plan(Request(run_name="r1", action_name="a0")).run_id
    'r1-a0'
    """
    manager = strategies or get_manager()
    part, role, steps = _decide_role(request, manager)
    if role is Role.SKIP:
        return Plan(part=part, role=role, run_id=None, group=None, steps=steps)
    if role is Role.JOIN:
        return _plan_joined_run(request, part, steps)
    return _plan_own_run(manager, request, part, role, steps)


def find_part_and_role(request: Request, strategies: StrategyManager | None = None) -> tuple[Part, Role]:
    """Ask only what the rank of `request` does, and where: half of the work where names do not matter.

    Raises:
        UnansweredError: Nobody knows the run mode or rank scope.
        HookError: A plugin failed, refused, or gave an answer that is not a part or role.
    """
    return _decide_role(request, strategies or get_manager())[:2]


def _decide_role(request: Request, manager: StrategyManager) -> tuple[Part, Role, tuple[Step, ...]]:
    part_step = manager.decide("locate_rank", _PART_CHECK, request=request)
    part = _with_node_ranks(part_step.value, request, manager)
    role_step = manager.decide("choose_initializer", _ROLE_CHECK, request=request, part=part)
    return part, role_step.value, (part_step, role_step)


def locate_part(request: Request, strategies: StrategyManager | None = None) -> Part:
    """Ask only to which part of the world the rank of `request` belongs.

    Raises:
        UnansweredError: Nobody knows the rank scope.
        HookError: A plugin failed, refused, or gave an answer that is not a part.
    """
    part: Part = (strategies or get_manager()).decide("locate_rank", _PART_CHECK, request=request).value
    return part


def _with_node_ranks(part: Part, request: Request, manager: StrategyManager) -> Part:
    """Return the part with those of its ranks that are on this rank's node, where the settings ask for all nodes.

    Every rank plans alone, so it asks for the part of each of them; launchers number the ranks of a node in a row.
    """
    here = request.topology
    if request.settings.system_metrics != "nodes" or not here.distributed:
        return part
    first = here.rank - here.local_rank
    if not 0 <= first <= here.world_size - here.local_world_size:
        raise SettingError(
            "system_metrics='nodes' needs consecutive ranks on each node, but the launcher's variables say that rank "
            f"{here.rank} of {here.world_size} is rank {here.local_rank} of the {here.local_world_size} on its node; "
            "leave system_metrics out, or correct the launcher's variables"
        )
    ranks = [
        replace(here, rank=first + local_rank, local_rank=local_rank) for local_rank in range(here.local_world_size)
    ]
    parts = [locate_part(replace(request, topology=one), manager) for one in ranks]
    members = [local_rank for local_rank, other in enumerate(parts) if other.label == part.label]
    return replace(part, node_ranks=tuple(sorted(members, key=lambda local_rank: not parts[local_rank].leads)))


def detect_topology(environ: Mapping[str, str], strategies: StrategyManager | None = None) -> Topology:
    """Ask the plugins which rank this process is. A process without a launcher is a world of one rank.

    Raises:
        HookError: A launcher's variables are missing, not numbers, or contradict each other.
    """
    step = (strategies or get_manager()).ask("detect_topology", _TOPOLOGY_CHECK, environ=environ)
    return step.value if step else Topology()


def declare_topology(
    plugin_config: object, environment: object, strategies: StrategyManager | None = None
) -> Topology | None:
    """Ask the plugins which world a task declares: rank 0 of it, or None for a task of one process.

    Raises:
        RefusedError: The task declares a world that cannot be, such as one without nodes.
        HookError: A plugin failed, or its answer is not rank 0 of a world with nodes of one size.
    """
    question = {"plugin_config": plugin_config, "environment": environment}
    step = (strategies or get_manager()).ask("declare_topology", _declared_fault, **question)
    return step.value if step else None


def _plan_own_run(manager: StrategyManager, request: Request, part: Part, role: Role, steps: tuple[Step, ...]) -> Plan:
    question: dict[str, Any] = {"request": request, "part": part, "role": role}
    id_step = _use_trial_id(manager, request, role, _decide_run_id(manager, request, question))
    group_step = manager.decide("compute_group", _group_fault, **question)
    return Plan(
        part=part, role=role, run_id=id_step.value, group=group_step.value.name, steps=(*steps, id_step, group_step)
    )


def _decide_run_id(manager: StrategyManager, request: Request, question: dict[str, Any]) -> Step:
    try:
        return manager.decide("compute_run_id", _limits.RUN_ID.fault, **question)
    except HookError as error:
        fault = _limits.RUN_ID.fault(request.base)
        if fault is None or request.settings.id or request.trial:
            raise
        raise SettingError(  # no plugin is to blame where Flyte's own names are what W&B refuses
            f"the Flyte run {request.run_name!r} and its action {request.action_name!r} make the run id "
            f"{request.base!r}, which W&B would refuse: {fault}; give the Flyte run another name, or set id= in "
            "wandb_init or wandb_config"
        ) from error


def _use_trial_id(manager: StrategyManager, request: Request, role: Role, id_step: Step) -> Step:
    """Give the run of rank 0 the id of the trial: W&B's controller knows the trial by no other.

    Every rank plans alone. So that it knows whether its run is rank 0's, it asks for rank 0's id too and compares.
    """
    if request.trial is None:
        return id_step
    first = replace(request, topology=topology_of_rank(request.topology, 0))
    # This rank's role will do: ranks that share a run have one id, whatever their roles are.
    question = {"request": first, "part": locate_part(first, manager), "role": role}
    if id_step.value != manager.decide("compute_run_id", _limits.RUN_ID.fault, **question).value:
        return id_step
    return Step(hook=id_step.hook, value=request.trial.run_id, plugin=f"the sweep {request.trial.sweep_id}")


def _plan_joined_run(request: Request, part: Part, steps: tuple[Step, ...]) -> Plan:
    # Nobody is asked for id and group: the run has both already.
    if request.parent is None:
        raise HookError(
            f"choose_initializer of {describe_authors(steps[-1])} answered {Role.JOIN}, and there is no parent run: "
            "answer JOIN only where request.parent is a run",
            plugin=find_culprit(steps[-1]),
        )
    return Plan(part=part, role=Role.JOIN, run_id=request.parent.run_id, group=request.parent.group, steps=steps)


def _type_fault(kind: type, remedy: str, value: object) -> str | None:
    name = kind.__name__
    return None if isinstance(value, kind) else f"a {name.lower()} is a {name}, not {type(value).__name__}; {remedy}"


# Checked here, because no type checker has seen most plugins.
_PART_CHECK: Final = partial(_type_fault, Part, "return Part(label=..., index=..., size=...)")
_ROLE_CHECK: Final = partial(_type_fault, Role, f"return one of {', '.join(map(str, Role))}")
_TOPOLOGY_CHECK: Final = partial(_type_fault, Topology, "return Topology(rank=..., world_size=..., ...)")
_GROUP_CHECK: Final = partial(_type_fault, Group, "return Group(name=...); Group(name=None) means no group")


def _declared_fault(value: Any) -> str | None:
    if fault := _TOPOLOGY_CHECK(value):
        return fault
    if not value.launcher:
        return "a declared world names its launcher, as detect_topology does; answer None for a task of one process"
    if value.rank or value.worker_index or value.local_rank:
        return "a declared world is answered as its rank 0; use Topology.even(...)"
    return None if is_even(value) else "all nodes of a declared world have as many ranks; use Topology.even(...)"


def _group_fault(value: Any) -> str | None:
    if fault := _GROUP_CHECK(value):
        return fault
    return None if value.name is None else _limits.GROUP.fault(value.name)


def run_place(request: Request, plan: Plan) -> Place:
    """Return where the run lives. A run that this action joins stays in the project that keeps it."""
    parent = request.parent
    # A context with a bare id names no project; then the settings have to be right.
    if plan.role is Role.JOIN and parent and parent.project:
        return Place(project=parent.project, entity=parent.entity, host=parent.host)
    return requested_place(request)


def requested_place(request: Request) -> Place:
    """Return where the settings put the action's runs, or where its sweep lives."""
    settings, trial = request.settings, request.trial
    # W&B knows no trial outside of its sweep's project, so settings do not count there.
    if trial:
        return Place(project=trial.project, entity=trial.entity, host=trial.host)
    return Place(project=settings.project, entity=settings.entity, host=settings.host)
