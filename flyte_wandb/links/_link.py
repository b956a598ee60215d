"""The links in Flyte's UI. Light, because every rank decorates: planning is imported when Flyte asks for an address."""

from __future__ import annotations

import logging
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypedDict

import flyte

from .._action import Action
from .._errors import FlyteWandbError
from .._logging import log_once
from ..plans._spec import Spec
from ..settings._schema import check_settings

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..settings._schema import RankScope, RunMode
    from ..wandb_client._opening import Mode
    from ._placeholders import BuiltLink

_LOG = logging.getLogger("flyte_wandb")
NAME: Final = "Weights & Biases"
"""What Flyte's UI shows of a link; links to a part add its label."""

_ICON: Final = "https://wandb.ai/favicon.ico"
_LOCAL_POD: Final = "localhost"
"""What Flyte's local controller passes as the name of the pod (flyte 2.12.1)."""


class PlaceArguments(TypedDict, total=False):
    """Settings that say where runs and sweeps live. None counts as not set."""

    project: str | None
    entity: str | None
    host: str | None


class LinkArguments(PlaceArguments, total=False):
    """Settings that say to which runs a link leads; see `SettingArguments`. None counts as not set."""

    run_mode: RunMode | str | None
    rank_scope: RankScope | str | None
    id: str | None
    group: str | None
    mode: Mode | None
    joinable: bool | None


# `init=False`, because links take settings as keyword arguments and keep them as a `Spec`.
@dataclass(frozen=True, kw_only=True, init=False)
class PlannedLink(flyte.Link):
    """A link that is planned when Flyte asks for its address. Stateless, because Flyte uses one object for all calls.

    Attributes:
        name: What Flyte's UI shows.
        icon_uri: An icon for it.
        spec: The settings of the task, and the world that it declares.
    """

    name: str
    icon_uri: str | None
    spec: Spec

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
        context: dict[str, str],
        parent_action_name: str,
        action_name: str,
        pod_name: str,
        **kwargs: Any,
    ) -> str:
        """Return the URL of the page. The names may be Flyte's placeholders. Asks no server.

        Never raises: an exception would fail the submission of the task. Where no run can be planned, this is the best
        page that exists, and a logged message says why.
        """
        try:
            local = pod_name == _LOCAL_POD
            names = {"run_name": run_name, "name": action_name, "project": project, "domain": domain}
            link = self._build_or_best(Action(**names, local=local, context=context))
            if link.fault:
                log_once(link.fault)
            if link.caveat:
                log_once(f"the W&B links of {self._task_name}: {link.caveat}", logging.INFO)
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


@dataclass(frozen=True, kw_only=True, init=False)
class Wandb(PlannedLink):
    """A link to the W&B page of a task's run, or of the group where every rank has a run of its own.

    `wandb_init` adds the links of its task. Write one by hand where it cannot: above a function that is decorated below
    ``@env.task``, or beside other links in ``.override(links=...)``.

    Attributes:
        rank: The rank of the declared world to whose run or group the link leads. None for what all ranks have in
            common: their group, or else the project.

    Example::

        @env.task(links=(Wandb(project="vision", entity="team"),))
        @wandb_init(project="vision", entity="team")
        def train(): ...
    """

    rank: int | None

    def __init__(
        self,
        *,
        name: str = NAME,
        icon_uri: str | None = _ICON,
        spec: Spec | None = None,
        rank: int | None = 0,
        nodes: int | None = None,
        per_node: int | None = None,
        **settings: Unpack[LinkArguments],
    ) -> None:
        """Make a link.

        Args:
            name: What Flyte's UI shows.
            icon_uri: An icon for it.
            spec: What `wandb_init` knows of its task. It replaces all arguments below but `rank`.
            rank: See the attribute.
            nodes: Nodes of a task of many ranks.
            per_node: Ranks on each node.
            settings: See `LinkArguments`; those that Flyte's context sets count as well, as for the task.

        Raises:
            SettingError: A setting is unknown or cannot be used.
        """
        spec = spec or Spec(settings=check_settings(settings, "Wandb"), declared=_declare_world(nodes, per_node))
        _assign_fields(self, name=name, icon_uri=icon_uri, spec=spec, rank=rank)

    def build(self, action: Action) -> BuiltLink:
        from ._build import build_link_to_run

        return build_link_to_run(self.spec, action, rank=self.rank)


@dataclass(frozen=True, kw_only=True, init=False)
class WandbSweep(PlannedLink):
    """A link to the W&B page of a sweep: the one with this `id`, else the one in Flyte's context, else all sweeps.

    W&B gives a sweep its id when it is created, so the link of the task that creates it leads to all sweeps.

    Attributes:
        id: W&B's id of a sweep that is there already, or None.

    Example::

        @env.task(links=(WandbSweep(project="vision", entity="team"),))
        def search(): ...
    """

    id: str | None

    def __init__(
        self,
        *,
        name: str = f"{NAME} sweep",
        icon_uri: str | None = _ICON,
        spec: Spec | None = None,
        id: str | None = None,
        **settings: Unpack[PlaceArguments],
    ) -> None:
        """Make a link.

        Args:
            name: What Flyte's UI shows.
            icon_uri: An icon for it.
            spec: What a decorator knows of its task. It replaces the settings.
            id: See the attribute.
            settings: See `PlaceArguments`; those that Flyte's context sets count as well.

        Raises:
            SettingError: A setting is unknown or cannot be used.
        """
        spec = spec or Spec(settings=check_settings(settings, "WandbSweep"))
        _assign_fields(self, name=name, icon_uri=icon_uri, spec=spec, id=id)

    def build(self, action: Action) -> BuiltLink:
        from ._build import build_link_to_sweep

        return build_link_to_sweep(self.spec, action, sweep_id=self.id)


def _assign_fields(link: PlannedLink, **values: Any) -> None:
    # Past the dataclass's own `__setattr__`, which refuses: links are frozen, and have an `__init__` of their own.
    for field, value in values.items():
        object.__setattr__(link, field, value)


def _declare_world(nodes: int | None, per_node: int | None) -> Any:
    if nodes is None and per_node is None:
        return None
    from flyte_wandb_hookspecs import Topology

    from ..plans._world import TYPICAL_LAUNCHER

    return Topology.even(nodes or 1, per_node or 1, launcher=TYPICAL_LAUNCHER)
