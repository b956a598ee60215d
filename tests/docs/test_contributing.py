"""What a newcomer is told to type works, in its order, in a clone of its own."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from flyte_wandb.cli._new_plugin import write_plugin
from tests.checkout import ROOT, SCRIPTS
from tests.docs.consoles import consoles
from tests.docs.pages import table_rows
from tests.programs import import_path_of, run_python

PAGE: Final = (ROOT / "CONTRIBUTING.md").read_text()
COMMANDS: Final = [console.command for console in consoles(PAGE)]
TABLES: Final = "python -m pytest -q -x tests/pure/test_tables.py"
EXPECTED: Final[dict[str, tuple[int, ...]]] = {TABLES: (1, 0)}
"""Exit codes of what is not to end with 0 each time that it is typed."""

_BOUNDS: Final = [COMMANDS.index(command) for command in COMMANDS if command.startswith("pip ")]
WITH_PLUGIN: Final = COMMANDS[slice(*_BOUNDS)]
"""What is typed while the plugin is installed: pip may have made it importable by other means than a folder."""

SAID: Final = {
    "flyte-wandb new-plugin gpu-island --rank-scope island --to build/gpu-island": r"wrote build/gpu-island/README\.md",
    "flyte-wandb plugins": r"gpu-island +0\.1\.0 +gpu-island +ok",
    "flyte-wandb plan --nodes 1 --per-node 8 --rank-scope island:4": r"2 runs, 2 links \(6 ranks without a run\)",
    "python -m pytest -q build/gpu-island": r"9 passed",
    "flyte-wandb plan --nodes 1 --per-node 2 --run-mode new": r"RUN-ACTION-r-1",
}
_COPIED: Final = ("flyte_wandb", "hookspecs", "builtin_strategies", "tests", "examples")
_PIP: Final = 'case "$1" in install) shift; set -- install --no-index --no-build-isolation "$@";; esac\n'


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which the first command was run before: the sources come first, then all that is installed here."""
    folder = tmp_path_factory.mktemp("contributing") / "clone"
    for name in _COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "Makefile", "README.md", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    _commit(folder)
    _make_environment(folder)
    return folder


def _commit(folder: Path) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    for arguments in (("init", "--quiet"), ("add", "--all"), (*who, "commit", "--quiet", "--message", "all")):
        subprocess.run(["git", *arguments], cwd=folder, check=True)


def _make_environment(folder: Path) -> None:
    scripts = folder / ".venv" / "bin"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    own, here = sysconfig.get_path("purelib", vars={"base": str(folder / ".venv")}), sysconfig.get_path("purelib")
    roots = "".join(f"{folder / root}\n" for root in (".", "hookspecs", "builtin_strategies"))
    Path(own, "clone.pth").write_text(f"{roots}import site; site.addsitedir({here!r})\n")
    for name, start, options in (("pip", "-m pip", _PIP), ("flyte-wandb", str(SCRIPTS / "flyte-wandb"), "")):
        (scripts / name).write_text(f'#!/bin/sh\n{options}exec "{scripts}/python" {start} "$@"\n')
        (scripts / name).chmod(0o755)
    for marker in (".venv", ".dev"):
        (folder / ".venv" / marker).touch()


def typed(command: str, clone: Path, first: str = "") -> subprocess.CompletedProcess[str]:
    """Have a shell run a command, or, where Python imports from folders only, run what the clone's Python would.

    Args:
        command: What is typed.
        clone: The clone.
        first: A folder from which Python imports before it does from all others.
    """
    scripts = clone / ".venv" / "bin"
    environ = {"HOME": str(clone.parent), "PATH": f"{scripts}:/usr/bin:/bin", "WANDB_PROJECT": "p"}
    program, *words = shlex.split(command)
    if program not in ("flyte-wandb", "python") or command in WITH_PLUGIN:
        shell = ["bash", "-c", command]
        return subprocess.run(shell, cwd=clone, env=environ, capture_output=True, text=True, timeout=120)
    script = [] if program == "python" else [str(SCRIPTS / program)]
    environ["PYTHONPATH"] = os.pathsep.join([first, import_path_of(scripts / "python")])
    return run_python(*script, *words, folder=clone, environ=environ)


def test_every_command_of_the_page_does_what_it_says(clone: Path) -> None:
    wanted: dict[str, Iterator[int]] = {command: iter(codes) for command, codes in EXPECTED.items()}
    for command in COMMANDS:
        result = typed(command, clone)
        assert result.returncode == next(wanted.get(command, iter((0,)))), (command, result.stdout, result.stderr)
        assert re.search(SAID.get(command, ""), result.stdout), (command, result.stdout)
    assert {*SAID, *EXPECTED} <= set(COMMANDS)
    status = subprocess.run(["git", "status", "--short"], cwd=clone, capture_output=True, text=True, check=True)
    assert set(status.stdout.split()[1:]) <= {next(clone.rglob("*.before")).relative_to(clone).as_posix()}


def test_an_island_that_is_not_full_is_found_as_the_page_says(clone: Path) -> None:
    folder = clone / "build" / "not-full"
    write_plugin("not-full", {"rank_scope": "island"}, folder)
    old, new = re.findall(r"Change `(size=min.*?)` to `(size=size)`", PAGE)[0]
    module = folder / "not_full" / "rank_scope.py"
    code = module.read_text()
    assert old in code
    module.write_text(code.replace(old, new))
    result = typed("python -m pytest -q build/not-full", clone, first=str(folder))
    assert "1 failed, 8 passed" in result.stdout, result.stdout


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md"])
def test_what_the_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    links = re.findall(r"\]\(([\w./-]+)", text)
    files = re.findall(r"`((?:tests|flyte_wandb|docs|examples)/[\w./]+\.(?:py|md))`", text)
    assert [name for name in (*links, *files) if not (ROOT / name).exists()] == []


def test_each_line_of_what_is_not_trusted_names_a_test_that_there_is() -> None:
    rows = table_rows("SECURITY.md", "What is trusted, and what is not")
    assert len(rows) > 20
    for what, _, cell in rows:
        file, name = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)`", cell).groups()  # type: ignore[union-attr]
        assert f"\ndef {name}(" in (ROOT / file).read_text(), what


def test_the_page_tells_of_every_folder_of_tests() -> None:
    rows = "".join(re.findall(r"^\| `.*", PAGE.partition("\n## Tests\n")[2].partition("\n## ")[0], re.MULTILINE))
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert folders <= set(re.findall(r"`(\w+)`", rows))


def test_the_page_says_what_to_run_after_a_change_of_any_room() -> None:
    rows = table_rows("CONTRIBUTING.md", "What to run after a change")
    assert [path for _, run in rows for path in run.strip("`").split() if not (ROOT / path).exists()] == []
    changed = {path for cell, _ in rows for path in re.findall(r"`([\w./]+)`", cell)}
    rooms = {f"flyte_wandb/{path.parent.name}/" for path in (ROOT / "flyte_wandb").glob("*/__init__.py")}
    assert rooms <= changed
    assert [path for path in changed if not (ROOT / path).exists()] == []
