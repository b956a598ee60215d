"""The changelog has the form that it says it has: Keep a Changelog, newest first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Final

import pytest
from packaging.version import InvalidVersion, Version

import flyte_wandb
from tests.checkout import ROOT

PAGE: Final = (ROOT / "CHANGELOG.md").read_text()
KINDS: Final = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
_RELEASE: Final = re.compile(r"(?P<version>\S+) - (?P<date>\d{4}-\d\d-\d\d)")

Section = tuple[str, str]
"""A heading and what stands below it."""


def sections(text: str, level: int) -> list[Section]:
    _, *parts = re.split(rf"^{'#' * level} ", text, flags=re.MULTILINE)
    return [(head.strip(), body) for head, _, body in (part.partition("\n") for part in parts)]


def faults(page: str, version: str, today: date) -> Iterator[str]:
    """Yield what is wrong with a changelog of a project that has this version on this day."""
    if not page.startswith("# Changelog\n"):
        yield "the title is not '# Changelog'"
    releases = sections(page, 2)
    if not releases or not (releases[0][0] == "Unreleased" or releases[0][0].startswith(f"{version} - ")):
        yield f"the first section is neither Unreleased nor {version}"
    yield from _order_faults([head for head, _ in releases if head != "Unreleased"], today)
    for head, body in releases:
        yield from (f"{head}: {fault}" for fault in _kind_faults(body))
    if [head for head, _ in releases[1:]].count("Unreleased"):
        yield "Unreleased is not the first section"


def _order_faults(heads: list[str], today: date) -> Iterator[str]:
    found: list[tuple[Version, date]] = []
    for head in heads:
        try:
            parts = _RELEASE.fullmatch(head)
            assert parts, "not of the form '1.2.3 - 2026-01-31'"
            found.append((Version(parts["version"]), date.fromisoformat(parts["date"])))
        except (AssertionError, InvalidVersion, ValueError) as error:
            yield f"{head}: {error}"
    for (newer, later), (older, earlier) in pairwise(found):
        if newer <= older or later < earlier:
            yield f"{newer} stands above {older}"
    yield from (f"{released} is of {day}, which is to come" for released, day in found if day > today)


def _kind_faults(body: str) -> Iterator[str]:
    kinds = sections(body, 3)
    names = [name for name, _ in kinds]
    yield from (f"{name!r} is none of {', '.join(KINDS)}" for name in names if name not in KINDS)
    yield from (f"{name} is there twice" for name in set(names) if names.count(name) > 1)
    yield from (f"{name} is empty" for name, entries in kinds if not re.search(r"^- \S", entries, re.MULTILINE))
    if not kinds:
        yield "nothing is said"


def test_the_changelog_has_no_fault() -> None:
    assert list(faults(PAGE, flyte_wandb.__version__, date.today())) == []


def test_every_entry_is_an_item_or_goes_on_with_one() -> None:
    lines = [line for _, body in sections(PAGE, 3) for line in body.splitlines()]
    assert [line for line in lines if not re.match(r"- \S|  \S|#+ |$", line)] == []


GOOD: Final = "# Changelog\n\n## 1.1.0 - 2026-03-01\n\n### Added\n\n- b\n\n## 1.0.0 - 2026-02-01\n\n### Fixed\n\n- a\n"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("# Changelog", "# History", "the title is not '# Changelog'"),
        ("## 1.1.0 - 2026-03-01", "## 1.0.1 - 2026-03-01", "the first section is neither Unreleased nor 1.1.0"),
        ("1.0.0 - 2026-02-01", "1.2.0 - 2026-02-01", "1.1.0 stands above 1.2.0"),
        ("1.0.0 - 2026-02-01", "1.0.0 - 2026-03-02", "1.1.0 stands above 1.0.0"),
        ("2026-02-01", "2026-02-30", "1.0.0 - 2026-02-30: day is out of range for month"),
        ("1.0.0 - 2026-02-01", "1.0.0", "1.0.0: not of the form '1.2.3 - 2026-01-31'"),
        ("1.0.0 - 2026-02-01", "Unreleased", "Unreleased is not the first section"),
        ("2026-03-01", "2026-03-11", "1.1.0 is of 2026-03-11, which is to come"),
        ("### Fixed", "### Mended", "1.0.0 - 2026-02-01: 'Mended' is none of"),
        ("### Fixed", "### Fixed\n\n- x\n\n### Fixed", "1.0.0 - 2026-02-01: Fixed is there twice"),
        ("- a\n", "", "1.0.0 - 2026-02-01: Fixed is empty"),
        ("### Fixed\n\n- a\n", "", "1.0.0 - 2026-02-01: nothing is said"),
    ],
)
def test_a_fault_is_found(old: str, new: str, fault: str) -> None:
    assert list(faults(GOOD, "1.1.0", date(2026, 3, 10))) == []
    (found,) = faults(GOOD.replace(old, new, 1), "1.1.0", date(2026, 3, 10))
    assert found.startswith(fault)
