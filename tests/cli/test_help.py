"""What `--help` says, and the ways to start the command line."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from flyte_wandb.cli import main
from flyte_wandb.cli._command import OneLineErrors
from tests.checkout import process_environ
from tests.cli.running import run
from tests.programs import run_python

EXAMPLES = [
    (name, line)
    for name, command in main.commands.items()
    if isinstance(command, OneLineErrors)
    for line in command.examples
]


def test_every_command_has_an_example() -> None:
    assert {name for name, _ in EXAMPLES} == set(main.commands)


@pytest.mark.parametrize(("name", "line"), EXAMPLES)
def test_an_example_is_one_that_its_command_takes(name: str, line: str) -> None:
    program, word, *arguments = shlex.split(line)
    assert (program, word) == ("flyte-wandb", name)
    # Parses without a run of the command.
    main.commands[name].make_context(name, arguments)


@pytest.mark.parametrize("name", main.commands)
def test_the_help_ends_with_the_examples_in_80_columns(name: str, tmp_path: Path) -> None:
    command = main.commands[name]
    assert isinstance(command, OneLineErrors)
    text = run(name, "--help", folder=tmp_path).stdout
    lines = [line.strip() for line in text.splitlines()]
    start = lines.index("Examples:") + 1
    assert tuple(filter(None, lines[start:])) == command.examples
    assert max(map(len, text.splitlines())) <= 80


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    words = ("-m", "flyte_wandb", "--version")
    result = run_python(*words, folder=tmp_path, environ=process_environ(tmp_path))
    expected = run("--version", folder=tmp_path).stdout.replace("flyte-wandb,", "python -m flyte_wandb,")
    assert (result.returncode, result.stdout) == (0, expected)
