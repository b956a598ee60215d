"""The pages and pictures that the code writes: they are what the code says now."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from docs import make_cli, make_pictures, make_settings
from docs.settings_meanings import MEANINGS, SWEEP_MEANINGS, VARIABLES
from flyte_wandb.settings._schema import FIELDS
from flyte_wandb.settings._sweep_schema import SWEEP_FIELDS
from tests.checkout import ROOT

PACKAGES = ("flyte_wandb", "hookspecs", "builtin_strategies")
PICTURES = make_pictures.pictures()
SVG = "{http://www.w3.org/2000/svg}"
MODES = [
    (mode, scope, shape)
    for mode in make_pictures.RUN_MODES
    for scope in ("global", "worker")
    for shape in ((1, 2), (2, 2))
]


@pytest.mark.parametrize("written", [make_cli, make_settings], ids=lambda written: str(written.PAGE.name))
def test_a_page_is_what_the_code_says(written: object) -> None:
    path: Path = written.PAGE  # type: ignore[attr-defined]
    assert path.read_text() == written.page(), "the code has changed: run `make pages`"  # type: ignore[attr-defined]


def test_the_pictures_are_what_the_plan_says() -> None:
    there = {path.name: path.read_text() for path in make_pictures.FOLDER.glob("*.svg")}
    assert {name: there.get(name) for name in PICTURES} == PICTURES, "the plan has changed: run `make pages`"


def test_every_setting_has_a_meaning_and_no_meaning_is_left_over() -> None:
    assert set(MEANINGS) <= set(FIELDS)
    assert set(SWEEP_MEANINGS) == set(SWEEP_FIELDS)


def test_every_environment_variable_of_the_package_is_on_the_page() -> None:
    sources = [path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    named = set().union(*(re.findall(r"FLYTE_WANDB_[A-Z_]+", source) for source in sources))
    assert named == {name for name in VARIABLES if name.startswith("FLYTE_WANDB_")}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_small_tells_its_content_and_fetches_nothing(name: str) -> None:
    root = ElementTree.fromstring(PICTURES[name])
    title, described = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert title.text
    assert described is not None
    assert described.text
    assert len(PICTURES[name]) < 12_000
    assert "prefers-color-scheme:dark" in PICTURES[name]
    assert re.findall(r"https?://", PICTURES[name]) == ["http://"]  # the name of SVG itself


@pytest.mark.parametrize(("mode", "scope", "shape"), MODES)
def test_a_picture_has_every_run_and_rank_of_its_plan(mode: str, scope: str, shape: tuple[int, int]) -> None:
    found = make_pictures.planned(mode, scope, *shape)
    drawn = [one.text for one in ElementTree.fromstring(PICTURES[f"{mode}.svg"]).iter(f"{SVG}text")]
    assert {*found.runs, *(f"group {group}" for group in found.groups)} <= set(drawn)
    assert {f"rank {rank}" for rank in range(shape[0] * shape[1])} <= set(drawn)
