"""This checkout: where it is, and how processes that tests start import it rather than what is installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SCRIPTS: Final = Path(sys.executable).parent
NO_VARIABLES: Final[Mapping[str, str]] = MappingProxyType({})

_SOURCES: Final = (".", "hookspecs", "builtin_strategies")


def import_path(*folders: Path, root: Path = ROOT) -> str:
    """Return a ``PYTHONPATH`` with some folders, then this checkout, which hides what is installed of flyte-wandb.

    Without it a process tests the installed packages: code that is broken here would pass.
    """
    return os.pathsep.join(map(str, (*folders, *(root / source for source in _SOURCES))))


def process_environ(folder: Path, environ: Mapping[str, str] = NO_VARIABLES) -> dict[str, str]:
    """Return the variables of a process at home in a folder: none of this process's own, and `environ` on top.

    Args:
        folder: Its home, from which it imports before it does from this checkout.
        environ: Further variables.
    """
    own = {"HOME": str(folder), "PATH": f"{SCRIPTS}:/usr/bin:/bin", "PYTHONPATH": import_path(folder)}
    return {**own, **environ}
