"""The command line: `flyte-wandb`, and the same as `flyte wandb`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from ._command import OneLineErrors


# Each command imports what it needs when it runs: `flyte --help` imports this module for every user of Flyte.
@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="flyte-wandb")
def main() -> None:
    """Weights & Biases for Flyte 2."""


@main.command(cls=OneLineErrors, examples=("flyte-wandb demo", "flyte-wandb demo --serve"))
@click.option(
    "--serve/--no-serve",
    default=None,
    help="Keep the pages of the runs up at the end, or do not. Default: only on a terminal.",
)
def demo(serve: bool | None) -> None:
    """Run tracked tasks on this machine, and show the runs that arrive at a stand-in for W&B's server.

    You need no account and no network. Your own W&B settings do not count here.
    """
    from ._demo import run_demo

    run_demo(serve=serve)


@main.command(
    cls=OneLineErrors,
    examples=(
        "flyte-wandb plan train.py:main",
        "flyte-wandb plan train.py:main --project vision --rank-scope worker",
        "flyte-wandb plan --nodes 2 --per-node 8 --run-mode new",
    ),
)
@click.argument("target", metavar="[MODULE:TASK]", required=False)
@click.option("--nodes", type=click.IntRange(min=1), help="Nodes to plan for. Default: what the task declares.")
@click.option("--per-node", type=click.IntRange(min=1), help="Ranks on each node. Default: what the task declares.")
@click.option("--run-mode", help="auto, new, shared, or the run mode of a plugin.")
@click.option("--rank-scope", help="global, worker, or the rank scope of a plugin, such as island:4.")
@click.option(
    "--system-metrics",
    type=click.Choice(["owner", "nodes"]),
    help="Whose system metrics a run has: its owner's, or those of all nodes.",
)
@click.option(
    "--run-creations-per-second",
    type=click.FloatRange(min=0),
    help="Runs that the ranks open in a second. 0 means no limit.",
)
@click.option("--project", help="W&B project.")
@click.option("--entity", help="W&B user or team.")
@click.option("--host", help="Base URL of the W&B server, such as https://wandb.example.com.")
@click.option("--id", help="Id of the run.")
@click.option("--group", help="Group of the run.")
@click.option("--parent", metavar="RUN", help="Plan the task as a child of the task with this W&B run.")
@click.option("--all", "every", is_flag=True, help="List every rank, however many there are.")
@click.option("--json", "as_json", is_flag=True, help="Print every rank as JSON.")
def plan(target: str | None, **options: Any) -> None:
    """Show which runs a task will open, on which ranks, and which links lead to them.

    MODULE:TASK is a task, such as train:main or examples/train.py:main. To plan without a task, give --nodes and
    --per-node. Settings in options count like those in wandb_config: the task's decorator overrides them. The command
    runs no task and contacts no server.
    """
    from ._plan import show_plan

    show_plan(target, **options)


@main.command(cls=OneLineErrors, examples=("flyte-wandb plugins", "flyte-wandb plugins --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def plugins(context: click.Context, as_json: bool) -> None:
    """List the installed plugins: version, distribution, state, hooks, run modes and rank scopes.

    The exit code is 1 if a plugin is broken. Set FLYTE_WANDB_DISABLE_PLUGINS=a,b to leave out the plugins a and b.
    """
    from ._plugins import show_plugins

    if not show_plugins(as_json=as_json):
        context.exit(1)


@main.command(
    "new-plugin",
    cls=OneLineErrors,
    examples=(
        "flyte-wandb new-plugin gpu-island --rank-scope island",
        "flyte-wandb new-plugin acme --names acme --observer",
    ),
)
@click.argument("name")
@click.option("--rank-scope", metavar="WORD", help="A rank scope, WORD:<ranks>: every so many ranks are a part.")
@click.option("--run-mode", metavar="WORD", help="A run mode, WORD:<n>: every n-th rank of a part opens a run.")
@click.option("--names", metavar="WORD", help="A naming rule: every run id starts with WORD-.")
@click.option("--observer", is_flag=True, help="An observer, which prints where a run starts and ends.")
@click.option("--to", metavar="DIR", type=click.Path(path_type=Path), help="A new or empty folder. Default: ./NAME.")
def new_plugin(name: str, to: Path | None, observer: bool, **words: str | None) -> None:
    """Write the package of a plugin, with tests that pass: a rank scope, a run mode, names, an observer, or several.

    NAME is the distribution's, such as gpu-island. In its folder `pip install -e '.[test]' && pytest` passes.
    """
    from ._new_plugin import write_plugin

    wanted = {concern: word for concern, word in words.items() if word is not None}
    write_plugin(name, {**wanted, "observer": "observer"} if observer else wanted, to)


@main.command(
    cls=OneLineErrors,
    examples=(
        "flyte-wandb download team/vision/r1-a0 --to results",
        "flyte-wandb download team/vision/abc123 --sweep",
        "flyte-wandb download team/vision/r1-a0 --artifact model:latest",
    ),
)
@click.argument("target", metavar="RUN-OR-SWEEP")
@click.option("--to", metavar="DIR", help="Folder to write to. Default: ./RUN, and for a sweep ./SWEEP/RUN.")
@click.option("--sweep", is_flag=True, help="The id is that of a sweep.")
@click.option("--no-history", is_flag=True, help="Leave out the history and the system metrics.")
@click.option(
    "--artifacts/--no-artifacts",
    default=None,
    help="Fetch all artifacts of a run, or none. Default: the newest, up to 1 GiB for each run.",
)
@click.option(
    "--artifact", metavar="NAME", multiple=True, help="Fetch only this artifact, such as model:v3; repeatable."
)
@click.option("--project", help="Project of the run or sweep.")
@click.option("--entity", help="User or team that owns the project.")
@click.option("--host", help="Base URL of the W&B server, such as https://wandb.example.com.")
def download(target: str, **options: Any) -> None:
    """Fetch a run, or all runs of a sweep: config, summary, the whole history, every file, and artifacts.

    RUN-OR-SWEEP is an id, ENTITY/PROJECT/ID, or the address of a page. If a download was cut off, run the command
    again: files that are complete are not fetched again.
    """
    from ._download import show_download

    show_download(target, **options)


@main.command(
    cls=OneLineErrors,
    examples=(
        "flyte-wandb sync --dry-run",
        "flyte-wandb sync s3://bucket/raw --run rx7k2",
        "flyte-wandb sync wandb --entity team --project vision",
    ),
)
@click.argument("places", metavar="[PATH-OR-URL]...", nargs=-1)
@click.option("--run", metavar="FLYTE-RUN", help="Upload only the runs that this Flyte run kept.")
@click.option("--project", help="Project to upload to. Default: the run's own.")
@click.option("--entity", help="User or team to upload to. Default: the run's own.")
@click.option("--host", help="Base URL of the W&B server. Default: the one that W&B's client uses.")
@click.option(
    "--allow",
    metavar="ENTITY/PROJECT",
    multiple=True,
    help="Projects that runs may go to, such as 'team/*'; repeatable.",
)
@click.option("--at-once", type=click.IntRange(min=1), default=4, show_default=True, help="Runs to upload at a time.")
@click.option("--dry-run", is_flag=True, help="List what would be uploaded, and upload nothing.")
@click.pass_context
def sync(context: click.RichContext, /, places: tuple[str, ...], **options: Any) -> None:
    """Upload offline runs: those that tasks kept in Flyte's storage, and those in W&B's folders on this machine.

    PATH-OR-URL is the folder of a run, or a folder or address above it, such as s3://bucket/raw. Default: ./wandb. Runs
    that the server has are not uploaded again. The exit code is 1 if a run could not be uploaded.
    """
    from ._sync import show_sync

    if not show_sync(places, **options):
        context.exit(1)


@main.command(cls=OneLineErrors, examples=("flyte-wandb report", "flyte-wandb report rx7k2 --no-open"))
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--open/--no-open", "opens", default=True, help="Open it in the browser, or only print its path.")
def report(run: str | None, *, opens: bool) -> None:
    """Open the report of a task that ran in Flyte's local mode, and print its path.

    RUN is the name of a local Flyte run, or the path that Flyte printed at its end. Without it you get your newest
    report. If a run has several reports, you get the newest of them.
    """
    from ._report import show_report

    show_report(run, opens=opens)


@main.command(
    cls=OneLineErrors,
    examples=(
        "flyte-wandb doctor",
        "flyte-wandb doctor --entity team --project vision",
        "flyte-wandb doctor --host https://wandb.example.com",
    ),
)
@click.option("--project", help="Project to try.")
@click.option("--entity", help="User or team to try.")
@click.option("--host", help="Base URL of the W&B server, such as https://wandb.example.com.")
@click.option(
    "--timeout", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="Seconds to wait for each answer."
)
@click.pass_context
def doctor(context: click.RichContext, /, **options: Any) -> None:
    """Check whether a run can start from here: versions, plugins, launcher, mode, server, key, entity, project.

    Each problem comes with what to do about it. The exit code is 1 if a run cannot start. Your key is never shown.
    """
    from flyte_wandb.cli._checks import DoctorOptions

    from ._doctor import show_findings

    if not show_findings(DoctorOptions(**options)):
        context.exit(1)


@main.command(
    cls=OneLineErrors,
    examples=("flyte-wandb server", "flyte-wandb server --port 8090 --environ-file wandb.env"),
)
@click.option("--port", type=click.IntRange(min=0), default=0, help="Port to listen on. Default: a free one.")
@click.option("--entity", default="local", show_default=True, help="User who is logged in.")
@click.option("--limits", is_flag=True, help="Refuse requests above the rate limits that W&B documents.")
@click.option(
    "--environ-file", metavar="FILE", help="Write the environment variables for clients to FILE, for `source`."
)
def server(limits: bool, **options: Any) -> None:
    """Run a stand-in for W&B's server on this machine until Ctrl-C, for demos and for tests in any language.

    It is not W&B's server. It keeps nothing: all runs are gone when it ends. You need no account and no network.
    """
    from flyte_wandb.testing import Limits

    from ._server import run_server

    run_server(limits=Limits() if limits else None, **options)
