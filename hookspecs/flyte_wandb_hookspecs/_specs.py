"""The hook specifications: every question that a plugin can answer.

Decision hooks (all but `list_strategies`, `contribute_run_settings` and the observers) stop at the first answer that is
not None. Every rank asks them alone, and all ranks must agree. So they must be pure functions of their arguments: no
clock, no random number, no host name, no environment. Only `detect_topology` is handed the variables of the process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pluggy

from ._types import Group, Part, Plan, Request, Role, Strategy, Topology

PROJECT_NAME: Final = "flyte_wandb"
"""Name of the pluggy project and of the entry-point group in which plugins register."""

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
"""Marks a hook specification of the contract."""

hookimpl = pluggy.HookimplMarker(PROJECT_NAME)
"""Marks a plugin's answer to a hook."""


# A plugin names the arguments that it needs, so a new argument of a hook breaks no plugin. None has a default, here or
# in an example: pluggy 1.6 does not pass an argument that has one to the plugin.
class HookSpecs:
    """All hooks, as methods for type checkers. A plugin is any object or module with functions of these names."""

    @hookspec(firstresult=True)
    def detect_topology(self, environ: Mapping[str, str]) -> Topology | None:
        """Return this rank's place in the world, or None where another launcher than yours started the process.

        The built-in answer knows torch elastic, Flyte's clustered environments, and whoever set all of `RANK`,
        `WORLD_SIZE`, `LOCAL_RANK` and `LOCAL_WORLD_SIZE`. A pod's own `RANK` and `WORLD_SIZE` alone are no rank.

        The answer holds for the process for as long as its environment stays as it is, and no plugin comes or goes.

        Args:
            environ: The process's environment, read-only.

        Returns:
            The rank's place in the world. Where no plugin answers, the process is a world of its own.

        Example::

            @hookimpl
            def detect_topology(environ):
                if "MY_LAUNCHER" in environ:
                    rank, world_size, per_node = (int(environ[f"MY_{name}"]) for name in ("RANK", "WORLD", "PER_NODE"))
                    worker_index, local_rank = divmod(rank, per_node)
                    return Topology(
                        rank=rank,
                        world_size=world_size,
                        local_rank=local_rank,
                        local_world_size=per_node,
                        worker_index=worker_index,
                        num_workers=world_size // per_node,
                        launcher="my-launcher",
                    )
        """

    @hookspec(firstresult=True)
    def declare_topology(self, plugin_config: Any, environment: Any) -> Topology | None:
        """Return rank 0 of the world that a task declares, or None where another launcher than yours will start it.

        Asked once, when `wandb_init` decorates the task. The plan of every rank, the links and their number follow. The
        built-in answer knows `Elastic` and Flyte's clustered environments. Without this hook the links of your
        launcher's tasks lead to the run of a task of one process. In local mode, where Flyte starts one process, the
        task is this rank.

        Args:
            plugin_config: The task's `plugin_config`, or None.
            environment: The task's environment, or None for a task without one.

        Returns:
            `Topology.even(...)`, with the `launcher` that `detect_topology` names. Where a number is known only on the
            node, such as that of its GPUs, say so in `caveat`: plans and links show it.

        Example::

            @hookimpl
            def declare_topology(plugin_config):
                if type(plugin_config).__name__ == "MyLauncher":
                    return Topology.even(plugin_config.nodes, plugin_config.per_node, launcher="my-launcher")
        """

    @hookspec(firstresult=True)
    def locate_rank(self, request: Request) -> Part | None:
        """Return the part of the world to which this rank belongs under the request's rank scope.

        This alone makes a new rank scope: run modes, ids, groups and links follow from the part.

        Example::

            @hookimpl
            def locate_rank(request):
                if request.rank_scope == "half":
                    world_size = request.topology.world_size
                    sizes = (world_size - world_size // 2, world_size // 2)
                    half, index = divmod(request.topology.rank, sizes[0])
                    return Part(label=f"half-{half}", index=index, size=sizes[half])
        """

    @hookspec(firstresult=True)
    def choose_initializer(self, request: Request, part: Part) -> Role | None:
        """Return the role of this rank: whether it opens a run, and whether others may join it.

        This makes a new run mode. Where `part.spans_nodes`, the settings ask for the system metrics of all nodes of the
        part. Then answer `PRIMARY` for its leader, and `MONITOR` for the rank of each other node whose local rank is
        `part.node_ranks[0]`, unless that node has a writer.

        Raises:
            PlanRefusedError: The run mode understands the request and cannot serve it.

        Example::

            @hookimpl
            def choose_initializer(request, part):
                if request.run_mode == "solo":
                    if request.settings.joinable:
                        raise PlanRefusedError("run_mode 'solo' opens runs that nobody joins; remove joinable=True")
                    return Role.SOLO if part.leads else Role.SKIP
        """

    @hookspec(firstresult=True)
    def compute_run_id(self, request: Request, part: Part, role: Role) -> str | None:
        """Return the id of the run that this rank writes to: 1 to 128 characters, none of ``:;,#?/%'``.

        Not asked for SKIP and JOIN. Compose the id from names as they are: a link is built from the same answer, before
        Flyte knows the names.

        Example::

            @hookimpl(wrapper=True)
            def compute_run_id(request):
                run_id = yield
                return f"acme-{run_id}"
        """

    @hookspec(firstresult=True)
    def compute_group(self, request: Request, part: Part, role: Role) -> Group | None:
        """Return the group of the run, or ``Group(name=None)`` for none. Not asked for SKIP and JOIN.

        Example::

            @hookimpl
            def compute_group(request):
                if request.settings.group is None and request.task_name == "vision.nightly":
                    return Group(name="nightly")
        """

    @hookspec(firstresult=True)
    def build_link(self, request: Request, plan: Plan, project_url: str) -> str | None:
        """Return the address of the page that shows what this rank's part logs.

        Args:
            request: The request, with Flyte's placeholders in its names.
            plan: What the rank will do. Without a `run_id` the link is for several runs, or for none: those of `group`,
                or else of the project.
            project_url: The page of the W&B project, without a trailing slash. Write names behind it with
                `quote_segment`, which leaves the placeholders as they are.

        Example::

            @hookimpl
            def build_link(plan, project_url):
                if plan.run_id and not plan.group:
                    return f"{project_url}/runs/{quote_segment(plan.run_id)}/logs"
        """

    @hookspec(firstresult=True)
    def build_sweep_link(self, request: Request, sweep_id: str | None, project_url: str) -> str | None:
        """Return the address of the page that shows a sweep.

        Args:
            request: The request, with Flyte's placeholders in its names.
            sweep_id: W&B's id of the sweep, or None as long as it is not known.
            project_url: As for `build_link`.

        Example::

            @hookimpl
            def build_sweep_link(sweep_id, project_url):
                return f"{project_url}/sweeps/{quote_segment(sweep_id)}" if sweep_id else None
        """

    @hookspec
    # pluggy never calls this body; mypy would like it to return something.
    def list_strategies(self) -> Sequence[Strategy]:  # type: ignore[empty-body]
        """Declare the run modes and rank scopes that this plugin brings, for listings and error messages.

        Example::

            @hookimpl
            def list_strategies():
                return [Strategy(kind="rank_scope", name="half", summary="the first and the second half of the ranks")]
        """

    @hookspec
    def contribute_run_settings(self, request: Request, plan: Plan) -> Mapping[str, Any] | None:
        """Return what to add to the run that this rank opens.

        The user's settings win; of two plugins, the first by name. Not asked where a rank joins somebody else's run. A
        failure is logged and never harms the task.

        Returns:
            Some of ``tags`` (behind the user's), ``config`` (below the user's keys), ``notes`` and ``job_type`` (where
            the user set none).

        Example::

            @hookimpl
            def contribute_run_settings(request):
                return {"tags": ["acme"], "config": {"cost_centre": 4711}}
        """

    @hookspec
    def run_started(self, request: Request, plan: Plan, run: Any) -> None:
        """Observe that this rank has opened or joined a run, before the task's body.

        All observers are called, in the order of their names, for at most 5 seconds each. A failure is logged and never
        harms the task.

        Example::

            @hookimpl
            def run_started(plan, run):
                print(plan.run_id, "is at", run.url)
        """

    @hookspec
    def run_finished(self, request: Request, plan: Plan, run: Any, error: BaseException | None) -> None:
        """Observe that this rank is done with its run, which is finished unless others still write to it.

        All observers are called, in the order of their names, for at most 5 seconds each. A failure is logged and never
        harms the task.

        Args:
            request: The request.
            plan: What the rank did.
            run: The `wandb.Run`.
            error: What the task raised, or None.

        Example::

            @hookimpl
            def run_finished(plan, error):
                print(plan.run_id, "failed" if error else "finished")
        """
