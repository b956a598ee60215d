"""The two pluggy markers of this project."""

from typing import Final

import pluggy

PROJECT_NAME: Final = "flyte_wandb"
"""Name of the pluggy project and of the entry-point group in which plugins register."""

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
"""Marks a hook specification of the contract."""

hookimpl = pluggy.HookimplMarker(PROJECT_NAME)
"""Marks a plugin's answer to a hook."""
