"""The links in Flyte's UI. Light, because every rank decorates: planning is imported when Flyte asks for an address."""

from __future__ import annotations

import logging
from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import flyte

from .._action import Action
from .._errors import FlyteWandbError
from .._logging import log_once
from ..plans._spec import Spec
from ..settings._schema import check_settings

if TYPE_CHECKING:
    from flyte_wandb_hookspecs import Topology

    from ._placeholders import BuiltLink

_LOG = logging.getLogger("flyte_wandb")
NAME: Final = "Weights & Biases"
"""What Flyte's UI shows of a link; links to a part add its label."""

_ICON: Final = "https://wandb.ai/favicon.ico"
_LOCAL_POD: Final = "localhost"
"""What Flyte's local controller passes as the name of the pod (flyte 2.12.1)."""


class _Default(str):
    """A setting that nobody has set, as it reads: Flyte's context may still set it."""


# Not frozen, because a dataclass that users make of it could not be either. Nothing here changes one.
class PlannedLink(flyte.Link):
    """A link that is planned when Flyte asks for its address. Stateless, because Flyte uses one object for all calls.

    Attributes:
        host: Base URL of the W&B server, or None for the one that W&B's client is configured for.
        project: W&B project, or None where neither the link nor its task names one.
        entity: W&B entity, likewise.
        name: What Flyte's UI shows.
        icon_uri: An icon for it.
        spec: The settings of the task, and the world that it declares.
    """

    host: str | None
    project: str | None
    entity: str | None
    name: str
    icon_uri: str | None
    spec: Spec

    def _settle(self, *names: str, declared: Topology | None = None) -> None:
        """Put the settings of the link's own over those of its task, and show all of them as fields.

        Raises:
            SettingError: A setting cannot be used.
        """
        fields = {name: getattr(self, name) for name in names}
        own = {name: value for name, value in fields.items() if not isinstance(value, _Default)}
        settings = {**self.spec.settings, **check_settings(own, type(self).__name__)}
        self.spec = replace(self.spec, settings=settings, declared=declared or self.spec.declared)
        for name in names:
            setattr(self, name, settings.get(name, fields[name]))

    @abstractmethod
    def build(self, action: Action) -> BuiltLink:
        """Return the link for an action, with the decisions behind it.

        Raises:
            FlyteWandbError: No run can be planned.
        """

    def get_link(
        self,
        run_name: str,
        project: str,
        domain: str,
        context: dict[str, str] | None,
        parent_action_name: str,
        action_name: str,
        pod_name: str,
        **kwargs: Any,
    ) -> str:
        """Return the URL of the page. The names may be Flyte's placeholders. Asks no server.

        Never raises: an exception would fail the submission of the task. If no run can be planned, this is the best
        page that exists, and a logged message says why.
        """
        try:
            local = pod_name == _LOCAL_POD
            names = {"run_name": run_name, "name": action_name, "project": project, "domain": domain}
            link = self._build_or_best(Action(**names, local=local, context=context or {}))
            if link.fault:
                log_once(link.fault)
            if link.caveat:
                log_once(f"the W&B links of {self._task_name}: {link.caveat}", logging.INFO)
            if link.crowd and not local:
                log_once(f"{self._task_name}: {link.crowd}")
            return link.url
        except Exception:
            _LOG.warning("no W&B link for %s: its address cannot be found here", self._task_name, exc_info=True)
            # Flyte shows an entry without an address; None would be one too, but is no text (flyte 2.12.1).
            return ""

    def _build_or_best(self, action: Action) -> BuiltLink:
        from ._build import build_best_link

        try:
            return self.build(action)
        except FlyteWandbError as error:
            log_once(f"the W&B link of {self._task_name} does not lead to a run: {error}", logging.ERROR)
            return build_best_link(self.spec, action)

    @property
    def _task_name(self) -> str:
        return self.spec.task_name or "a task"


@dataclass
class Wandb(PlannedLink):
    """A link to the W&B page of a task's run, or of the group if every rank has its own run.

    `wandb_init` adds the links of its task. Write one by hand where it cannot: above a function that is decorated below
    ``@env.task``, or beside other links in ``.override(links=...)``. `dataclasses.replace` makes a changed copy.

    Attributes:
        host: See `SettingArguments` for this one and all up to `id`, and for `group`, `mode` and `joinable`. If the
            link does not set one, the task's decorator and Flyte's context count, as for the run.
        project: See `host`.
        entity: See `host`.
        run_mode: ``"auto"`` where neither the link nor its task sets one.
        rank_scope: ``"global"`` where neither the link nor its task sets one.
        id: See `host`.
        name: What Flyte's UI shows.
        icon_uri: An icon for it.
        rank: The link leads to the run or group of this rank of the declared world. None leads to what all ranks have
            in common: their group, or else the project.
        nodes: Nodes of a task of many ranks, if you write a link by hand.
        per_node: Ranks on each node, likewise.
        group: See `host`.
        mode: See `host`.
        joinable: See `host`.
        spec: What `wandb_init` knows of its task. Settings of the link override it.

    Raises:
        SettingError: A setting cannot be used.

    >>> import dataclasses
    >>> link = Wandb(project="vision", entity="team")
    >>> link.project, link.run_mode, dataclasses.replace(link, project="audio").project
    ('vision', 'auto', 'audio')

    Example::

        @env.task(links=(Wandb(project="vision", entity="team"),))
        @wandb_init(project="vision", entity="team")
        def train(): ...
    """

    host: str | None = None
    project: str | None = None
    entity: str | None = None
    run_mode: str = _Default("auto")
    rank_scope: str = _Default("global")
    id: str | None = None
    name: str = NAME
    icon_uri: str | None = _ICON
    rank: int | None = 0
    nodes: int | None = None
    per_node: int | None = None
    group: str | None = None
    mode: str | None = None
    joinable: bool | None = None
    spec: Spec = field(default_factory=Spec, repr=False)

    def __post_init__(self) -> None:
        names = ("host", "project", "entity", "run_mode", "rank_scope", "id", "group", "mode", "joinable")
        self._settle(*names, declared=_declare_world(self.nodes, self.per_node))

    def build(self, action: Action) -> BuiltLink:
        from ._build import build_link_to_run

        return build_link_to_run(self.spec, action, rank=self.rank)


@dataclass
class WandbSweep(PlannedLink):
    """A link to the W&B page of a sweep: the one with this `id`, else the one in Flyte's context, else all sweeps.

    W&B gives a sweep its id when it is created, so the link of the task that creates it leads to all sweeps.

    Attributes:
        host: Base URL of the W&B server. If the link sets no place, the task and Flyte's context count.
        project: W&B project of the sweep.
        entity: W&B entity of the sweep.
        id: W&B's id of a sweep that is there already, or None.
        name: What Flyte's UI shows.
        icon_uri: An icon for it.
        spec: What a decorator knows of its task. Settings of the link override it.

    Raises:
        SettingError: A setting cannot be used.

    Example::

        @env.task(links=(WandbSweep(project="vision", entity="team"),))
        def search(): ...
    """

    host: str | None = None
    project: str | None = None
    entity: str | None = None
    id: str | None = None
    name: str = f"{NAME} sweep"
    icon_uri: str | None = _ICON
    spec: Spec = field(default_factory=Spec, repr=False)

    def __post_init__(self) -> None:
        self._settle("host", "project", "entity")

    def build(self, action: Action) -> BuiltLink:
        from ._build import build_link_to_sweep

        return build_link_to_sweep(self.spec, action, sweep_id=self.id)


def _declare_world(nodes: int | None, per_node: int | None) -> Topology | None:
    if nodes is None and per_node is None:
        return None
    from flyte_wandb_hookspecs import Topology

    from ..plans._world import TYPICAL_LAUNCHER

    return Topology.even(nodes or 1, per_node or 1, launcher=TYPICAL_LAUNCHER)
