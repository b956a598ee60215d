"""The console blocks of a page: commands behind `$`, and below each what it prints."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flyte_wandb.cli._new_plugin import build_files
from tests.checkout import ROOT
from tests.cli.running import run
from tests.distributions import install

_BLOCK = re.compile(r"```(console|python)\n(.*?)```", re.DOTALL)
_VARIABLE = re.compile(r"\w+=")
(_NEW_VERSION,) = re.findall(
    r'^version = "(.+)"$', build_files("acme", {"names": "acme"})["pyproject.toml"], re.MULTILINE
)
"""The version of a plugin that `flyte-wandb new-plugin` has written, as those of the pages are."""


@dataclass(frozen=True, kw_only=True)
class Console:
    """One command of a page.

    Attributes:
        command: What stands behind the `$`.
        output: The lines below it.
        plugins: Sources of the plugins that the page's section shows before it.
        exported: Variables that the page has exported before.
    """

    command: str
    output: str
    plugins: tuple[str, ...]
    exported: tuple[str, ...]

    def printed(self, folder: Path) -> str:
        """Run the command at the root of the sources, with the plugins installed, and return what it prints."""
        for source in self.plugins:
            install(folder, _name_of(source), source, version=_NEW_VERSION)
        words = shlex.split(self.command)
        variables = [word for word in words if _VARIABLE.match(word)]
        program, *arguments = [word for word in words if word not in variables]
        environ = dict(word.split("=", 1) for word in (*self.exported, *variables))
        result = run(*arguments, program=program, folder=folder, cwd=ROOT, environ=environ)
        errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
        return "\n".join(line.rstrip() for line in (*result.stdout.splitlines(), *errors))


def consoles(page: str) -> Iterator[Console]:
    """Yield the commands of a page in their order."""
    exported: tuple[str, ...] = ()
    for section in re.split(r"^#+ ", page, flags=re.MULTILINE):
        plugins: tuple[str, ...] = ()
        for kind, text in _BLOCK.findall(section):
            if kind == "python":
                plugins = (*plugins, text) if "@hookimpl" in text else plugins
                continue
            command, _, output = text.removeprefix("$ ").partition("\n")
            if command.startswith("export "):
                exported = tuple(shlex.split(command)[1:])
            else:
                yield Console(command=command, output=output.rstrip("\n"), plugins=plugins, exported=exported)


def _name_of(source: str) -> str:
    return "gpu-island" if "island" in source else "every-rank" if "every" in source else "acme-names"
