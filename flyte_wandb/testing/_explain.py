"""A plan in words, for people who ask why a test fails."""

from __future__ import annotations

from typing import Any, Final

from flyte_wandb_hookspecs import Plan

_UNSAID: Final[Any] = object()


def explain(plan: Plan) -> str:
    """Say what a plan is and who decided it, one decision per line.

    >>> from flyte_wandb import Request, plan
    >>> print(explain(plan(Request(run_name="r1", action_name="a0"))))
    primary writes to the run 'r1-a0', in no group; rank 0 of the 1 of the world
      locate_rank: Part(label=None, index=0, size=1) by builtin
      choose_initializer: <Role.PRIMARY: 'primary'> by builtin
      compute_run_id: 'r1-a0' by builtin
      compute_group: Group(name=None) by builtin
    """
    run = f"writes to the run {plan.run_id!r}" if plan.run_id else "has no run"
    group = f"in the group {plan.group!r}" if plan.group else "in no group"
    place = f"rank {plan.part.index} of the {plan.part.size} of {plan.part.label or 'the world'}"
    steps = (f"  {one.hook}: {one.value!r} by {', in '.join((one.plugin, *one.wrapped_by))}" for one in plan.steps)
    return "\n".join([f"{plan.role.value} {run}, {group}; {place}", *steps])


def assert_plan(
    plan: Plan,
    *,
    role: str = _UNSAID,
    run_id: str | None = _UNSAID,
    group: str | None = _UNSAID,
    part: str | None = _UNSAID,
    decided_by: dict[str, str] | None = None,
) -> None:
    """Assert parts of a plan, and explain the whole plan if they differ.

    Args:
        plan: The plan.
        role: Its role's value, such as ``"solo"``.
        run_id: Its run's id.
        group: Its run's group.
        part: The label of its part, None for the whole world.
        decided_by: The plugin that answered, by hook.

    Raises:
        AssertionError: Something differs.

    >>> from flyte_wandb import Request, plan
    >>> planned = plan(Request(run_name="r1", action_name="a0"))
    >>> assert_plan(planned, run_id="r1-a0", group=None, decided_by={"locate_rank": "builtin"})
    """
    found = {"role": plan.role.value, "run_id": plan.run_id, "group": plan.group, "part": plan.part.label}
    wanted = {"role": role, "run_id": run_id, "group": group, "part": part}
    authors = {f"author of {step.hook}": step.plugin for step in plan.steps}
    wanted_authors = {f"author of {hook}": plugin for hook, plugin in (decided_by or {}).items()}
    given = {key: value for key, value in wanted.items() if value is not _UNSAID}
    _compare(plan, found | authors, given | wanted_authors)


def _compare(plan: Plan, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    wrong = [f"{key} is {found.get(key)!r}, not {value!r}" for key, value in wanted.items() if found.get(key) != value]
    if wrong:
        raise AssertionError(f"{'; '.join(wrong)}\n{explain(plan)}")
