"""The site: it builds without a warning, asks for nothing outside of itself, and every page can be reached."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from docs.make_site import lay_out, pages
from tests.checkout import ROOT

_FETCHING = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "srcset", "video": "src"}
_CSS = re.compile(r"url\(\s*['\"]?((?:https?:)?//[^)'\"]+)|@import\s+['\"]((?:https?:)?//[^'\"]+)")
_NAVIGATION = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]


class Assets(HTMLParser):
    """What a browser fetches by itself for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(_FETCHING.get(tag, ""))
        self.addresses += [address] if address else []


def build(folder: Path, extra: str = "") -> subprocess.CompletedProcess[str]:
    """Build the site in a folder, as `make docs` does in build/."""
    lay_out(folder / "build" / "pages")
    with (folder / "build" / "pages" / "index.md").open("a") as page:
        page.write(extra)
    (folder / "mkdocs.yml").write_text((ROOT / "mkdocs.yml").read_text())
    for source in ("docs", "flyte_wandb", "hookspecs", "builtin_strategies"):
        (folder / source).symlink_to(ROOT / source)
    environ = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build"]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    result = build(folder)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / "build" / "site"


def fetched(site: Path) -> Iterator[tuple[str, str]]:
    for page in site.rglob("*.html"):
        assets = Assets()
        assets.feed(page.read_text())
        yield from ((page.name, address) for address in assets.addresses)
    for style in site.rglob("*.css"):
        yield from ((style.name, found[1] or found[2]) for found in _CSS.finditer(style.read_text()))


def test_the_site_asks_for_nothing_outside(site: Path) -> None:
    found = list(fetched(site))
    assert len(found) > 100
    assert [one for one in found if re.match(r"(https?:)?//", one[1])] == []


def test_every_asset_that_a_page_asks_for_is_there(site: Path) -> None:
    for page in site.rglob("*.html"):
        if page.name == "404.html":
            continue  # a server's page for any address, whose assets are named from the root
        assets = Assets()
        assets.feed(page.read_text())
        assert [
            one for one in assets.addresses if one[0] != "#" and not (page.parent / one.partition("?")[0]).exists()
        ] == []


def test_every_public_name_is_on_the_page_of_the_api(site: Path) -> None:
    import flyte_wandb

    page = (site / "api.html").read_text()
    names = [name for name in flyte_wandb.__all__ if f'id="flyte_wandb.{name}"' not in page]
    assert names == []


def test_examples_of_docstrings_are_blocks_of_code(site: Path) -> None:
    page = (site / "api.html").read_text()
    assert "Example::" not in page
    assert "<blockquote>" not in page


def test_every_page_is_in_the_navigation() -> None:
    own = {uri for uri in pages() if not uri.startswith("sources/")}
    listed = re.findall(r"[\w-]+\.md", _NAVIGATION)
    assert sorted(own - set(listed)) == [], "add these to `nav` in mkdocs.yml"
    assert sorted(listed) == sorted(set(listed) & own)


def test_a_link_that_leads_nowhere_stops_the_build(tmp_path: Path) -> None:
    result = build(tmp_path, "\n[gone](hooks.md#gone)\n")
    assert result.returncode == 1
    assert "gone" in result.stdout + result.stderr
