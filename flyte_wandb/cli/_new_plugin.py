"""`flyte-wandb new-plugin`: the files of a plugin's package, with tests that pass."""

from __future__ import annotations

import keyword
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Final

import click

from flyte_wandb._logging import printable
from flyte_wandb.plugins._loading import survey_plugins

_WORDS: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_FORM: Final = "write lower-case words with hyphens between them, such as 'gpu-island'"


@dataclass(frozen=True, kw_only=True)
class _Concern:
    """One thing that a plugin can bring: a module of hooks, and one of tests. A pair of braces is the user's word.

    Attributes:
        brings: What the README says.
        option: What `flyte-wandb plan` needs to show it.
    """

    brings: str
    option: str = ""

    def describe(self, word: str) -> str:
        """Return what the README says of it."""
        return self.brings.format(word)


_CONCERNS: Final = {
    "rank_scope": _Concern(
        brings="the rank scope `{0}:<ranks>`: every so many ranks in a row are a part", option=" --rank-scope {0}:4"
    ),
    "run_mode": _Concern(
        brings="the run mode `{0}:<n>`: every n-th rank of a part opens a run", option=" --run-mode {0}:2"
    ),
    "names": _Concern(brings="run ids that start with `{0}-`"),
    "observer": _Concern(brings="a line of output where a run starts, and one where it ends"),
}
"""By the name of their modules and templates."""

_FLAGS: Final = tuple(f"--{concern.replace('_', '-')}" for concern in _CONCERNS)


def write_plugin(name: str, words: Mapping[str, str], to: Path | None) -> None:
    """Write a plugin's package into a new or empty folder, and print what to do with it.

    Args:
        name: The distribution's name, such as ``gpu-island``.
        words: What the plugin brings: the user's word for it, by the name of the concern.
        to: The folder; one of the distribution's name where not given.

    Raises:
        click.UsageError: A name cannot be used, nothing is to be brought, or the folder is not empty.
    """
    _check_names(name, words)
    folder = to or Path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise click.UsageError(f"{printable(str(folder))} exists and is not an empty folder: name another with --to")
    texts = build_files(name, words)
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
        click.echo(f"wrote {printable(str(folder / path))}")
    commands = [f"cd {shlex.quote(str(folder))}", "pip install -e '.[test]'", "pytest", _plan_command(words)]
    click.echo("\nNext:\n" + "\n".join(f"  {printable(command)}" for command in commands))


def build_files(name: str, words: Mapping[str, str]) -> dict[str, str]:
    """Return the text of each file of a plugin's package, by its path; see `write_plugin`.

    >>> list(build_files("acme-names", {"names": "acme"}))
    ['pyproject.toml', 'README.md', 'acme_names/__init__.py', 'acme_names/names.py', 'tests/test_names.py']
    """
    package = name.replace("-", "_")
    # One plugin for each concern: they may answer the same hook, and each can be left out by its name.
    plugins = {concern: name if len(words) == 1 else f"{name}-{concern.replace('_', '-')}" for concern in words}
    values = {
        "name": name,
        "package": package,
        "entry_points": "\n".join(f'{plugin} = "{package}.{concern}"' for concern, plugin in plugins.items()),
        "contents": "\n".join(f"- {_CONCERNS[concern].describe(word)}" for concern, word in words.items()),
        "plan": _plan_command(words),
    }
    texts = {path: _fill_template(path, values) for path in ("pyproject.toml", "README.md")}
    texts[f"{package}/__init__.py"] = f'"""What {name} brings to flyte-wandb, each in a separate module."""\n'
    for concern, word in words.items():
        own = {**values, "word": word, "plugin": plugins[concern]}
        texts[f"{package}/{concern}.py"] = _fill_template(f"{concern}.py", own)
        texts[f"tests/test_{concern}.py"] = _fill_template(f"test_{concern}.py", own)
    return texts


def _fill_template(path: str, values: Mapping[str, str]) -> str:
    template = (files("flyte_wandb.cli") / "templates" / f"{path}.txt").read_text(encoding="utf-8")
    return Template(template).substitute(values)


def _plan_command(words: Mapping[str, str]) -> str:
    options = "".join(_CONCERNS[concern].option.format(word) for concern, word in words.items())
    return f"flyte-wandb plan --nodes 2 --per-node 4{options}"


def _check_names(name: str, words: Mapping[str, str]) -> None:
    if not words:
        raise click.UsageError(f"say what {name} brings, with {', '.join(_FLAGS)} or several of them")
    for text in (name, *words.values()):
        if not _WORDS.fullmatch(text):
            raise click.UsageError(f"{printable(text)!r} is not a name: {_FORM}")
    package = name.replace("-", "_")
    if keyword.iskeyword(package) or find_spec(package):
        raise click.UsageError(f"there is a Python module {package!r} already: name the plugin otherwise")
    manager, _ = survey_plugins()
    for concern, word in words.items():
        if manager.knows(concern, word):
            raise click.UsageError(
                f"there is a {concern} {word!r} already: see `flyte-wandb plugins`, and take another"
            )
