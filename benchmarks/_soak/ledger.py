"""What happened, as the tasks themselves and an observer tell it: written in this process, read at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flyte_wandb import Plan, Request, hookimpl

from .nodes import Node, Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One attempt of a task whose function was reached."""

    node: Node
    attempt: int  # from 1
    run_id: str | None  # as it was told
    rows: dict[str, float] = field(default_factory=dict)  # what it logs, and when (seconds of the monotonic clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a task as its caller sees it: when it began and ended (seconds of the monotonic clock), and how."""

    node: Node
    began: float
    ended: float
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What an observer was told of a run."""

    node: int
    run_id: str
    owner: bool


class Ledger:
    """Everything that happened, and when W&B's service was killed. Appending is all that threads do to it."""

    def __init__(self) -> None:
        self.trees: list[Tree] = []
        self.nodes: dict[int, Node] = {}
        self.visits: list[Visit] = []
        self.calls: list[Call] = []
        self.started: list[Notice] = []
        self.finished: list[Notice] = []
        self.kills: list[float] = []

    def expect(self, trees: list[Tree]) -> None:
        """Note what will be run."""
        self.trees = trees
        self.nodes = {node.number: node for tree in trees for node in tree.root.family()}

    def visit(self, number: int, run: Any) -> Visit:
        """Note that the function of a task is reached, with its run or None."""
        attempt = 1 + sum(visit.node.number == number for visit in self.visits)
        visit = Visit(node=self.nodes[number], attempt=attempt, run_id=run.id if run else None)
        self.visits.append(visit)
        return visit


LEDGER = Ledger()
"""The ledger of this process."""


class Observer:
    """Tells the ledger of runs, and fails at every third."""

    @hookimpl
    def run_started(self, request: Request, plan: Plan, run: Any) -> None:
        _note(LEDGER.started, request, plan, run)

    @hookimpl
    def run_finished(self, request: Request, plan: Plan, run: Any) -> None:
        _note(LEDGER.finished, request, plan, run)


def _note(notices: list[Notice], request: Request, plan: Plan, run: Any) -> None:
    assert request.settings.config is not None
    notices.append(Notice(node=request.settings.config["node"], run_id=run.id, owner=plan.role.owns))
    if len(notices) % 3 == 0:
        raise RuntimeError("an observer that fails")


class Tags:
    """A plugin for one tree: it marks the runs, or fails."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    @hookimpl
    def contribute_run_settings(self) -> dict[str, Any]:
        if self._tree.weather.plugin == "raises":
            raise RuntimeError("a contributor that fails")
        return {"tags": [f"tree-{self._tree.number}"]}
