"""What a decision is asked about: the settings of a task, its place in the world and its parent's run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ._strategy import strategy_name
from ._topology import Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the user asked for, merged per key: defaults < `wandb_config` context < decorator.

    Attributes:
        run_mode: Name of a run mode, perhaps with an argument after a colon.
        rank_scope: Name of a rank scope, perhaps with an argument after a colon.
        project: W&B project, or None for the client's own default.
        entity: W&B entity (user or team), or None for the client's own default.
        host: The server as people know it, such as ``https://wandb.ai``, or None for the client's own.
        id: An explicit id that replaces ``{run_name}-{action_name}``, or None.
        name: Display name of the run, or None.
        tags: Tags of the run, or None where nobody set them.
        config: Read-only configuration of the run, or None where nobody set it.
        group: A group that the user asked for, or None.
        mode: W&B's own mode (``online``, ``offline``, ``disabled``), or None for the environment's.
        joinable: Whether child tasks may write to this run; None leaves it to the run mode.
        download_logs: Whether the run's files are fetched after the task.
        report: Whether the task's report in Flyte has a tab with the plan, the outcome and plots.
        flyte_identity: Whether the run's configuration names the Flyte action that opened it, under ``flyte``.
        on_error: What a task does where W&B does not open its run: ``raise``, go on ``offline``, or ``ignore`` it.
        on_retry: Whether another attempt of an action goes on with the run (``resume``) or has a ``new`` one.
        checkpoint_step: The last W&B step that a checkpoint holds, 0 or more: another attempt goes on with the step
            after it. Or a function that finds it and returns None where there is none; None leaves the run at its end.
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
    download_logs: bool = False
    report: bool = False
    flyte_identity: bool = True
    on_error: str = "raise"
    on_retry: str = "resume"
    checkpoint_step: int | Callable[[], int | None] | None = None
    init: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentRun:
    """The run of the nearest tracked action above this one, as it travels in Flyte's context.

    Attributes:
        run_id: W&B's id of that run.
        joinable: Whether other processes may write to it.
        group: Its group, or None.
        project: Its project, or None where only the id is known.
        entity: Its entity, or None where only the id is known.
        host: The server that keeps it (as people know it), or None for the client's own.

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
    """What W&B's controller asks for in a sweep: a run with an id of its choice and with parameters.

    Attributes:
        run_id: Id of the run; W&B knows the trial by it, so no hook can change it.
        sweep_id: Id of the sweep.
        parameters: Read-only values of the sweep's parameters by name.
        project: Project of the sweep, or None for the client's own default.
        entity: Entity of the sweep, or None for the client's own default.
        host: The server that keeps the sweep (as people know it), or None for the client's own.

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
    """Everything a decision hook may look at: the same on every rank but for the rank itself.

    In a link, which Flyte asks for before the run exists, `action_name` (and for a root action `run_name`) is the
    text ``{{.actionName}}`` (``{{.runName}}``): compose names from them, never cut, hash or change their case.

    Attributes:
        run_name: Name of the Flyte run.
        action_name: Name of the Flyte action; the same in every attempt of it.
        flyte_project: Flyte project, or None in local mode.
        flyte_domain: Flyte domain, or None in local mode.
        task_name: Full name of the Flyte task, or None for a plain function.
        settings: What the user asked for.
        topology: This rank's place in the world.
        parent: The tracked run above this action, or None.
        trial: The trial of a sweep that this action is, or None. A trial has no parent.
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
        """What ids and groups of this action start with: a trial's or the explicit id, else run and action name."""
        if self.trial:
            return self.trial.run_id
        return self.settings.id or f"{self.run_name}-{self.action_name}"

    @property
    def run_mode(self) -> str:
        """The declared name of the run mode, without its argument."""
        return strategy_name(self.settings.run_mode)

    @property
    def rank_scope(self) -> str:
        """The declared name of the rank scope, without its argument."""
        return strategy_name(self.settings.rank_scope)
