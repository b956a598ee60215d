"""Lay out build/pages, from which the site is built: `make docs`.

The pages of docs/ are there under their own names. The README and its like, which stand at the root of the repository,
are pages, too, and what else a page links to, a source file or a folder of them, is a page that shows it. So the links
of a page are the same in the repository and on the site, and any generator for MkDocs' settings can build it.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PROJECT_PAGES: Final = {path.name: f"{path.stem.lower()}.md" for path in sorted(ROOT.glob("*.md"))}
"""Pages at the root of the repository, and what they are called on the site."""

_LINK: Final = re.compile(r"(?P<before>\]\(|(?:src|srcset|href)=\")(?![a-z]+:|#)(?P<target>[^)#\s\"]+)")
_LANGUAGES: Final = {".py": "python", ".toml": "toml", ".md": "markdown", ".yml": "yaml"}


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
    return _LINK.sub(partial(_moved, uri=uri), markdown)


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
    return f"# {path}\n\n" + ("\n\n".join(sections) if inside else _block(ROOT / path))


def _block(file: Path) -> str:
    return f"````{_LANGUAGES.get(file.suffix, 'text')}\n{file.read_text()}````\n"


if __name__ == "__main__":
    lay_out(ROOT / "build" / "pages")
