"""What happened against what is kept: everything that differs, in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

from .kept import Kept, read_beside
from .ledger import Ledger, Visit
from .nodes import Node, Tree

_OUTCOMES: Final = {"recovers": "returns", "cancelled early": "cancelled"}


class Check:
    """Compares a ledger with what is kept.

    Args:
        ledger: What happened.
        online: The runs on the server.
        offline: The runs on the disk.
        folder: Where W&B's client keeps its files.
    """

    def __init__(self, ledger: Ledger, online: Mapping[str, Kept], offline: Mapping[str, Kept], folder: Path) -> None:
        self.ledger, self.kept = ledger, {**offline, **online}
        self._online, self._offline, self._folder = online, offline, folder
        self._trees = {node.number: tree for tree in ledger.trees for node in tree.root.family()}
        self._above = {child.number: node for node in ledger.nodes.values() for child in node.children}

    @cached_property
    def endings(self) -> dict[str, list[int]]:
        """With which exit code each opening of a run has to end, by run and in order."""
        attempts: Counter[int] = Counter()
        found: dict[str, list[int]] = defaultdict(list)
        for told in self.ledger.started:
            if told.owner:
                attempts[told.node] += 1
                found[told.run_id].append(_exit_code(self.ledger.nodes[told.node], attempts[told.node]))
        return dict(found)

    @cached_property
    def owners(self) -> dict[str, set[int]]:
        """Which tasks opened each run."""
        found: dict[str, set[int]] = defaultdict(set)
        for told in self.ledger.started:
            if told.owner:
                found[told.run_id].add(told.node)
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
        return {run_id for run_id, owners in self.owners.items() if owners & hit}

    def lost_runs(self) -> Iterator[str]:
        """Say which runs were opened, and are neither on the server nor on the disk, or on both, or not opened."""
        for run_id in self.owners.keys() - self.kept.keys():
            yield f"the run {run_id} is nowhere"
        for run_id in self.kept.keys() - self.owners.keys():
            yield f"nobody opened the run {run_id}, which is {self.kept[run_id].mode}"
        for run_id in self._online.keys() & self._offline.keys():
            yield f"the run {run_id} is both on the server and on the disk"
        for run_id in self.owners.keys() & self._offline.keys() - self.bereaved:
            openings, logs = len(self.endings[run_id]), len(self._offline[run_id].exits)
            if openings != logs:
                yield f"the run {run_id} was opened {openings} x, and has {logs} logs"

    def wrong_runs(self) -> Iterator[str]:
        """Say which tasks had another run than theirs, and which runs are in the wrong place or another tree's."""
        for visit in self.ledger.visits:
            if fault := self._wrong_run(visit):
                yield f"node {visit.node.number} has the run {visit.run_id}: {fault}"
        for run_id, owners in self.owners.items():
            trees = {self._trees[number].number: self._trees[number] for number in owners}
            yield from self._wrong_place(run_id, trees)

    def wrong_rows(self) -> Iterator[str]:
        """Say which rows are in another run than theirs, or twice in it, and which runs were overwritten."""
        for run_id, kept in self.kept.items():
            if more := Counter(kept.rows) - Counter(list(self.logged.get(run_id, {}))):
                yield f"the run {run_id} has {sorted(more)} that nobody logged to it, or so often"
            if kept.restarted:
                yield f"the run {run_id} was overwritten {kept.restarted} x"

    def lost_rows(self) -> Iterator[str]:
        """Say which rows are missing, but for those that a killed service took along."""
        for run_id, rows in self.logged.items():
            missing = self._missing(run_id, rows)
            if missing and run_id not in self.bereaved:
                yield f"the run {run_id} has lost {sorted(missing)}"

    def lost_with_service(self) -> list[float]:
        """Return how long before W&B's service was killed each row was logged that is neither on the server nor on the
        disk; less than 0 for one that was logged afterwards."""
        return [
            min(self.ledger.kills, key=lambda kill: abs(kill - self.logged[run_id][row])) - self.logged[run_id][row]
            for run_id in self.bereaved & self.logged.keys()
            for row in self._missing(run_id, self.logged[run_id]).keys() - set(read_beside(self._folder, run_id))
        ]

    def wrong_ends(self) -> Iterator[str]:
        """Say which runs ended otherwise than their tasks; one of a killed service may have no end."""
        for run_id, endings in self.endings.items():
            exits = self.kept[run_id].exits if run_id in self.kept else []
            due = endings if run_id in self._offline else endings[-1:]
            excused = [None, *endings] if run_id in self.bereaved else []
            if Counter(exits) != Counter(due) and not (excused and all(code in excused for code in exits)):
                yield f"the run {run_id} has the exit codes {exits}, not {due}"

    def wrong_outcomes(self) -> Iterator[str]:
        """Say which tasks ended in Flyte otherwise than their functions, and which were called or reached too often."""
        for call in self.ledger.calls:
            due = self._outcome(call.node)
            if call.outcome != due:
                yield f"node {call.node.number} ended with {call.outcome!r}, not {due!r}"
        calls, visits = (Counter(one.node.number for one in ones) for ones in (self.ledger.calls, self.ledger.visits))
        for number, node in self.ledger.nodes.items():
            if calls[number] != 1 or visits[number] not in self._visits(node):
                yield f"node {number} ({node.fate}) was called {calls[number]} x and reached {visits[number]} x"

    def wrong_observers(self) -> Iterator[str]:
        """Say of which runs observers were told the start or the end only."""
        started, finished = (Counter(told) for told in (self.ledger.started, self.ledger.finished))
        for told in (started - finished) | (finished - started):
            yield f"observers heard of {told} {started[told]} x at its start, {finished[told]} x at its end"

    def _missing(self, run_id: str, rows: Iterable[str]) -> Counter[str]:
        return Counter(list(rows)) - Counter(self.kept[run_id].rows if run_id in self.kept else [])

    def _wrong_run(self, visit: Visit) -> str | None:
        node = visit.node
        if self._trees[node.number].mode == "none":
            return "there should be none" if visit.run_id else None
        owner = self._owner(node)
        owners = self.owners.get(visit.run_id or "", set())
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

    def _wrong_place(self, run_id: str, trees: Mapping[int, Tree]) -> Iterator[str]:
        kept = self.kept.get(run_id)
        if kept is None or (run_id in self.bereaved and not kept.trees):  # its log was not yet written
            return
        if kept.projects - {""} != {tree.settings["project"] for tree in trees.values()}:
            yield f"the run {run_id} is in {kept.projects}"
        if {tree.mode for tree in trees.values()} != {kept.mode}:
            yield f"the run {run_id} is {kept.mode}"
        if not kept.trees or not kept.trees <= trees.keys():
            yield f"the run {run_id} says that it is of the trees {kept.trees}, not of {set(trees)}"

    def _outcome(self, node: Node) -> str:
        if self._refused(node):
            return "refused"
        return _OUTCOMES.get(node.fate, node.fate)

    def _visits(self, node: Node) -> tuple[int, ...]:
        if self._refused(node):
            return (0,)
        return {"recovers": (2,), "cancelled early": (0, 1)}.get(node.fate, (1,))

    def _refused(self, node: Node) -> bool:
        tree = self._trees[node.number]
        return tree.weather.refused and tree.settings["on_error"] == "raise"


def _exit_code(node: Node, attempt: int) -> int:
    return int(node.fate not in ("returns", "recovers") or (node.fate == "recovers" and attempt == 1))
