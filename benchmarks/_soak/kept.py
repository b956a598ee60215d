"""What is left of every run: on the server, or in the offline logs on the disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
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
    rows: list[str] = field(default_factory=list)
    exits: list[int | None] = field(default_factory=list)
    projects: set[str] = field(default_factory=set)
    trees: set[int] = field(default_factory=set)
    restarted: int = 0

    def add(self, record: Any) -> None:
        """Add what a record of the server or one offline log says."""
        self.rows.extend(record.logged("row"))
        self.exits.append(record.exit_code)
        self.projects.add(record.project)
        self.trees.update({record.config["tree"]} if "tree" in record.config else ())
        self.trees.update(int(tag.removeprefix(_TAG)) for tag in record.tags if tag.startswith(_TAG))


def read_online(records: Iterable[RunRecord]) -> dict[str, Kept]:
    """Return the runs of the server, by id."""
    found = {}
    for record in records:
        found[record.id] = Kept(mode="online", restarted=record.restarted)
        found[record.id].add(record)
    return found


def read_offline(folder: Path) -> dict[str, Kept]:
    """Return the runs of all offline logs below a folder, by id."""
    found: dict[str, Kept] = {}
    for path in folder.glob("**/offline-run-*/run-*.wandb"):
        found.setdefault(path.stem.removeprefix("run-"), Kept(mode="offline")).add(read(path))
    return found


def read_beside(folder: Path, run_id: str) -> list[str]:
    """Return the rows of a run in the logs that W&B's client keeps of online runs."""
    return [row for path in folder.glob(f"**/run-*-{run_id}/run-{run_id}.wandb") for row in read(path).logged("row")]
