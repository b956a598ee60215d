"""The two packages that are compared, each in an environment of its own with the same versions of all they share."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
EXISTING: Final = "flyteplugins-wandb==2.12.1"
_SHARED: Final = ("flyte==2.12.1", "wandb==0.31.0", "flyteplugins-pytorch==2.12.1", "torch==2.13.0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One of the two.

    Attributes:
        distribution: What is installed.
        package: What is imported.
        python: The interpreter of its environment.
        path: The folder from which its processes import the programs.
    """

    distribution: str
    package: str
    python: Path
    path: Path


def arms(folder: Path) -> tuple[Arm, Arm]:
    """Make both environments below `folder`, or use those of before; ours always with the sources of now.

    Returns:
        The existing plugin, and ours.

    Raises:
        subprocess.CalledProcessError: Something cannot be built or installed; pip has said why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = _programs(folder)
    theirs, ours = folder / "existing", folder / "ours"
    python = _made(theirs, [EXISTING, *_SHARED])
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{line}\n" for line in frozen(python) if "flyteplugins-wandb" not in line))
    own = _made(ours, [*_SHARED, str(wheel := _wheel(folder)), "-c", str(constraints)])
    _pip(own, "install", "--no-deps", "--force-reinstall", str(wheel))
    return (
        Arm(distribution="flyteplugins-wandb", package="flyteplugins.wandb", python=python, path=path),
        Arm(distribution="flyte-wandb", package="flyte_wandb", python=own, path=path),
    )


def frozen(python: Path) -> list[str]:
    """Return what is installed in an environment, one requirement each."""
    return _pip(python, "freeze").splitlines()


def _programs(folder: Path) -> Path:
    """Make a folder from which the programs can be imported and our sources cannot."""
    path = folder / "path"
    path.mkdir(exist_ok=True)
    for name in ("benchmarks", "tests"):
        if not (path / name).is_symlink():
            (path / name).symlink_to(ROOT / name, target_is_directory=True)
    return path


def _made(folder: Path, requirements: list[str]) -> Path:
    python, done = folder / "bin" / "python", folder / ".done"
    wanted = "\n".join([sys.version, *requirements[: len(_SHARED)]])
    if not done.exists() or done.read_text() != wanted:
        print(f"making the environment {folder.name!r}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        _pip(python, "install", *requirements)
        done.write_text(wanted)
    return python


def _wheel(folder: Path) -> Path:
    for old in (folder / "wheel").glob("*.whl"):
        old.unlink()
    _pip(Path(sys.executable), "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder / "wheel"), str(ROOT))
    (wheel,) = (folder / "wheel").glob("*.whl")
    return wheel


def _pip(python: Path, *arguments: str) -> str:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
