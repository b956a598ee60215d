"""The tab in a real browser: by light and dark, on a telephone and on a wide screen, and with a hostile name in it."""

from __future__ import annotations

import html
from pathlib import Path

import flyte
import pytest

from flyte_wandb import wandb_init
from tests.conftest import LocalRun
from tests.current import this_run
from tests.report import pages
from tests.report.browsers import FLYTES_FONT, Scheme, artifacts, opened
from tests.report.conftest import Reports
from tests.report.tasks import HOSTILE

BEYOND = "[...document.querySelectorAll('.wide')].filter(one => one.scrollWidth > one.clientWidth).length"
"""How many tables have columns that are reached by scrolling only."""

env = flyte.TaskEnvironment(name="browser")


@wandb_init(report=True, id="resnet-50", config={"lr": 0.1, "model": {"layers": [3, 4, 6, 3]}, HOSTILE: HOSTILE})
@env.task
def train() -> int:
    run = this_run()
    for row in pages.training(600):
        run.log({**row, HOSTILE: 1, f"long/{'x' * 200}": 2})
    return 1


@pytest.fixture
def report(offline: None, run_local: LocalRun, reports: Reports) -> str:
    run_local(train)
    (text,) = reports().values()
    return text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_quiet_fits_and_shows_every_plot(report: str, tmp_path: Path, scheme: Scheme) -> None:
    with opened(report, tmp_path, scheme=scheme) as seen:
        for width in (400, 1400):
            seen.page.set_viewport_size({"width": width, "height": 900})
            assert seen.overflow == 0
            assert seen.page.evaluate(BEYOND) == 0
            boxes = [plot.bounding_box() for plot in seen.page.locator("svg").all()]
            assert len(boxes) == report.count("<svg") > 5
            assert all(box and box["width"] > 200 and box["height"] > 80 for box in boxes)
            seen.page.screenshot(path=artifacts(tmp_path) / f"report-{scheme}-{width}.png", full_page=True)
        assert all(plot.is_visible() for plot in seen.page.locator("svg").all())
        assert seen.page.locator("figcaption", has_text=HOSTILE).count() == 1
        assert seen.page.evaluate("document.querySelectorAll('.flyte-wandb script').length") == 0
        assert [address for address in seen.requests if not address.startswith(FLYTES_FONT)] == []
        assert seen.said == []


def test_the_tab_needs_no_script_and_nothing_from_elsewhere(report: str, tmp_path: Path) -> None:
    """As a frame that may do nothing at all."""
    tab = report[report.index('<div class="flyte-wandb">') : report.index("</section></div>") + len("</section></div>")]
    frame = f'<iframe sandbox="" width="1000" height="900" srcdoc="{html.escape(tab)}"></iframe>'
    with opened(f"<!doctype html><meta charset=utf-8>{frame}", tmp_path) as seen:
        inside = seen.page.frames[1]
        inside.wait_for_load_state()
        assert inside.locator("svg").count() == report.count("<svg")
        assert all(plot.is_visible() for plot in inside.locator("svg").all())
        assert seen.requests == []
        assert seen.said == []


def test_colours_follow_the_scheme_and_text_can_be_read(report: str, tmp_path: Path) -> None:
    contrast = """() => {
        const style = getComputedStyle(document.querySelector('.flyte-wandb'));
        const light = text => {
            const parts = text.match(/[0-9.]+/g).slice(0, 3).map(part => part / 255);
            const [r, g, b] = parts.map(part => part <= 0.04 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const paper = light(style.backgroundColor);
        return ['.flyte-wandb', '.note, small', 'figcaption', '.good', 'th', 'svg text'].map(name => {
            const own = getComputedStyle(document.querySelector(name));
            const ink = light(name === 'svg text' ? own.fill : own.color);
            return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
        });
    }"""
    for scheme in ("light", "dark"):
        with opened(report, tmp_path, scheme="light" if scheme == "light" else "dark") as seen:
            assert min(seen.page.evaluate(contrast)) >= 4.5
