"""Environments of their own in which the example plugins are installed as wheels, by pip and with no index."""

from __future__ import annotations

import functools
import hashlib
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Final

from filelock import FileLock

from tests.checkout import ROOT

PLUGINS: Final = ROOT / "examples" / "plugins"
ISLAND: Final = PLUGINS / "flyte-wandb-gpu-island"
MESH: Final = PLUGINS / "flyte-wandb-mesh"
NAMING: Final = PLUGINS / "flyte-wandb-org-naming"

Environments = Callable[..., Path]
"""Gives the interpreter of the environment in which these projects are installed."""


def environments(folder: Path) -> Environments:
    """Return a function that makes an environment and its wheels when it is first asked for them.

    Args:
        folder: An existing folder for them. Several processes may share it: what one has made is there for the others.
    """

    @functools.cache
    def wheel(project: Path) -> Path:
        place = _made_once(folder, "wheel", (project,), functools.partial(_build, project))
        (built,) = place.glob("*.whl")
        return built

    @functools.cache
    def environment(*projects: Path) -> Path:
        def make(place: Path) -> None:
            python = _fresh(place)
            if projects:
                install_wheels(python, *map(wheel, projects))

        return _made_once(folder, "environment", projects, make) / "bin" / "python"

    return environment


def packages_of(python: Path) -> Path:
    """Return the folder into which pip installs for an interpreter, from which others can import as well."""
    return Path(sysconfig.get_path("purelib", vars={"base": str(python.parents[1])}))


def _made_once(folder: Path, kind: str, projects: tuple[Path, ...], make: Callable[[Path], None]) -> Path:
    """Return the folder of something that is made of projects, after one process has made it."""
    number = hashlib.sha256(repr(projects).encode()).hexdigest()[:12]
    place, whole = folder / f"{kind}-{number}", folder / f"{kind}-{number}.whole"
    with FileLock(f"{place}.lock"):
        if not whole.exists():
            make(place)
            whole.touch()
    return place


def _build(project: Path, folder: Path) -> None:
    _checked_call("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(project))


def _fresh(folder: Path) -> Path:
    """Make an environment that sees what is installed here, for that is where flyte and wandb are."""
    _checked_call("-m", "venv", "--without-pip", str(folder))
    python, here = folder / "bin" / "python", sysconfig.get_path("purelib")
    (packages_of(python) / "here.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    return python


def install_wheels(python: Path, *wheels: Path) -> None:
    """Have pip install wheels into the environment of an interpreter."""
    options = ("--isolated", "--disable-pip-version-check", "--python", str(python))
    _checked_call("-m", "pip", *options, "install", "--no-index", "--no-deps", *map(str, wheels))


def _checked_call(*arguments: str) -> None:
    result = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
