"""No name from elsewhere becomes a part of a page: the pages of the double, the tab in Flyte's report, and JSON."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

import pytest

from flyte_wandb import download_wandb_run_dir, wandb_config
from flyte_wandb.testing import WandbServer
from tests.conftest import LocalRun
from tests.report import tasks
from tests.report.conftest import Reports

MARKUP: Final = "</title></script><script>alert(1)</script><img src=x onerror=alert(1)>"
TEXT: Final = f"\"' onmouseover=alert(1) &lt;&#x3c;b>{MARKUP}<!-- ]]> \x1b]8;;http://evil\x07\x00\u202e{{{{7*7}}}}"
SCRIPT: Final = "javascript:alert(1)//"
PLAIN: Final = "plain"
KINDS: Final = {"markup": MARKUP, "text": TEXT, "script": SCRIPT}


class Structure(HTMLParser):
    """Elements and the names of their attributes, in their order: all of a page that is not text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[Any] = []
        self.links: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attributes)))
        self.links += [value or "" for name, value in attributes if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self.tags.append("comment")


def check_page(page: str, harmless: str) -> None:
    """Check that a page has the elements of the harmless one, leads nowhere else, and holds nothing that is hidden."""
    found, expected = Structure(page), Structure(harmless)
    assert found.tags == expected.tags
    assert [urlsplit(link)[:2] for link in found.links] == [urlsplit(link)[:2] for link in expected.links]
    assert [letter for letter in page if not letter.isprintable() and letter not in "\n\t"] == []


def put_named(server: WandbServer, run_id: str, name: str) -> None:
    """Put a run there of which everything that can be named has this name."""
    server.put_run(
        run_id,
        project=f"p{name}",
        entity="local",
        config={name: name, "deep": {name: [name]}},
        summary={name: name},
        history=[{name: 1.5, f"{name}2": name}, {name: 2.5}],
        files={name: b"content"},
        tags=[name],
        group=name,
        sweep=server.put_sweep(
            {"method": "grid", "name": name, "metric": {"name": name}, "parameters": {name: {"values": [name]}}},
            project=f"p{name}",
        ),
    )


def pages_of(server: WandbServer, name: str) -> list[str]:
    """Read the pages that name a run: its own, and those that list it."""
    (run,) = (run for run in server.runs if run.group == name)
    place = f"{server.url}/local/{quote(f'p{name}', safe='')}"
    addresses = [run.url, place, f"{place}/groups/{quote(name, safe='')}/workspace", f"{place}/sweeps/{run.sweep}"]
    return [urlopen(address).read().decode() for address in addresses]


@pytest.mark.parametrize("kind", KINDS)
def test_no_name_is_a_part_of_a_page_of_the_double(kind: str, server: WandbServer) -> None:
    name = KINDS[kind]
    put_named(server, "r1", name)
    put_named(server, "r2", PLAIN)
    for page, harmless in zip(pages_of(server, name), pages_of(server, PLAIN), strict=True):
        check_page(page, harmless)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("kind", KINDS)
def test_no_name_is_a_part_of_the_tab(kind: str, run_local: LocalRun, reports: Reports) -> None:
    def tab(name: str) -> str:
        before = reports()
        context = wandb_config(name=name[:60], group=name[:60], tags=[name[:60]], config={name: name}, notes=name)
        run_local(tasks.names_all, name, context=context)
        (page,) = (page for place, page in reports().items() if place not in before)
        return page

    harmless = tab(PLAIN)
    check_page(tab(KINDS[kind]), harmless)


@pytest.mark.usefixtures("online")
def test_what_is_downloaded_has_the_names_as_they_are_in_plain_json(server: WandbServer, tmp_path: Path) -> None:
    put_named(server, "r1", TEXT)
    folder = Path(download_wandb_run_dir("r1", tmp_path / "run", project=f"p{TEXT}", entity="local"))
    about, config = (json.loads((folder / name).read_text("ascii")) for name in ("run.json", "config.json"))
    assert (about["group"], about["tags"]) == (TEXT, [TEXT])
    assert config == {TEXT: TEXT, "deep": {TEXT: [TEXT]}}
    assert [json.loads(line) for line in (folder / "history.jsonl").read_text("ascii").splitlines()] == [
        {"_step": 0, TEXT: 1.5, f"{TEXT}2": TEXT},
        {"_step": 1, TEXT: 2.5},
    ]
    assert {path.read_bytes() for path in (folder / "files").rglob("*") if path.is_file()} == {b"content"}
