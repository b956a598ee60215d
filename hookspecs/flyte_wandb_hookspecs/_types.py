"""The types of the contract: all frozen, so that no hook changes what the next one gets."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

_KINDS: Final = ("run_mode", "rank_scope")


class PlanRefusedError(ValueError):
    """Raise it in a hook that understands the request and has no right answer.

    Write the message for the author of the task: what does not fit, its value, and what to do. flyte-wandb adds the
    hook and the plugin, and stops the task before its body.

    >>> raise PlanRefusedError("rank scope 'island:0': an island has at least one rank")
    Traceback (most recent call last):
        ...
    flyte_wandb_hookspecs._types.PlanRefusedError: rank scope 'island:0': an island has at least one rank
    """


def strategy_name(setting: str) -> str:
    """Return the declared name of a strategy setting: the part before the first colon.

    >>> strategy_name("island:4")
    'island'
    """
    return setting.partition(":")[0]


def strategy_argument(setting: str) -> str | None:
    """Return what follows the first colon of a strategy setting, or None where there is no colon.

    >>> strategy_argument("island:4"), strategy_argument("worker")
    ('4', None)
    """
    _, colon, argument = setting.partition(":")
    return argument if colon else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One run mode or rank scope that a plugin brings, as `list_strategies` declares it.

    Attributes:
        kind: ``"run_mode"`` or ``"rank_scope"``.
        name: What users write, without an argument: ``"island"`` for ``rank_scope="island:4"``.
        summary: One line for listings and error messages.
        example: A setting that works in most worlds, for a name that needs an argument: ``"island:4"``. `flyte-wandb
            plugins` and `flyte-wandb doctor` try it. None tries the name alone.

    Raises:
        ValueError: The kind is unknown, or a user could not write the name or the example.

    >>> Strategy(kind="rank_scope", name="island", summary="one part per NVLink island", example="island:4").name
    'island'
    >>> Strategy(kind="rank_scope", name="island:4", summary="one part per NVLink island")
    Traceback (most recent call last):
        ...
    ValueError: the name 'island:4' has a colon, and what follows it is an argument: write name='island'
    """

    kind: Literal["run_mode", "rank_scope"]
    name: str
    summary: str
    example: str | None = None

    # A strategy that nobody can ask for is found here rather than by the first user.
    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"the kind {self.kind!r} of {self.name!r} is unknown: write {' or '.join(_KINDS)}")
        if not isinstance(self.name, str) or not self.name or self.name != "".join(self.name.split()):
            raise ValueError(f"the name {self.name!r} is not one word: write what users type, such as 'island'")
        if ":" in self.name:
            name = strategy_name(self.name)
            raise ValueError(
                f"the name {self.name!r} has a colon, and what follows it is an argument: write name={name!r}"
            )
        if self.example is not None and strategy_name(self.example) != self.name:
            raise ValueError(f"the example {self.example!r} is another strategy's: write '{self.name}:...'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """One rank's place in its world: all processes that a launcher starts for a task.

    Attributes:
        rank: Number of this process in the task, 0 to `world_size` - 1.
        world_size: Processes of the task, at least 1.
        local_rank: Number of this process on its node, 0 to `local_world_size` - 1.
        local_world_size: Processes of *this* node, at least 1. Nodes may differ (ragged worlds).
        worker_index: Number of this node (worker) in the task, 0 to `num_workers` - 1.
        num_workers: Nodes of the task, at least 1 and at most `world_size`.
        launcher: Who started this process, such as ``torch-elastic``; None for a single process (no launcher).
        restart_count: How often the launcher has restarted the ranks, 0 for the first start.
        caveat: A sentence for people about what a task does not declare and only its start shows; None for nothing.

    Raises:
        ValueError: A rank lies outside its world; the message names the field, its value and the allowed range.

    >>> Topology(rank=5, world_size=8, local_rank=1, local_world_size=4, worker_index=1, num_workers=2).distributed
    False
    >>> Topology(rank=8, world_size=8)
    Traceback (most recent call last):
        ...
    ValueError: rank 8 is outside its world: 0 to 7 fit, because world_size is 8
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1
    worker_index: int = 0
    num_workers: int = 1
    launcher: str | None = None
    restart_count: int = 0
    caveat: str | None = None

    # A rank outside its world would get an id and a part that no other rank expects, hours before anybody sees it.
    def __post_init__(self) -> None:
        _check_index("rank", self.rank, "world_size", self.world_size)
        _check_index("local_rank", self.local_rank, "local_world_size", self.local_world_size)
        _check_index("worker_index", self.worker_index, "num_workers", self.num_workers)
        _check_at_most("local_world_size", self.local_world_size, self.world_size)
        # Every node has a rank, so there cannot be more nodes than ranks.
        _check_at_most("num_workers", self.num_workers, self.world_size)
        if self.restart_count < 0:
            raise ValueError(f"restart_count {self.restart_count} is negative; the first start counts as 0")

    @classmethod
    def even(cls, nodes: int, per_node: int, *, launcher: str, caveat: str | None = None) -> Topology:
        """Return rank 0 of a world of `nodes` nodes with `per_node` ranks each, both 1 or more.

        Args:
            nodes: Nodes of the task.
            per_node: Ranks on each node.
            launcher: Who starts the ranks, as `detect_topology` names it.
            caveat: See the attribute.

        >>> Topology.even(2, 8, launcher="torch-elastic").world_size
        16
        """
        return cls(
            world_size=nodes * per_node,
            local_world_size=per_node,
            num_workers=nodes,
            launcher=launcher,
            caveat=caveat,
        )

    @property
    def distributed(self) -> bool:
        """Whether a launcher started this process as a rank, even as the only one."""
        return self.launcher is not None


def _check_index(name: str, index: int, size_name: str, size: int) -> None:
    if size < 1:
        raise ValueError(f"{size_name} {size} is too small; a world has at least 1 process")
    if not 0 <= index < size:
        raise ValueError(f"{name} {index} is outside its world: 0 to {size - 1} fit, because {size_name} is {size}")


def _check_at_most(name: str, value: int, world_size: int) -> None:
    if value > world_size:
        raise ValueError(f"{name} {value} is larger than the whole world (world_size is {world_size})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Ranks that belong together under a rank scope.

    Attributes:
        label: Name of the part in ids, groups and links (``worker-1``); None for the whole world.
        index: This rank's place in the part, 0 to `size` - 1. Index 0 leads. No two ranks of a part share an index.
        size: Ranks of the part, at least 1. They need not be neighbours.
        node_ranks: Local ranks of the part's ranks on this node, the leader first. flyte-wandb fills it in under
            ``system_metrics="nodes"``. Leave it empty in `locate_rank`.

    Raises:
        ValueError: `index` lies outside the part, or `label` is an empty text.

    >>> Part(label="worker-1", index=0, size=4).leads
    True
    """

    label: str | None = None
    index: int = 0
    size: int = 1
    # Not in the text: most parts have none, and what people print is what `locate_rank` has answered.
    node_ranks: tuple[int, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.size:
            raise ValueError(f"index {self.index} is outside a part of {self.size} rank(s)")
        if self.label == "":
            raise ValueError("the label of a part is an empty text; None means the whole world")

    @property
    def leads(self) -> bool:
        """Whether this rank is the first of its part."""
        return self.index == 0

    @property
    def spans_nodes(self) -> bool:
        """Whether the part has ranks on other nodes, too; False where `node_ranks` is empty.

        >>> Part(index=2, size=4, node_ranks=(0, 1)).spans_nodes
        True
        """
        return 0 < len(self.node_ranks) < self.size


class Role(enum.Enum):
    """What a rank does with a run.

    >>> Role.SKIP.opens
    False
    """

    SKIP = "skip"
    """No run."""
    SOLO = "solo"
    """The only writer of its run."""
    PRIMARY = "primary"
    """A writer that others may join."""
    SECONDARY = "secondary"
    """Joins the PRIMARY of its part."""
    JOIN = "join"
    """Joins the run of the parent action."""
    MONITOR = "monitor"
    """Joins the PRIMARY of its part with the system metrics of its node, and with nothing else."""

    @property
    def opens(self) -> bool:
        """Whether the task's function gets a run on this rank. Under SKIP and MONITOR it gets none."""
        return self not in (Role.SKIP, Role.MONITOR)

    @property
    def owns(self) -> bool:
        """Whether the run is this rank's own. Then the rank's outcome is the run's outcome."""
        return self in (Role.SOLO, Role.PRIMARY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The answer of `compute_group`. ``Group(name=None)`` says "no group"; None says "not mine".

    Attributes:
        name: Name of the group, or None for no group.

    >>> Group(name="r1-a0").name
    'r1-a0'
    """

    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One decision of a plan and its author.

    Attributes:
        hook: Name of the hook that was asked.
        value: Its answer, after flyte-wandb checked it.
        plugin: The plugin that answered.
        wrapped_by: Plugins that wrapped the hook, and may have changed the answer.
    """

    hook: str
    value: Any
    plugin: str
    wrapped_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one rank does, and who decided it.

    Attributes:
        part: The part that this rank belongs to.
        role: What it does with a run.
        run_id: Id of the run that it writes to; None for a rank that skips.
        group: Group of that run, or None.
        steps: The decisions in the order in which they were taken.

    >>> Plan(part=Part(), role=Role.SOLO, run_id="r1-a0", group=None, steps=()).run_id
    'r1-a0'
    """

    part: Part
    role: Role
    run_id: str | None
    group: str | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the user set. First match wins: decorator, `wandb_config`, environment variable, default.

    Attributes:
        run_mode: Name of a run mode, perhaps with an argument after a colon.
        rank_scope: Name of a rank scope, perhaps with an argument after a colon.
        project: W&B project, or None for the client's own default.
        entity: W&B entity (user or team), or None for the client's own default.
        host: Base URL of the W&B server, such as ``https://wandb.ai``, or None for the client's own.
        id: An explicit id that replaces ``{run_name}-{action_name}``, or None.
        name: Display name of the run, or None.
        tags: Tags of the run, or None where nobody set them.
        config: Read-only configuration of the run, or None where nobody set it.
        group: A group that the user asked for, ``parent`` for that of the parent's run, or None.
        mode: W&B's own mode (``online``, ``offline``, ``disabled``), or None for the environment's.
        joinable: Whether child tasks may write to this run; None lets the run mode decide.
        system_metrics: Which nodes send system metrics to a run: its ``owner``'s, or all ``nodes`` of its part.
        download_logs: Whether to fetch the run's files after the task.
        report: Whether the task's report in Flyte has a tab with the plan, the outcome and plots.
        flyte_identity: Whether the run's configuration names the Flyte action that opened it, under ``flyte``.
        config_inputs: Whether the run's configuration has the inputs of the task.
        on_error: What a task does when W&B cannot open its run: ``raise``, continue ``offline``, or ``ignore`` it.
        on_retry: What another attempt does: ``resume`` the run, ``restart`` it, or open a ``new`` one.
        checkpoint_step: The last W&B step in a checkpoint, 0 or more, or a function that returns it or None. Another
            attempt continues with the step after it. With None it continues at the run's end.
        sigterm_grace: Seconds that the function has to end after SIGTERM, 0 to 3600. W&B then gets up to 13 more.
        run_creations_per_second: Runs that the ranks of a task open a second, 0 to 1,000,000. The others wait for their
            turn. 0 removes the limit.
        init: Any other argument of `wandb.init`, read-only.

    >>> Settings(rank_scope="island:4", tags=("baseline",)).rank_scope
    'island:4'
    """

    run_mode: str = "auto"
    rank_scope: str = "global"
    project: str | None = None
    entity: str | None = None
    host: str | None = None
    id: str | None = None
    name: str | None = None
    tags: tuple[str, ...] | None = None
    config: Mapping[str, Any] | None = None
    group: str | None = None
    mode: str | None = None
    joinable: bool | None = None
    system_metrics: str = "owner"
    download_logs: bool = False
    report: bool = False
    flyte_identity: bool = True
    config_inputs: bool = False
    on_error: str = "raise"
    on_retry: str = "resume"
    checkpoint_step: int | Callable[[], int | None] | None = None
    sigterm_grace: float = 10.0
    run_creations_per_second: float = 80.0
    # A factory, because dataclasses refuse a default without a hash: a mappingproxy has none before Python 3.12.
    init: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentRun:
    """The run of the nearest tracked action above this one. It travels in Flyte's context.

    Attributes:
        run_id: W&B's id of that run.
        joinable: Whether other processes may write to it.
        group: Its group, or None.
        project: Its project, or None where only the id is known.
        entity: Its entity, or None where only the id is known.
        host: Base URL of the server that keeps it, or None for the client's own.

    >>> ParentRun(run_id="r1-a0").joinable
    True
    """

    run_id: str
    joinable: bool = True
    group: str | None = None
    project: str | None = None
    entity: str | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A trial of a sweep. W&B's controller chooses the run's id and the parameters.

    Attributes:
        run_id: Id of the run. No hook can change it, because W&B knows the trial by it.
        sweep_id: Id of the sweep.
        parameters: Read-only values of the sweep's parameters by name.
        project: Project of the sweep, or None for the client's own default.
        entity: Entity of the sweep, or None for the client's own default.
        host: Base URL of the server that keeps the sweep, or None for the client's own.

    >>> Trial(run_id="x1", sweep_id="s1", parameters={"lr": 0.1}).parameters["lr"]
    0.1
    """

    run_id: str
    sweep_id: str
    parameters: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    project: str | None = None
    entity: str | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Everything that a decision hook may read. Only `topology` differs between the ranks of a task.

    Flyte asks for links before the run exists. Then `action_name` is the text ``{{.actionName}}``, and `run_name` of a
    root action is ``{{.runName}}``. Put them into names unchanged: do not cut or hash them, or change their case.

    Attributes:
        run_name: Name of the Flyte run.
        action_name: Name of the Flyte action; the same in every attempt of it.
        flyte_project: Flyte project, or None in local mode.
        flyte_domain: Flyte domain, or None in local mode.
        task_name: Full name of the Flyte task, or None for a plain function.
        settings: What the user set.
        topology: This rank's place in the world.
        parent: The tracked run above this action, or None.
        trial: The trial of a sweep that this action runs, or None. A trial has no parent.
        attempt: Which attempt of the action this is, from 1. In a link it is always 1.

    >>> Request(run_name="r1", action_name="a0").base
    'r1-a0'
    >>> Request(run_name="r1", action_name="a0", settings=Settings(id="resnet")).base
    'resnet'
    """

    run_name: str
    action_name: str
    flyte_project: str | None = None
    flyte_domain: str | None = None
    task_name: str | None = None
    settings: Settings = field(default_factory=Settings)
    topology: Topology = field(default_factory=Topology)
    parent: ParentRun | None = None
    trial: Trial | None = None
    attempt: int = 1

    @property
    def base(self) -> str:
        """The start of ids and groups: the trial's id, else the user's id, else ``{run_name}-{action_name}``."""
        # W&B's controller waits for the run that it named, so a trial's id wins over the user's.
        if self.trial:
            return self.trial.run_id
        # Both names: a rerun has the same action names, and all actions of a run share its name.
        return self.settings.id or f"{self.run_name}-{self.action_name}"

    @property
    def run_mode(self) -> str:
        """The declared name of the run mode, without its argument."""
        return strategy_name(self.settings.run_mode)

    @property
    def rank_scope(self) -> str:
        """The declared name of the rank scope, without its argument."""
        return strategy_name(self.settings.rank_scope)
