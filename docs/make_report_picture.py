"""Write docs/pictures/report-top.png: the tab of a real task, as a browser shows it.

Run it as ``python -m docs.make_report_picture``; it needs a browser (``.ci/browser``).
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import flyte
from playwright.sync_api import sync_playwright

from flyte_wandb import get_wandb_run, wandb_init
from flyte_wandb.testing import WandbServer

PICTURE: Final = Path(__file__).with_name("pictures") / "report-top.png"
WIDTH, HEIGHT = 860, 606
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
_ROWS: Final = 600


@wandb_init(report=True, project="vision", id="resnet-50", config={"lr": 0.1})
@flyte.TaskEnvironment(name="vision").task
def train() -> None:
    """Log what a training might."""
    for row in range(_ROWS):
        done = row / _ROWS
        loss, accuracy = 2.3 * math.exp(-4 * done) + 0.05 * math.sin(row), 0.93 - 0.8 * math.exp(-5 * done)
        rate = 3e-4 * min(1, 10 * done) * (0.5 + 0.5 * math.cos(math.pi * done))
        if run := get_wandb_run():
            run.log({"train/loss": loss, "train/lr": rate, "val/accuracy": accuracy, "epoch": row * 12 // _ROWS})


def report(folder: Path) -> str:
    """Run the task against the server double, and return the address of its report."""
    flyte.init()
    runner: Any = flyte.with_runcontext(mode="local", raw_data_path=str(folder / "raw"))
    runner._metadata_path = str(folder / "metadata")  # there is no public way, and the default is one for the machine
    runner.run(train)
    (page,) = folder.rglob("report.html")
    return page.as_uri()


def photograph(address: str) -> None:
    """Write the picture of the page at an address."""
    browser = next(filter(None, map(shutil.which, _BROWSERS)))
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"]) as chromium,
    ):
        page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.route("http**/*", lambda route: route.fulfill(body="", content_type="text/css"))
        page.goto(address)
        top = page.locator(".flyte-wandb").bounding_box()
        assert top is not None
        page.screenshot(path=PICTURE, clip={"x": 0, "y": top["y"], "width": WIDTH, "height": HEIGHT}, full_page=True)


def write() -> None:
    """Write the file."""
    with WandbServer() as server, tempfile.TemporaryDirectory() as folder:
        os.environ.update(server.environ, WANDB_DIR=folder, WANDB_SILENT="true", HOME=folder)
        photograph(report(Path(folder)))


if __name__ == "__main__":
    write()
