"""Environments of their own in which the example plugins are installed as wheels, by pip and with no index."""

from __future__ import annotations

import functools
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.checkout import ROOT

PLUGINS: Final = ROOT / "examples" / "plugins"
ISLAND: Final = PLUGINS / "flyte-wandb-gpu-island"
MESH: Final = PLUGINS / "flyte-wandb-mesh"
NAMING: Final = PLUGINS / "flyte-wandb-org-naming"

Environments = Callable[..., Path]
"""Gives the interpreter of the environment in which these projects are installed."""


def environments(folder: Path) -> Environments:
    """Return a function that makes an environment and its wheels when it is first asked for them."""

    @functools.cache
    def wheel(project: Path) -> Path:
        return _built(project, _new_in(folder))

    @functools.cache
    def environment(*projects: Path) -> Path:
        python = _fresh(_new_in(folder))
        if projects:
            _install(python, *(wheel(project) for project in projects))
        return python

    return environment


def _new_in(folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=folder))


def _built(project: Path, folder: Path) -> Path:
    _checked_call("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(project))
    (wheel,) = folder.glob("*.whl")
    return wheel


def _fresh(folder: Path) -> Path:
    """Make an environment that sees what is installed here, for that is where flyte and wandb are."""
    _checked_call("-m", "venv", "--without-pip", str(folder))
    own, here = sysconfig.get_path("purelib", vars={"base": str(folder)}), sysconfig.get_path("purelib")
    Path(own, "here.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    return folder / "bin" / "python"


def _install(python: Path, *wheels: Path) -> None:
    options = ("--isolated", "--disable-pip-version-check", "--python", str(python))
    _checked_call("-m", "pip", *options, "install", "--no-index", "--no-deps", *map(str, wheels))


def _checked_call(*arguments: str) -> None:
    result = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
