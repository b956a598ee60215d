"""What is left of every run: on the server, or in the offline logs on the disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flyte_wandb.testing import RunRecord
from tests.offline import read

_TAG: Final = "tree-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One run.

    Attributes:
        mode: "online" or "offline".
        rows: All that was logged.
        exits: Exit codes in any order: the last one of a run on the server, one of each offline log.
        projects: Where it is.
        trees: Whose it is, as config and tags say.
        restarted: How often it was overwritten.
    """

    mode: str
    rows: list[str]
    exits: list[int | None]
    projects: set[str]
    trees: set[int]
    restarted: int = 0


def online(records: Iterable[RunRecord]) -> dict[str, Kept]:
    """Return the runs of the server, by id."""
    return {record.id: _of_record(record) for record in records}


def offline(folder: Path) -> dict[str, Kept]:
    """Return the runs of all offline logs below a folder, by id."""
    found: dict[str, Kept] = {}
    for path in folder.glob("**/offline-run-*/run-*.wandb"):
        kept, log = found.setdefault(_run_id(path), _nothing()), read(path)
        kept.rows.extend(log.logged("row"))
        kept.exits.append(log.exit_code)
        kept.projects.add(log.project)
        kept.trees.update(_trees(log.config, log.tags))
    return found


def beside(folder: Path, run_id: str) -> list[str]:
    """Return the rows of a run in the logs that W&B's client keeps of online runs."""
    return [row for path in folder.glob(f"**/run-*-{run_id}/run-{run_id}.wandb") for row in read(path).logged("row")]


def _of_record(record: RunRecord) -> Kept:
    return Kept(
        mode="online",
        rows=record.logged("row"),
        exits=[record.exit_code],
        projects={record.project},
        trees=set(_trees(record.config, record.tags)),
        restarted=record.restarted,
    )


def _nothing() -> Kept:
    return Kept(mode="offline", rows=[], exits=[], projects=set(), trees=set())


def _run_id(path: Path) -> str:
    return path.stem.removeprefix("run-")


def _trees(config: dict[str, Any], tags: Iterable[str]) -> Iterator[int]:
    if "tree" in config:
        yield config["tree"]
    for tag in tags:
        if tag.startswith(_TAG):
            yield int(tag.removeprefix(_TAG))
