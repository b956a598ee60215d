"""The command line: `flyte-wandb`, and the same as `flyte wandb`."""

from __future__ import annotations

from typing import Any

import rich_click as click

from ._command import OneLineErrors


# Each command imports what it needs when it runs: `flyte --help` imports this module for every user of Flyte.
@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="flyte-wandb")
def main() -> None:
    """Weights & Biases for Flyte 2."""


@main.command(cls=OneLineErrors)
@click.option("--serve", is_flag=True, help="Keep the pages up afterwards, until Ctrl-C.")
def demo(serve: bool) -> None:
    """Run tracked tasks against a W&B server double on this machine, and list the runs that arrived.

    Needs no account and no network.
    """
    from ._demo import run_demo

    run_demo(serve=serve)


@main.command(cls=OneLineErrors)
@click.argument("target", metavar="[MODULE:TASK]", required=False)
@click.option("--nodes", type=click.IntRange(min=1), help="Nodes to plan for. Default: what the task declares.")
@click.option("--per-node", type=click.IntRange(min=1), help="Ranks on each node. Default: what the task declares.")
@click.option("--run-mode", help="auto, new, shared, or one that a plugin brings.")
@click.option("--rank-scope", help="global, worker, or one that a plugin brings, such as island:4.")
@click.option("--system-metrics", type=click.Choice(["owner", "nodes"]), help="Of which nodes a run has them.")
@click.option("--project", help="W&B project.")
@click.option("--entity", help="W&B user or team.")
@click.option("--host", help="Base URL of the W&B server, such as https://wandb.example.com.")
@click.option("--id", help="An explicit id.")
@click.option("--group", help="An explicit group.")
@click.option("--parent", metavar="RUN", help="Plan it as a child of the task that has this W&B run.")
@click.option("--all", "every", is_flag=True, help="List every rank of a large world rather than sum it up.")
@click.option("--json", "as_json", is_flag=True, help="Write every rank as JSON.")
def plan(target: str | None, **options: Any) -> None:
    """Show which runs a task will open, on which ranks, behind which links, and which plugins decided it.

    MODULE:TASK is a task as it would be imported here, such as train:main or examples/train.py:main. Settings given as
    options count as those of wandb_config: the task's decorator overrides them. Without a task, --nodes and --per-node
    say which world is planned. Runs no task and asks no server.
    """
    from ._plan import show_plan

    show_plan(target, **options)


@main.command(cls=OneLineErrors)
@click.option("--json", "as_json", is_flag=True, help="Write it as JSON.")
@click.pass_context
def plugins(context: click.Context, as_json: bool) -> None:
    """List the installed plugins: version, distribution, hooks, strategies, and whether they can be used.

    The exit code is 1 where one is broken. FLYTE_WANDB_DISABLE_PLUGINS=a,b blocks the plugins a and b.
    """
    from ._plugins import show_plugins

    if not show_plugins(as_json=as_json):
        context.exit(1)


@main.command(cls=OneLineErrors)
@click.argument("target", metavar="RUN-OR-SWEEP")
@click.option("--to", metavar="DIR", help="The folder to fill. Default: ./RUN, or for the runs of a sweep ./SWEEP/RUN.")
@click.option("--sweep", is_flag=True, help="An id names a sweep, where it does not say so itself.")
@click.option("--no-history", is_flag=True, help="Leave out the history and the system metrics.")
@click.option(
    "--artifacts/--no-artifacts",
    default=None,
    help="Fetch all artifacts that the run has logged, or none. Default: the newest, up to 1 GiB of a run.",
)
@click.option("--artifact", metavar="NAME", multiple=True, help="Only this one, such as model:v3; repeatable.")
@click.option("--project", help="The project of the run or sweep.")
@click.option("--entity", help="The user or team that owns it.")
@click.option("--host", help="Base URL of the W&B server, such as https://wandb.example.com.")
def download(target: str, **options: Any) -> None:
    """Fetch a run, or all runs of a sweep: config, summary, the whole history, every file, and artifacts.

    RUN-OR-SWEEP is an id, ENTITY/PROJECT/ID, or the address of a page. What is complete in the folder is left as it is,
    so the same command goes on where it was cut off.
    """
    from ._download import show_download

    show_download(target, **options)


@main.command(cls=OneLineErrors)
@click.argument("places", metavar="[PATH-OR-URL]...", nargs=-1)
@click.option("--run", metavar="FLYTE-RUN", help="Only what this Flyte run has kept.")
@click.option("--project", help="The project that is to have them. Default: each run's own.")
@click.option("--entity", help="The user or team that owns it. Default: each run's own.")
@click.option("--host", help="Base URL of the W&B server. Default: the one that W&B's client is set to.")
@click.option(
    "--allow", metavar="ENTITY/PROJECT", multiple=True, help="Where runs may go, such as 'team/*'; repeatable."
)
@click.option("--at-once", type=click.IntRange(min=1), default=4, show_default=True, help="Runs at a time.")
@click.option("--dry-run", is_flag=True, help="Upload nothing, and list what would be.")
@click.pass_context
def sync(context: click.RichContext, /, places: tuple[str, ...], **options: Any) -> None:
    """Upload offline runs: those that tasks have kept in Flyte's storage, and those in W&B's folders on this machine.

    PATH-OR-URL is the folder of a run, or a folder or address above, such as s3://bucket/raw; ./wandb by default. What
    the server has already is not uploaded again. The exit code is 1 where a run could not be uploaded.
    """
    from ._sync import show_sync

    if not show_sync(places, **options):
        context.exit(1)


@main.command(cls=OneLineErrors)
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--open/--no-open", "opens", default=True, help="Open it in the browser, or only print its path.")
def report(run: str | None, *, opens: bool) -> None:
    """Open the report of a task that ran in Flyte's local mode, and print its path.

    RUN is the name of a local Flyte run, or the path that Flyte printed at its end. Without it you get your newest
    report. If a run has several reports, you get the newest of them.
    """
    from ._report import show_report

    show_report(run, opens=opens)


@main.command(cls=OneLineErrors)
@click.option("--project", help="The project that runs would go to.")
@click.option("--entity", help="The user or team that owns it.")
@click.option("--host", help="Base URL of the W&B server, such as https://wandb.example.com.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="Seconds to wait.")
@click.pass_context
def doctor(context: click.RichContext, /, **options: Any) -> None:
    """Check from here whether a run could start: versions, plugins, launcher, mode, server, key, project.

    Every line has a remedy where one is needed. The exit code is 1 where a run could not start. The key is never shown.
    """
    from flyte_wandb.cli._checks import DoctorOptions

    from ._doctor import show_findings

    if not show_findings(DoctorOptions(**options)):
        context.exit(1)


@main.command(cls=OneLineErrors)
@click.option("--port", type=click.IntRange(min=0), default=0, help="Port to listen on. Default: a free one.")
@click.option("--entity", default="local", show_default=True, help="The user who is logged in.")
@click.option("--limits", is_flag=True, help="Refuse requests beyond the rate limits that W&B documents.")
@click.option("--environ-file", metavar="FILE", help="Write the variables of its clients to FILE, to be sourced.")
def server(limits: bool, **options: Any) -> None:
    """Serve a stand-in for W&B's server on this machine, until Ctrl-C: for demos and tests, in any language.

    It is not W&B's server, and it keeps nothing: all runs are gone when it ends. Needs no account and no network.
    """
    from flyte_wandb.testing import Limits

    from ._server import run_server

    run_server(limits=Limits() if limits else None, **options)
