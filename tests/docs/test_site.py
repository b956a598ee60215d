"""The site: it builds without a warning, asks for nothing outside of itself, and readers can find and use each page."""

from __future__ import annotations

import itertools
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from docs.make_site import footer, lay_out, pages, run_generator
from tests.checkout import ROOT
from tests.report.browsers import artifacts, launched

if TYPE_CHECKING:
    from playwright.sync_api import Page

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
    return run_generator(folder)


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


def test_a_type_in_a_table_has_no_backslash(site: Path) -> None:
    text = (site / "settings.html").read_text()
    assert "\\|" not in text
    assert "<code>'auto' | 'new' | 'shared' | str</code>" in text


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
    assert "hooks.md#gone" in re.sub(r"\x1b\[[\d;]*m", "", result.stdout + result.stderr)


def test_every_page_of_a_reader_leads_to_the_next_one(site: Path) -> None:
    listed = re.findall(r"([\w-]+)\.md", _NAVIGATION)
    for name, following in itertools.pairwise(listed):
        page = (site / f"{name}.html").read_text()
        assert f'href="./{following}.html" class="md-footer__link md-footer__link--next"' in page, name


def test_the_link_to_the_repository_is_there_once_the_project_has_an_address() -> None:
    urls = ["Documentation, https://team.github.io/x/", "Source, https://github.com/team/x"]
    assert footer(urls) == '<a href="https://github.com/team/x">Source code of flyte-wandb</a>'
    assert footer([]) == ""


NARROW: Final = 400
QUESTIONS: Final = ("one run per node", "api key")
GUIDES: Final = ("index.html", "readme.html", "security.html", "on-a-cluster.html", "settings.html")
"""Pages of which one says first where the API key goes; a reference of Python names does not help who asks that."""

PICTURED: Final = ("index", "links-and-plans", "settings")


@dataclass(kw_only=True)
class Visit:
    """What one session of a browser has seen of the whole site.

    Attributes:
        wide: Pixels that a page is wider than a window of 400 pixels, of each page that is.
        outside: Addresses beyond the site that a page asked for.
        errors: What pages wrote to the console.
        copied: What the button of the first console block with output copies.
        found: The pages that the search lists, by what was searched.
        picture: The file of the start page's first picture on a phone, and how large it is there by its own size.
    """

    wide: dict[str, int] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    copied: str = ""
    found: dict[str, list[str]] = field(default_factory=dict)
    picture: tuple[str, float] = ("", 0)


@contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve the site on the loopback interface: its search and the clipboard need a server."""
    handler = partial(_Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def visit(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    """Look at every page once, in one session, for a browser takes seconds to start."""
    seen = Visit()
    with served(site) as address, launched() as chromium:
        context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.on("request", lambda request: seen.outside.append(request.url) if address not in request.url else None)
        page.on("console", lambda message: seen.errors.append(message.text))
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        _measure_pages(page, site, address, seen)
        _look_at_start(page, address, seen)
        _search(page, address, seen)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            _take_pictures(page, address, scheme, artifacts(tmp_path_factory.mktemp("pictures")))
    return seen


def _measure_pages(page: Page, site: Path, address: str, seen: Visit) -> None:
    page.set_viewport_size({"width": NARROW, "height": 900})
    for path in sorted(site.rglob("*.html")):
        uri = str(path.relative_to(site))
        page.goto(f"{address}/{uri}")
        beyond = int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))
        if beyond > 0:
            seen.wide[uri] = beyond


def _look_at_start(page: Page, address: str, seen: Visit) -> None:
    page.goto(f"{address}/index.html")
    image = page.locator("article img").first
    file, scale = image.evaluate("image => [image.currentSrc, image.width / image.naturalWidth]")
    seen.picture = (file.rpartition("/")[2], float(scale))
    page.goto(f"{address}/links-and-plans.html")
    block = page.locator(".highlight:has(.go)").first
    block.hover()
    block.locator("button").first.click()
    seen.copied = page.evaluate("navigator.clipboard.readText()")


def _search(page: Page, address: str, seen: Visit) -> None:
    page.set_viewport_size({"width": 1400, "height": 900})
    for words in QUESTIONS:
        page.goto(f"{address}/index.html")
        page.locator("button.md-search__button").click()
        page.get_by_placeholder("Search").fill(words)
        query = words.replace(" ", "+")
        results = page.locator(f"a[href*='?h={query}']")
        results.first.wait_for()
        links = results.evaluate_all("links => links.map(link => link.href)")
        seen.found[words] = [link.removeprefix(f"{address}/").partition("?")[0] for link in links]


def _take_pictures(page: Page, address: str, scheme: str, folder: Path) -> None:
    for name in PICTURED:
        for width in (NARROW, 1400):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(f"{address}/{name}.html")
            page.screenshot(path=folder / f"site-{name}-{scheme}-{width}.png")


def test_no_page_is_wider_than_a_phone(visit: Visit) -> None:
    assert visit.wide == {}


def test_a_browser_fetches_nothing_from_outside_and_has_nothing_to_complain_of(visit: Visit) -> None:
    assert visit.outside == []
    assert visit.errors == []


def test_the_button_copies_a_command_without_its_prompt_and_output(visit: Visit) -> None:
    assert visit.copied == "flyte wandb plan examples/jobs.py:pretrain"


def test_the_first_picture_can_be_read_on_a_phone(visit: Visit) -> None:
    file, scale = visit.picture
    assert file == "first-screen-narrow.svg"
    assert scale > 0.9


def test_the_search_finds_what_a_newcomer_types(visit: Visit) -> None:
    assert "distributed.html" in visit.found["one run per node"][:3]
    assert visit.found["api key"][0] in GUIDES
