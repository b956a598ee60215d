"""What is in the wheel and the sdist, built with the project's own settings."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"flyte_wandb", "flyte_wandb_hookspecs", "flyte_wandb_builtin_strategies"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both, the wheel made from the sdist as pip would."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_the_wheel_holds_the_three_packages_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == PACKAGES
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names)


def test_the_wheel_registers_the_built_ins_like_any_plugin(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        entry_points = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
        text = wheel.read(entry_points).decode()
    assert "[flyte_wandb]\nbuiltin = flyte_wandb_builtin_strategies" in text
    assert "flyte-wandb = flyte_wandb.cli:main" in text


def test_the_sdist_holds_the_sources_of_the_three_packages(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {
        "flyte_wandb/__init__.py",
        "hookspecs/flyte_wandb_hookspecs/__init__.py",
        "builtin_strategies/flyte_wandb_builtin_strategies/__init__.py",
    } <= names
    assert {"hookspecs/__init__.py", "builtin_strategies/__init__.py"} & names == set()
    assert not any("__pycache__" in name or name.startswith("tests") for name in names)


def test_the_installed_wheel_works_outside_of_the_sources(built: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path)
    code = (
        "import flyte_wandb, flyte_wandb_hookspecs\n"
        "request = flyte_wandb.Request(run_name='r1', action_name='a0')\n"
        "print(flyte_wandb.plan(request).run_id, flyte_wandb.__file__)"
    )
    environ = {"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"}
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert result.stdout.split() == ["r1-a0", str(tmp_path / "flyte_wandb/__init__.py")], result.stderr
