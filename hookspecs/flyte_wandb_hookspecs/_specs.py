"""The hook specifications: every question that a plugin can answer.

Decision hooks are all but `list_strategies`, `contribute_run_settings` and the observers. Every rank asks them alone,
and all ranks must agree. So write pure functions of the arguments: use no clock, random number, host name or
environment variable. Only `detect_topology` gets the variables of the process.
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
        """Return this rank's place in the world, or None if your launcher did not start the process.

        The built-in answer knows torch elastic and Flyte's clustered environments. It also takes a process as a rank
        that has all of `RANK`, `WORLD_SIZE`, `LOCAL_RANK` and `LOCAL_WORLD_SIZE`.

        Args:
            environ: The process's environment, read-only.

        Returns:
            The rank's place in the world. If no plugin answers, the process is a world of one rank.

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
        """Return rank 0 of the world that a task declares, or None if your launcher does not start the task.

        `wandb_init` asks once, when it decorates the task. Plans and links follow from the answer. The built-in answer
        knows `Elastic` and Flyte's clustered environments. Without this hook, your launcher's tasks get the link of a
        task of one process. In local mode Flyte starts one process, which is the rank that you return.

        Args:
            plugin_config: The task's `plugin_config`, or None.
            environment: The task's environment, or None for a task without one.

        Returns:
            `Topology.even(...)`, with the same `launcher` as in `detect_topology`. If a number is known only on the
            node, such as the number of GPUs, say so in `caveat`. Plans and links show it.

        Example::

            @hookimpl
            def declare_topology(plugin_config):
                if type(plugin_config).__name__ == "MyLauncher":
                    return Topology.even(plugin_config.nodes, plugin_config.per_node, launcher="my-launcher")
        """

    @hookspec(firstresult=True)
    def locate_rank(self, request: Request) -> Part | None:
        """Return the part of this rank under the request's rank scope, or None for the scopes of others.

        This hook makes a new rank scope. Run modes, ids, groups and links follow from the part.

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

        This hook makes a new run mode. Return None for the run modes of others. If `part.spans_nodes`, the user wants
        the system metrics of all nodes of the part. Then answer `PRIMARY` for the leader and, on each other node,
        `MONITOR` for the rank with the local rank `part.node_ranks[0]`, unless that node has a writer.

        Raises:
            PlanRefusedError: Your run mode understands the request and has no right answer.

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

        flyte-wandb does not call this hook for SKIP and JOIN. Put the request's names into the id unchanged: links are
        built from the same answer, before Flyte knows the names.

        Example::

            @hookimpl(wrapper=True)
            def compute_run_id(request):
                run_id = yield
                return f"acme-{run_id}"
        """

    @hookspec(firstresult=True)
    def compute_group(self, request: Request, part: Part, role: Role) -> Group | None:
        """Return the group of the run, or ``Group(name=None)`` for none. It is not asked for SKIP and JOIN.

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
            plan: What the rank will do. Without a `run_id`, link to the runs of `group`, or else of the project.
            project_url: The page of the W&B project, without a trailing slash. Add names with `quote_segment`, which
                keeps the placeholders.

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
            sweep_id: W&B's id of the sweep, or None until it is known.
            project_url: As for `build_link`.

        Example::

            @hookimpl
            def build_sweep_link(sweep_id, project_url):
                return f"{project_url}/sweeps/{quote_segment(sweep_id)}" if sweep_id else None
        """

    @hookspec
    # pluggy never calls this body; mypy would like it to return something.
    def list_strategies(self) -> Sequence[Strategy]:  # type: ignore[empty-body]
        """Return the run modes and rank scopes that this plugin brings. Users can name no others.

        Add the hook that answers for them to the same plugin: `choose_initializer` for a run mode, `locate_rank` for a
        rank scope.

        Example::

            @hookimpl
            def list_strategies():
                return [Strategy(kind="rank_scope", name="half", summary="the first and the second half of the ranks")]
        """

    @hookspec
    def contribute_run_settings(self, request: Request, plan: Plan) -> Mapping[str, Any] | None:
        """Return what to add to the run that this rank opens.

        The user's settings win. Of two plugins, the first by name wins. flyte-wandb does not call this hook on a rank
        that joins a run. If the hook fails, flyte-wandb logs it and the task continues.

        Returns:
            Some of ``tags``, ``config``, ``notes`` and ``job_type``. Tags are added to the user's. Other values count
            only if the user set none.

        Example::

            @hookimpl
            def contribute_run_settings(request):
                return {"tags": ["acme"], "config": {"cost_centre": 4711}}
        """

    @hookspec
    def run_started(self, request: Request, plan: Plan, run: Any) -> None:
        """Observe that this rank has opened or joined a run, before the task's body.

        Every observer is called, in the order of plugin names. Each has 5 seconds. If one fails, flyte-wandb logs
        it and the task continues.

        Example::

            @hookimpl
            def run_started(plan, run):
                print(plan.run_id, "is at", run.url)
        """

    @hookspec
    def run_finished(self, request: Request, plan: Plan, run: Any, error: BaseException | None) -> None:
        """Observe that this rank is done with its run. The run is finished unless others still write to it.

        Every observer is called, in the order of plugin names. Each has 5 seconds. If one fails, flyte-wandb logs
        it and the task continues.

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
