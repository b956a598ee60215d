"""`flyte-wandb new-plugin`: the packages that it writes install, and their tests pass, whatever they bring."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import click
import pytest

from flyte_wandb.cli._new_plugin import build_files, write_plugin
from tests.checkout import SCRIPTS, import_path, process_environ
from tests.cli.running import run
from tests.plugins.environments import environments, install_wheels

TESTS = {"rank_scope": 3, "run_mode": 3, "names": 3, "observer": 1}
"""How many tests each concern has beside the conformance suite, of which one counts: that it fits the contract."""

COMBINATIONS = [words for size in range(1, 5) for words in combinations(TESTS, size)]
QUICK = "not agree and not owner and not longest and not another_process and not links_can and not declares"


def words_of(concerns: tuple[str, ...], suffix: object = "") -> dict[str, str]:
    """The user's words for some concerns; with a suffix they are those of one plugin among many."""
    return {concern: f"{concern.replace('_', '-')}{suffix}" for concern in concerns}


def run_tests(*options: str, python: Path, folder: Path) -> str:
    """Run pytest in a folder, and return the last line that it prints."""
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", *options]
    environ = process_environ(folder, {"PYTHONPATH": import_path()})
    result = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.splitlines()[-1]


def entry_points(texts: Mapping[str, str]) -> dict[str, str]:
    _, _, section = texts["pyproject.toml"].partition("[project.entry-points.flyte_wandb]\n")
    return dict(re.findall(r'^(.+) = "(.+)"$', section.partition("\n\n")[0], re.MULTILINE))


@pytest.mark.parametrize("concerns", COMBINATIONS, ids="+".join)
def test_each_module_is_the_same_in_every_combination_and_has_an_entry_point(concerns: tuple[str, ...]) -> None:
    everything = build_files("gpu-island", words_of(tuple(TESTS)))
    texts = build_files("gpu-island", words_of(concerns))
    modules = {path for concern in concerns for path in (f"gpu_island/{concern}.py", f"tests/test_{concern}.py")}
    assert set(texts) == {*modules, "gpu_island/__init__.py", "pyproject.toml", "README.md"}
    names = ["gpu-island" if len(concerns) == 1 else f"gpu-island-{concern}".replace("_", "-") for concern in concerns]
    assert entry_points(texts) == {name: f"gpu_island.{concern}" for name, concern in zip(names, concerns, strict=True)}
    for path in modules:
        assert re.sub(r'name="gpu-island[\w-]*"', "", texts[path]) == re.sub(
            r'name="gpu-island[\w-]*"', "", everything[path]
        )
    assert [text for text in texts.values() if "$" in text] == []


BUILD = """
import os, sys
from setuptools import build_meta

_, wheels, *folders = sys.argv  # which setuptools changes
for folder in folders:
    os.chdir(folder)
    build_meta.build_wheel(wheels)
"""
"""Builds many wheels in one process, as pip would build each in one of its own."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """An environment in which pip has installed a wheel of each combination, and the folders of their sources."""
    root = tmp_path_factory.mktemp("written")
    wheels = root / "wheels"
    wheels.mkdir()
    folders = [root / f"plugin-{number}" for number in range(len(COMBINATIONS))]
    for number, folder in enumerate(folders):
        write_plugin(folder.name, words_of(COMBINATIONS[number], number), folder)
    command = [sys.executable, "-c", BUILD, str(wheels), *map(str, folders)]
    built = subprocess.run(command, cwd=root, env=process_environ(root), capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    python = environments(root)()
    install_wheels(python, *wheels.glob("*.whl"))
    return python, folders


def test_every_combination_is_found_as_a_wheel(installed: tuple[Path, list[Path]], tmp_path: Path) -> None:
    python, _ = installed
    command = [str(python), str(SCRIPTS / "flyte-wandb"), "plugins", "--json"]
    environ = process_environ(tmp_path, {"PYTHONPATH": import_path()})
    listed = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    found = Counter((one["distribution"], one["state"]) for one in json.loads(listed.stdout))
    del found["flyte-wandb", "ok"]
    assert found == {(f"plugin-{number}", "ok"): len(concerns) for number, concerns in enumerate(COMBINATIONS)}


def test_the_tests_of_every_combination_pass(installed: tuple[Path, list[Path]], tmp_path: Path) -> None:
    python, folders = installed
    last = run_tests("-k", QUICK, *(str(folder / "tests") for folder in folders), python=python, folder=tmp_path)
    assert last.startswith(f"{sum(TESTS[concern] for concerns in COMBINATIONS for concern in concerns)} passed")


def test_the_whole_suite_of_a_plugin_that_brings_everything_passes(installed: tuple[Path, list[Path]]) -> None:
    python, folders = installed
    assert run_tests(python=python, folder=folders[-1]).startswith("28 passed")


def test_the_command_says_what_it_wrote_and_what_to_type_next(tmp_path: Path) -> None:
    result = run("new-plugin", "gpu-island", "--rank-scope", "island", "--observer", folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (
        "wrote gpu-island/pyproject.toml\n"
        "wrote gpu-island/README.md\n"
        "wrote gpu-island/gpu_island/__init__.py\n"
        "wrote gpu-island/gpu_island/rank_scope.py\n"
        "wrote gpu-island/tests/test_rank_scope.py\n"
        "wrote gpu-island/gpu_island/observer.py\n"
        "wrote gpu-island/tests/test_observer.py\n"
        "\n"
        "Next:\n"
        "  cd gpu-island\n"
        "  pip install -e '.[test]'\n"
        "  pytest\n"
        "  flyte-wandb plan --nodes 2 --per-node 4 --rank-scope island:4\n"
    )


FORM = "write lower-case words with hyphens between them, such as 'gpu-island'"


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("GpuIsland", {"names": "acme"}, f"'GpuIsland' is not a name: {FORM}"),
        ("gpu_island", {"names": "acme"}, f"'gpu_island' is not a name: {FORM}"),
        ("../island", {"names": "acme"}, f"'../island' is not a name: {FORM}"),
        ("4-islands", {"names": "acme"}, f"'4-islands' is not a name: {FORM}"),
        ("", {"names": "acme"}, f"'' is not a name: {FORM}"),
        ("gpu-island", {"rank_scope": "island:4"}, f"'island:4' is not a name: {FORM}"),
        ("gpu-island", {"names": 'a"'}, f"'a\"' is not a name: {FORM}"),
        ("wandb", {"names": "acme"}, "there is a Python module 'wandb' already: name the plugin otherwise"),
        ("flyte-wandb", {"names": "acme"}, "there is a Python module 'flyte_wandb' already: name the plugin otherwise"),
        ("class", {"names": "acme"}, "there is a Python module 'class' already: name the plugin otherwise"),
        (
            "gpu-island",
            {"rank_scope": "worker"},
            "there is a rank_scope 'worker' already: see `flyte-wandb plugins`, and take another",
        ),
        (
            "gpu-island",
            {},
            "say what gpu-island brings, with --rank-scope, --run-mode, --names, --observer or several of them",
        ),
    ],
)
def test_a_name_that_cannot_be_used_is_told_and_nothing_is_written(
    name: str, words: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(click.UsageError) as caught:
        write_plugin(name, words, tmp_path)
    assert caught.value.message == message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_there_is_not_overwritten(kind: str, tmp_path: Path) -> None:
    there = tmp_path / "gpu-island"
    if kind == "folder":
        there.mkdir()
    (there / "notes.txt" if kind == "folder" else there).write_text("mine")
    with pytest.raises(click.UsageError) as caught:
        write_plugin("gpu-island", {"names": "acme"}, there)
    assert caught.value.message == f"{there} exists and is not an empty folder: name another with --to"
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["mine"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    write_plugin("gpu-island", {"names": "acme"}, tmp_path)
    assert (tmp_path / "gpu_island" / "names.py").exists()
