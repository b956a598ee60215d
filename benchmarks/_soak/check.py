"""What happened against what is left of every run, on the server or in the logs on the disk: what differs, in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from flyte_wandb.testing import RunRecord
from tests.offline import read

from .ledger import Ledger, Visit
from .nodes import Node

_TAG: Final = "tree-"
_OUTCOMES: Final = {"recovers": "returns", "cancelled early": "cancelled"}
_VISITS: Final = {"recovers": (2,), "cancelled early": (0, 1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One run."""

    mode: str  # "online" or "offline"
    rows: list[str] = field(default_factory=list)  # all that was logged
    exits: list[int | None] = field(default_factory=list)  # codes: the last one on the server, one of each offline log
    projects: set[str] = field(default_factory=set)  # where it is
    trees: set[int] = field(default_factory=set)  # whose it is, as config and tags say
    restarted: int = 0  # how often it was overwritten

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


class Check:
    """Compares a ledger with the runs on the server and those on the disk; W&B's client keeps its files in a folder."""

    def __init__(self, ledger: Ledger, online: Mapping[str, Kept], offline: Mapping[str, Kept], folder: Path) -> None:
        self.ledger, self.kept = ledger, {**offline, **online}
        self._online, self._offline, self._folder = online, offline, folder
        self._trees = {node.number: tree for tree in ledger.trees for node in tree.root.family()}
        self._above = {child.number: node for node in ledger.nodes.values() for child in node.children}

    @property
    def faults(self) -> dict[str, list[str]]:
        """What is not as it is to be, by the names of the rows."""
        return {
            "runs lost, or not opened by a task": sorted(self._lost_runs()),
            "tasks with another run than theirs, runs in another place": sorted(self._wrong_runs()),
            "runs with rows of others, or overwritten": sorted(self._wrong_rows()),
            "runs that lost rows while W&B's service lived": sorted(self._lost_rows()),
            "runs with another exit code than their task": sorted(self._wrong_ends()),
            "tasks with another outcome in Flyte than their own": sorted(self._wrong_outcomes()),
            "runs with a start or end that the observer missed": sorted(self._wrong_observers()),
        }

    @cached_property
    def openings(self) -> dict[str, list[tuple[Node, int]]]:
        """Which tasks opened each run, in order, and in which of their attempts, from 1."""
        attempts: Counter[int] = Counter()
        found: dict[str, list[tuple[Node, int]]] = defaultdict(list)
        for notice in self.ledger.started:
            if notice.owner:
                attempts[notice.node] += 1
                found[notice.run_id].append((self.ledger.nodes[notice.node], attempts[notice.node]))
        return dict(found)

    @cached_property
    def logged(self) -> dict[str, dict[str, float]]:
        """What was logged to each run, and when."""
        found: dict[str, dict[str, float]] = defaultdict(dict)
        for visit in self.ledger.visits:
            if visit.run_id:
                found[visit.run_id] |= visit.rows
        return dict(found)

    @cached_property
    def bereaved(self) -> set[str]:
        """The runs that were open when W&B's service was killed."""
        lives = [(call.node.number, call.began, call.ended) for call in self.ledger.calls]
        hit = {number for number, began, ended in lives if any(began <= kill <= ended for kill in self.ledger.kills)}
        return {run_id for run_id in self.openings if self._owners(run_id) & hit}

    def lost_with_service(self) -> list[float]:
        """Return how long before W&B's service was killed each row was logged that is neither on the server nor on the
        disk; less than 0 for one that was logged afterwards."""
        return [
            min(self.ledger.kills, key=lambda kill: abs(kill - self.logged[run_id][row])) - self.logged[run_id][row]
            for run_id in self.bereaved & self.logged.keys()
            for row in self._missing(run_id).keys() - set(read_beside(self._folder, run_id))
        ]

    def _owners(self, run_id: str | None) -> set[int]:
        return {node.number for node, _ in self.openings.get(run_id or "", [])}

    def _missing(self, run_id: str) -> Counter[str]:
        return Counter([*self.logged[run_id]]) - Counter(self.kept[run_id].rows if run_id in self.kept else [])

    def _lost_runs(self) -> Iterator[str]:
        for run_id in self.openings.keys() - self.kept.keys():
            yield f"the run {run_id} is nowhere"
        for run_id in self.kept.keys() - self.openings.keys():
            yield f"nobody opened the run {run_id}, which is {self.kept[run_id].mode}"
        for run_id in self._online.keys() & self._offline.keys():
            yield f"the run {run_id} is both on the server and on the disk"
        for run_id in self.openings.keys() & self._offline.keys() - self.bereaved:
            openings, logs = len(self.openings[run_id]), len(self._offline[run_id].exits)
            if openings != logs:
                yield f"the run {run_id} was opened {openings} x, and has {logs} logs"

    def _wrong_runs(self) -> Iterator[str]:
        for visit in self.ledger.visits:
            if fault := self._wrong_run(visit):
                yield f"node {visit.node.number} has the run {visit.run_id}: {fault}"
        for run_id in self.openings:
            yield from self._wrong_place(run_id)

    def _wrong_run(self, visit: Visit) -> str | None:
        node = visit.node
        if self._trees[node.number].mode == "none":
            return "there should be none" if visit.run_id else None
        owner, owners = self._owner(node), self._owners(visit.run_id)
        if owner.number not in owners:
            return f"it is not that of node {owner.number}"
        if owner.run_id:
            return None if visit.run_id == owner.run_id else f"the user chose {owner.run_id}"
        return None if owners == {owner.number} else f"nodes {sorted(owners)} opened it"

    def _owner(self, node: Node) -> Node:
        above = self._above.get(node.number)
        if above is None or node.settings["run_mode"] == "new":
            return node
        owner = self._owner(above)
        return owner if owner.settings["joinable"] else node

    def _wrong_place(self, run_id: str) -> Iterator[str]:
        kept = self.kept.get(run_id)
        trees = {tree.number: tree for tree in (self._trees[number] for number in self._owners(run_id))}
        if kept is None or (run_id in self.bereaved and not kept.trees):  # its log was not yet written
            return
        if kept.projects - {""} != {tree.settings["project"] for tree in trees.values()}:
            yield f"the run {run_id} is in {kept.projects}"
        if {tree.mode for tree in trees.values()} != {kept.mode}:
            yield f"the run {run_id} is {kept.mode}"
        if not kept.trees or not kept.trees <= trees.keys():
            yield f"the run {run_id} says that it is of the trees {kept.trees}, not of {set(trees)}"

    def _wrong_rows(self) -> Iterator[str]:
        for run_id, kept in self.kept.items():
            if more := Counter(kept.rows) - Counter([*self.logged.get(run_id, {})]):
                yield f"the run {run_id} has {sorted(more)} that nobody logged to it, or so often"
            if kept.restarted:
                yield f"the run {run_id} was overwritten {kept.restarted} x"

    def _lost_rows(self) -> Iterator[str]:
        for run_id in self.logged.keys() - self.bereaved:
            if missing := self._missing(run_id):
                yield f"the run {run_id} has lost {sorted(missing)}"

    def _wrong_ends(self) -> Iterator[str]:
        """A run of a killed service may have no end."""
        for run_id, openings in self.openings.items():
            exits = self.kept[run_id].exits if run_id in self.kept else []
            endings = [_exit_code(*opening) for opening in openings]
            due = endings if run_id in self._offline else endings[-1:]
            excused = [None, *endings] if run_id in self.bereaved else []
            if Counter(exits) != Counter(due) and not (excused and all(code in excused for code in exits)):
                yield f"the run {run_id} has the exit codes {exits}, not {due}"

    def _wrong_outcomes(self) -> Iterator[str]:
        for call in self.ledger.calls:
            due = "refused" if self._refused(call.node) else _OUTCOMES.get(call.node.fate, call.node.fate)
            if call.outcome != due:
                yield f"node {call.node.number} ended with {call.outcome!r}, not {due!r}"
        calls, visits = (Counter(one.node.number for one in ones) for ones in (self.ledger.calls, self.ledger.visits))
        for number, node in self.ledger.nodes.items():
            due_visits = (0,) if self._refused(node) else _VISITS.get(node.fate, (1,))
            if calls[number] != 1 or visits[number] not in due_visits:
                yield f"node {number} ({node.fate}) was called {calls[number]} x and reached {visits[number]} x"

    def _refused(self, node: Node) -> bool:
        tree = self._trees[node.number]
        return tree.weather.refused and tree.settings["on_error"] == "raise"

    def _wrong_observers(self) -> Iterator[str]:
        started, finished = Counter(self.ledger.started), Counter(self.ledger.finished)
        for notice in (started - finished) | (finished - started):
            yield f"observers heard of {notice} {started[notice]} x at its start, {finished[notice]} x at its end"


def _exit_code(node: Node, attempt: int) -> int:
    return int(node.fate not in ("returns", "recovers") or (node.fate == "recovers" and attempt == 1))
