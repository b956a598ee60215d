"""The command line: `flyte-wandb`."""

from __future__ import annotations

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="flyte-wandb")
def main() -> None:
    """Weights & Biases for Flyte 2."""


@main.command()
@click.option("--serve", is_flag=True, help="Keep the pages up afterwards, until Ctrl-C.")
def demo(serve: bool) -> None:
    """Run tracked tasks against a W&B server double on this machine, and list the runs that arrived.

    Needs no account and no network.
    """
    from ._demo import run_demo

    run_demo(serve=serve)
