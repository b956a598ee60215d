"""The two packages that are compared, each in an environment of its own with the same versions of all they share."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from shutil import rmtree
from typing import Final, NamedTuple

from .._processes import ROOT, Arm

EXISTING: Final = "flyteplugins-wandb==2.12.1"
_VERSIONS: Final = ("flyteplugins-wandb", "flyte-wandb", "flyte", "wandb", "flyteplugins-pytorch", "torch", "pluggy")
_LIST: Final = ("list", "--format", "json")
_SHARED: Final = ("flyte==2.12.1", "wandb==0.31.0", "flyteplugins-pytorch==2.12.1", "torch==2.13.0")


class Arms(NamedTuple):
    """Both, ours first."""

    ours: Arm
    theirs: Arm


def make_arms(folder: Path) -> Arms:
    """Make both environments below `folder`, or use those of before; ours always with the sources of now.

    Raises:
        subprocess.CalledProcessError: Something cannot be built or installed; pip has said why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, wheel, constraints = _link_programs(folder), _build_wheel(folder), folder / "constraints.txt"
    theirs = _make_environment(folder / "existing", [EXISTING, *_SHARED])
    constraints.write_text(
        "".join(f"{line}\n" for line in _pip(theirs, "freeze").splitlines() if "flyteplugins-wandb" not in line)
    )
    ours = _make_environment(folder / "ours", [*_SHARED, str(wheel), "-c", str(constraints)])
    _pip(ours, "install", "--no-deps", "--force-reinstall", str(wheel))
    return Arms(
        ours=Arm("flyte_wandb", ours, path),
        theirs=Arm("flyteplugins.wandb", theirs, path),
    )


def list_versions(arms: Arms) -> str:
    """Write the versions of what is compared and of what both share."""
    installed = {one["name"]: one["version"] for arm in arms for one in json.loads(_pip(arm.python, *_LIST))}
    return ", ".join(f"{name} {installed[name]}" for name in _VERSIONS)


def _link_programs(folder: Path) -> Path:
    """Make a folder from which the programs can be imported and our sources cannot."""
    path = folder / "path"
    path.mkdir(exist_ok=True)
    for name in ("benchmarks", "tests"):
        if not (path / name).is_symlink():
            (path / name).symlink_to(ROOT / name, target_is_directory=True)
    return path


def _make_environment(folder: Path, requirements: list[str]) -> Path:
    python, done = folder / "bin" / "python", folder / ".done"
    wanted = "\n".join([sys.version, *requirements[: len(_SHARED)]])
    if not done.exists() or done.read_text() != wanted:
        print(f"making the environment {folder.name!r}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        _pip(python, "install", *requirements)
        done.write_text(wanted)
    return python


def _build_wheel(folder: Path) -> Path:
    rmtree(folder / "wheel", ignore_errors=True)
    _pip(Path(sys.executable), "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder / "wheel"), str(ROOT))
    (wheel,) = (folder / "wheel").glob("*.whl")
    return wheel


def _pip(python: Path, *arguments: str) -> str:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
