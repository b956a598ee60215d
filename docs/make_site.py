"""Build the site of docs/: `make docs`.

It is laid out in build/pages first. The pages of docs/ are there under their own names. The README and the other pages
at the root of the repository are pages, too. A source file or a folder that a page links to is a page that shows it. So
the links of a page are the same in the repository and on the site.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from html import escape
from importlib import metadata
from pathlib import Path
from typing import Final

from .make_pictures import NARROW

ROOT: Final = Path(__file__).parents[1]
PROJECT_PAGES: Final = {path.name: f"{path.stem.lower()}.md" for path in sorted(ROOT.glob("*.md"))}
"""Pages at the root of the repository, and what they are called on the site."""

_LINK: Final = re.compile(r"(?P<before>\]\(|(?:src|srcset|href)=\")(?![a-z]+:|#)(?P<target>[^)#\s\"]+)")
_IMAGE: Final = re.compile(r"!\[(?P<words>[^\]]*)\]\((?P<stem>[^)\s]+)(?P<ending>\.\w+)\)")
_NOT_FOUND_BY_SEARCH: Final = "---\nsearch:\n  exclude: true\n---\n\n"
"""Above a page with somebody's source: it would stand before the pages that explain it."""
_ROW: Final = re.compile(r"^\|.*$", re.MULTILINE)
_CODE: Final = re.compile(r"`[^`\n]+`")
_LANGUAGES: Final = {".py": "python", ".toml": "toml", ".md": "markdown", ".yml": "yaml"}


def build(folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Lay out the pages in a folder with mkdocs.yml and the packages, and build the site there, in build/site."""
    lay_out(folder / "build" / "pages")
    return run_generator(folder)


def run_generator(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of pages that are laid out. A page that lacks a picture or links to nowhere is an error."""
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    urls = metadata.metadata("flyte-wandb").get_all("Project-URL") or []
    environ = {**os.environ, "SITE_FOOTER": footer(urls)}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)


def footer(urls: Iterable[str]) -> str:
    """Return the link to the repository below every page; empty while pyproject.toml names no address.

    It is not the theme's `repo_url`, with which readers' browsers ask GitHub for the number of stars.

    Args:
        urls: The links of the package, such as ``Source, https://github.com/team/flyte-wandb``.
    """
    address = dict(url.split(", ", 1) for url in urls).get("Source")
    return f'<a href="{escape(address)}">Source code of flyte-wandb</a>' if address else ""


def lay_out(folder: Path) -> None:
    """Write all pages, with their pictures and styles, into a folder, in the place of what is there."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for uri, text in pages().items():
        (folder / uri).parent.mkdir(parents=True, exist_ok=True)
        (folder / uri).write_text(text)


def pages() -> dict[str, str]:
    """Return the text of every page by its place on the site, such as ``hooks.md``."""
    written = {path.name: path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))}
    written |= {uri: (ROOT / name).read_text() for name, uri in PROJECT_PAGES.items()}
    shown = {_uri_of(path): _shown(path) for path in sorted(_sources(written))}
    return {uri: _linked(text, uri) for uri, text in written.items()} | shown


def _linked(markdown: str, uri: str) -> str:
    pictured = _IMAGE.sub(partial(_fitted, uri=uri), _ROW.sub(_with_plain_bars, markdown))
    return _LINK.sub(partial(_moved, uri=uri), pictured)


def _with_plain_bars(row: re.Match[str]) -> str:
    """Return a row of a table with bars in code without a backslash: GitHub needs it, the site would show it."""
    return _CODE.sub(lambda code: code[0].replace("\\|", "|"), row[0])


def _fitted(found: re.Match[str], *, uri: str) -> str:
    """Return an image with the picture for phones beside it where there is one."""
    wide, narrow = (f"{found['stem']}{ending}{found['ending']}" for ending in ("", NARROW))
    if not (ROOT / _path_of(narrow, uri)).exists():
        return found[0]
    source = f'<source media="(max-width: 600px)" srcset="{narrow}">'
    return f'<picture>{source}<img src="{wide}" alt="{escape(found["words"])}"></picture>'


def _moved(found: re.Match[str], *, uri: str) -> str:
    return found["before"] + _uri_of(_path_of(found["target"], uri))


def _path_of(target: str, uri: str) -> str:
    """Return the path in the repository of what the page at `uri` links to."""
    folder = "" if uri in PROJECT_PAGES.values() else "docs"
    return posixpath.normpath(posixpath.join(folder, target))


def _uri_of(path: str) -> str:
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return PROJECT_PAGES.get(path) or f"sources/{path}.md"


def _sources(written: Mapping[str, str]) -> Iterator[str]:
    targets = {_path_of(found["target"], uri) for uri, text in written.items() for found in _LINK.finditer(text)}
    return (path for path in targets if _uri_of(path).startswith("sources/") and (ROOT / path).exists())


def _shown(path: str) -> str:
    """Return a page with the text of a file, or of all files of a folder."""
    inside = sorted(file for file in (ROOT / path).rglob("*") if file.suffix in _LANGUAGES)
    sections = (f"## {file.relative_to(ROOT / path)}\n\n{_block(file)}" for file in inside)
    return f"{_NOT_FOUND_BY_SEARCH}# {path}\n\n" + ("\n\n".join(sections) if inside else _block(ROOT / path))


def _block(file: Path) -> str:
    return f"````{_LANGUAGES.get(file.suffix, 'text')}\n{file.read_text()}````\n"


if __name__ == "__main__":
    built = build()
    print(built.stdout + built.stderr)
    sys.exit(built.returncode)
