"""A real browser that looks at a page, and notes all that the page does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page, Route

FLYTES_FONT: Final = "https://fonts.googleapis.com/"
"""What the page around all tabs loads, which is Flyte's own."""

_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
Scheme = Literal["light", "dark"]


@dataclass(kw_only=True)
class Seen:
    """A page and what it has done.

    Attributes:
        page: The page.
        requests: Addresses that it asked for beyond its own.
        said: What it wrote to the console, its errors, and its dialogs.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def overflow(self) -> int:
        """Pixels that are to be reached by scrolling sideways only."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def browser() -> str:
    """Return the path of a browser; without one the test is skipped, in CI it fails."""
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        reason = f"there is none of {', '.join(_BROWSERS)}; .ci/browser says how to get one"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return found


def artifacts(folder: Path) -> Path:
    """Return the folder for pictures: that of the environment, which CI keeps, or else `folder`."""
    chosen = Path(os.environ.get("FLYTE_WANDB_ARTIFACTS") or folder)
    chosen.mkdir(parents=True, exist_ok=True)
    return chosen


@contextmanager
def launched() -> Iterator[Browser]:
    """Launch a fresh browser."""
    from playwright.sync_api import sync_playwright  # takes most of a second, which tests elsewhere need not spend

    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox"]) as chromium,
    ):
        yield chromium


@contextmanager
def opened(html: str, folder: Path, *, width: int = 1400, scheme: Scheme = "light") -> Iterator[Seen]:
    """Open a page in a fresh browser that reaches no network."""
    path = folder / "page.html"
    path.write_text(html)
    with launched() as chromium:
        seen = Seen(page=chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme))
        seen.page.route("**/*", lambda route: _answered(route, path.as_uri(), seen))
        seen.page.on("console", lambda message: seen.said.append(message.text))
        seen.page.on("pageerror", lambda error: seen.said.append(str(error)))
        seen.page.on("dialog", lambda dialog: _dismissed(dialog, seen))
        seen.page.goto(path.as_uri())
        yield seen


def _dismissed(dialog: Dialog, seen: Seen) -> None:
    seen.said.append(dialog.message)
    dialog.dismiss()


def _answered(route: Route, own: str, seen: Seen) -> None:
    if route.request.url == own:
        route.continue_()
        return
    seen.requests.append(route.request.url)
    route.fulfill(body="", content_type="text/css")
