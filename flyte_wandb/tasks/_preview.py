"""The plan of a whole task before it is launched: what every rank will do, and which links Flyte will show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from flyte_wandb_hookspecs import Plan, Request, Role, Step, Topology

from .._action import NAMELESS, Action
from .._errors import SettingError
from .._logging import count_noun
from ..links._build import MOST_CHECKED, build_link_of_plan
from ..links._link import PlannedLink, Wandb, WandbSweep
from ..links._per_part import build_task_links
from ..links._placeholders import fill_placeholders
from ..plans._budget import budget_notes
from ..plans._plan import plan
from ..plans._request import build_link_request
from ..plans._spec import Spec
from ..plans._world import TYPICAL_LAUNCHER, check_world, topology_of_rank, world_requests
from . import _flyte_task as _templates
from ._wrapper import is_tracked

NAMES: Final = Action(run_name="RUN", name="ACTION", project="PROJECT", domain="DOMAIN", local=False)
"""What stands in a preview for the names that Flyte gives when it launches the task."""


MOST_RANKS: Final = 1_000_000
"""Ranks of a preview: more than any machine has, and minutes of work."""


_SHARED_MODE_NOTE: Final = (
    "system_metrics='nodes' opens these runs in W&B's shared mode: log(step=...) is ignored there, so log your own step"
)

_ORDER_NOTE: Final = (
    "@wandb_init is below the task decorator, so Flyte shows no link; put @wandb_init on top, above @env.task"
)


@dataclass(frozen=True, kw_only=True)
class LinkPreview:
    """One link of a task.

    Attributes:
        name: What Flyte's UI shows.
        url: Where it will lead.
        rank: The rank of the run or group; None for what all ranks have in common, and for a sweep.
        sweep: Whether it leads to a sweep rather than to runs.
        steps: The decisions behind it.
        note: Why it does not lead to a run or group, or what of the declared world only the start can tell, or None.
    """

    name: str
    url: str
    rank: int | None
    sweep: bool
    steps: tuple[Step, ...]
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a task will do, as `preview` finds it.

    Attributes:
        request: The request of rank 0.
        plans: The plan of each rank, in their order.
        links: The links that Flyte will show.
        outermost: Whether `wandb_init` is above the task decorator, as it has to for links.
    """

    request: Request
    plans: tuple[Plan, ...]
    links: tuple[LinkPreview, ...]
    outermost: bool = True

    @cached_property
    def runs(self) -> tuple[str, ...]:
        """The ids of the runs that the task opens, in the order of ranks."""
        return tuple(rank_plan.run_id for rank_plan in self.plans if rank_plan.run_id and rank_plan.role.owns)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The groups of these runs, each once."""
        return tuple(
            dict.fromkeys(rank_plan.group for rank_plan in self.plans if rank_plan.group and rank_plan.role.owns)
        )

    @property
    def summary(self) -> str:
        """The whole in one line, such as ``16 runs in 2 groups, 2 links``."""
        grouped = f" in {count_noun(len(self.groups), 'group')}" if self.groups else ""
        runs, links = count_noun(len(self.runs), "run"), count_noun(len(self.links), "link")
        return f"{runs}{grouped}, {links}{self._without_own_run}"

    @property
    def _without_own_run(self) -> str:
        roles = Counter(rank_plan.role.value for rank_plan in self.plans if not rank_plan.role.owns)
        above = f" {self.request.parent.run_id!r}" if self.request.parent else ""
        texts = {
            "skip": "without a run",
            "secondary": "joining",
            "monitor": "measuring a node",
            "join": f"joining the parent's run{above}",
        }
        ranks = [f"{count_noun(count, 'rank')} {texts[role]}" for role, count in roles.items()]
        return f" ({', '.join(ranks)})" if ranks else ""

    def link_of(self, rank: int) -> LinkPreview | None:
        """Return the link that leads to this rank's run or its group, or None.

        A rank without a run has the first link of its part.
        """
        links = self._links_by_part.get(self.plans[rank].part.label, {})
        if not self.plans[rank].role.opens and links:
            return next(iter(links.values()))
        return next((link for writer, link in links.items() if self._share_page(writer, rank)), self._common_link)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What the order of decorators, roles and W&B's limits mean: links, steps, when the last run opens, delays."""
        order = [_ORDER_NOTE] if not self.outermost and not self.links else []
        shared = [_SHARED_MODE_NOTE] if any(rank_plan.role is Role.MONITOR for rank_plan in self.plans) else []
        return (*order, *shared, *budget_notes(self.request, self.plans))

    @property
    def unlinked(self) -> tuple[str, ...]:
        """Labels of the parts without a link, in the order of ranks."""
        linked = self._common_link is not None
        parts = (rank_plan.part.label for rank_plan in self.plans if rank_plan.role.opens)
        return tuple(label or "" for label in dict.fromkeys(parts) if not linked and label not in self._links_by_part)

    @property
    def unlinked_ranks(self) -> tuple[int, ...]:
        """The ranks without a link to their run although their part has one; of the first 256 ranks of the world."""
        return tuple(
            rank
            for rank, rank_plan in enumerate(self.plans[:MOST_CHECKED])
            if rank_plan.role.opens and rank_plan.part.label in self._links_by_part and self.link_of(rank) is None
        )

    @cached_property
    def _links_by_part(self) -> dict[str | None, dict[int, LinkPreview]]:
        """The links of each part by the rank that writes what they lead to."""
        found: dict[str | None, dict[int, LinkPreview]] = {}
        for link in self.links:
            if link.rank is not None and link.rank < len(self.plans):
                links = found.setdefault(self.plans[link.rank].part.label, {})
                links.setdefault(self._writer_for(link.rank), link)
        return found

    def _writer_for(self, rank: int) -> int:
        """Return the rank itself; where it has no run, the first of its part that has one, as the link takes it."""
        own = self.plans[rank]
        if own.role.opens:
            return rank
        others = enumerate(self.plans[:MOST_CHECKED])
        return next((n for n, other in others if other.part.label == own.part.label and other.role.opens), rank)

    def _share_page(self, writer: int, rank: int) -> bool:
        """Whether one page shows what two ranks write: that of their run, or of a group of both."""
        if self.plans[writer].run_id == self.plans[rank].run_id:
            return True
        return self._page_of(writer) == self._page_of(rank)

    def _page_of(self, rank: int) -> str:
        topology = topology_of_rank(self.request.topology, rank)
        return build_link_of_plan(replace(self.request, topology=topology), self.plans[rank]).url

    @cached_property
    def _common_link(self) -> LinkPreview | None:
        """The link to what all parts have in common."""
        return next((link for link in self.links if link.rank is None and not link.sweep), None)

    def authors(self) -> dict[str, Counter[tuple[str, tuple[str, ...]]]]:
        """Count for each hook the plugin that answered and those that wrapped it, over ranks and links."""
        counts: dict[str, Counter[tuple[str, tuple[str, ...]]]] = {}
        # Of a link only the last step: those before it are a rank's, which is counted already.
        last = (link.steps[-1] for link in self.links if link.steps and link.steps[-1].hook.startswith("build_"))
        for step in (*(step for rank_plan in self.plans for step in rank_plan.steps), *last):
            counts.setdefault(step.hook, Counter())[step.plugin, step.wrapped_by] += 1
        return counts


def preview(
    task: Any, *, context: Mapping[str, str] | None = None, nodes: int | None = None, per_node: int | None = None
) -> Preview:
    """Return what a decorated task will do when Flyte launches it, without running it or asking a server.

    Args:
        task: A Flyte task that `wandb_init` decorates.
        context: Flyte's custom context, such as `wandb_config(...)`.
        nodes: Nodes to plan for, 1 or more, instead of those that the task's environment declares.
        per_node: Ranks on each node, 1 or more, likewise.

    Returns:
        The plan of every rank, and the links. The names that Flyte gives later are ``RUN`` and ``ACTION``,
        ``PROJECT`` and ``DOMAIN``.

    Raises:
        SettingError: `nodes` or `per_node` is less than 1, the world has over a million ranks, or `task` is not a
            Flyte task that `wandb_init` decorates.
        FlyteWandbError: No run can be planned, or two ranks would own one run; the message names the plugin.

    Example::

        def test_that_the_job_opens_one_run():
            assert preview(train, context=wandb_config(project="vision")).summary == "1 run, 1 link"
    """
    spec = _find_spec(task)
    declared = _resize_world(spec, nodes, per_node)
    rebuilt = declared != spec or _plugins_have_changed(task, spec)
    links = build_task_links(declared) if rebuilt else [link for link in task.links if isinstance(link, PlannedLink)]
    return preview_of(declared, links, context or {})


def preview_of(spec: Spec, links: Iterable[PlannedLink], context: Mapping[str, str]) -> Preview:
    """Return what a task with these settings, this declared world and these links will do; see `preview`."""
    first = build_link_request(spec, replace(NAMES, context=context))
    if first.topology.world_size > MOST_RANKS:
        raise SettingError(
            f"a world of more than {MOST_RANKS:,} ranks is not planned rank by rank; plan a smaller one (--nodes, "
            "--per-node): it follows the same rules"
        )
    plans = tuple(plan(request) for request in world_requests(first))
    check_world(plans)
    previews = tuple(_preview_link(link, context) for link in links)
    return Preview(request=first, plans=plans, links=previews, outermost=spec.outermost)


def _find_spec(task: Any) -> Spec:
    if not _templates.is_task(task):
        raise SettingError(f"a preview needs a Flyte task, not {task!r}")
    function = _templates.task_function(task, "preview")
    if not is_tracked(function):
        raise SettingError(f"the task {task.name!r} has no @wandb_init, so it opens no run")
    declared = _templates.declared_topology(task)
    return replace(function.__wandb_spec__, task_name=task.name, declared=declared)  # type: ignore[attr-defined,no-any-return]


def _resize_world(spec: Spec, nodes: int | None, per_node: int | None) -> Spec:
    if nodes is None and per_node is None:
        return spec
    for name, count in (("nodes", nodes), ("per_node", per_node)):
        if count is not None and count < 1:
            raise SettingError(f"preview({name}={count}): a world has 1 or more; leave {name}= out for those declared")
    world = spec.declared or Topology.even(1, 1, launcher=TYPICAL_LAUNCHER)
    resized = Topology.even(
        nodes or world.num_workers, per_node or world.local_world_size, launcher=world.launcher or TYPICAL_LAUNCHER
    )
    return replace(spec, declared=resized)


def _plugins_have_changed(task: Any, spec: Spec) -> bool:
    """Whether the links of a task are older than the plugins that declare its world, as in a block of `use_plugin`."""
    decorated: Spec = task.func.__wandb_spec__
    # A task that is overridden declares another world, too, but its links are what Flyte will show.
    return (
        decorated.outermost and decorated.declared != spec.declared and not _templates.declares_world_of_its_own(task)
    )


def _preview_link(link: PlannedLink, context: Mapping[str, str]) -> LinkPreview:
    # As at submission, where Flyte has given no names yet; they are filled in below, as Flyte does later.
    built = link.build(replace(NAMELESS, context=context))
    fields = ("run_name", "name", "project", "domain")
    names = {getattr(NAMELESS, field): getattr(NAMES, field) for field in fields}
    rank = link.rank if isinstance(link, Wandb) else None
    sweep = isinstance(link, WandbSweep)
    note = built.fault or _missing_note(built.pages.missing) or built.caveat
    url = fill_placeholders(built.url, names)
    return LinkPreview(name=link.name, url=url, rank=rank, sweep=sweep, steps=built.steps, note=note)


def _missing_note(missing: tuple[str, ...]) -> str | None:
    """Say which settings a link lacks to lead to a run, and where to set them; None where it lacks none."""
    if not missing:
        return None
    names, arguments = " and ".join(missing), " and ".join(f"{name}=" for name in missing)
    variables = " and ".join(f"WANDB_{name.upper()}" for name in missing)
    return (
        f"links stop above the run: {names} {'are' if len(missing) > 1 else 'is'} not set here; set {arguments} in "
        f"wandb_init or wandb_config, or {variables}"
    )
