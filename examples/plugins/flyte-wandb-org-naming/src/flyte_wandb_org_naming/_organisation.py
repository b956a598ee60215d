"""What an organisation fills in. These are constants, and no environment: names have to be the same on every machine.

A change is a new version of the distribution, which flyte-wandb compares between the submitter and the image.
"""

from typing import Final

from ._template import checked

TEMPLATE: Final = checked("{team}-{project}-{base}")
"""What runs and groups are called. ``{base}`` is the name that they have without this rule."""

TEAM: Final = "acme"
"""Stands for ``{team}``, and is a tag of every run."""

NO_PROJECT: Final = "no-project"
"""Stands for ``{project}`` where neither the decorator nor `wandb_config` names one."""

COST_CENTRE: Final = 4711
"""Is in the configuration of every run, under ``cost_centre``."""

WEBHOOK_VARIABLE: Final = "ACME_WANDB_WEBHOOK"
"""Environment variable with the http or https address that hears of every finished run. Without it nobody does."""
