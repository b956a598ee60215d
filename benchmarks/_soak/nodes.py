"""What is run: trees of tracked tasks with the weather they meet, drawn from one seed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

_MOST_CHILDREN: Final = 8
_IDS: Final = 12
_PROJECTS: Final = ("soak-a", "soak-b")
_MODES: Final = ("online", "offline")
RUN_IDS: Final = tuple(f"{mode}-{project}-{n}" for mode in _MODES for project in _PROJECTS for n in range(_IDS))
"""The ids that users choose: one run is in one place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One tracked task."""

    number: int  # among all
    settings: dict[str, Any]  # what `wandb_config` says for it
    run_id: str | None = None  # the id that its decorator says
    sync: bool = False  # whether its function is
    rows: int = 0  # how many it logs, a half of them after its children
    threaded: bool = False  # whether other threads log them
    fate: str = "returns"  # or "raises", "recovers" (at its second attempt), "cancelled", "cancelled early"
    patience: float = 0.0  # seconds until it is cancelled early
    kills: bool = False  # whether it kills W&B's service
    children: tuple[Node, ...] = ()  # the tasks that it calls
    at_once: int = 1  # how many of them at a time

    def family(self) -> Iterator[Node]:
        """Give this node and all below."""
        yield self
        for child in self.children:
            yield from child.family()


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What happens meanwhile."""

    faults: tuple[dict[str, Any], ...] = ()  # arguments of `WandbServer.fault`
    slow: float = 0.0  # seconds that every answer takes longer
    refused: bool = False  # whether W&B opens no run
    plugin: str | None = None  # what one does that is there for this tree only: "tags" or "raises"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A task with those below it."""

    number: int
    root: Node
    settings: dict[str, Any]
    weather: Weather

    @property
    def mode(self) -> str:
        """Where its runs are: "online", "offline", or "none" where W&B refuses them and the tasks go on without."""
        if not self.weather.refused:
            return str(self.settings["mode"])
        return {"raise": "none", "ignore": "none", "offline": "offline"}[self.settings["on_error"]]


def draw_trees(random: Random, tasks: int) -> list[Tree]:
    """Draw trees that have `tasks` tasks together."""
    numbers = itertools.count()
    trees: list[Tree] = []
    left = tasks
    while left:
        tree = _tree(random, len(trees), numbers, left)
        trees.append(tree)
        left -= len(list(tree.root.family()))
    return trees


def _tree(random: Random, number: int, numbers: Iterator[int], left: int) -> Tree:
    weather = _weather(random)
    settings = {
        "project": random.choice(_PROJECTS),
        "mode": "online" if weather.refused or random.random() < 0.6 else "offline",
        "on_error": random.choice(("raise", "offline", "ignore")) if weather.refused else "raise",
    }
    place = f"{settings['mode']}-{settings['project']}"
    # Each id that users have chosen is used again by other trees, which then continue the run.
    ids = random.sample([run_id for run_id in RUN_IDS if run_id.startswith(place)], _IDS)
    draw = _Nodes(random, numbers, left, ids, refused=weather.refused)
    alone = weather.refused and settings["on_error"] == "raise"
    root = draw.node(depth=2 if alone else 0, config={"tree": number}, joins=False)
    return Tree(number=number, root=root, settings=settings, weather=weather)


def _weather(random: Random) -> Weather:
    if random.random() < 0.08:
        return Weather(refused=True)
    where = ("file_stream", "graphql", "UpsertBucket", "upload", "*")
    kinds: tuple[dict[str, Any], ...] = ({"status": 429, "retry_after": 0.1}, {"status": 503}, {"drop": True})
    number = random.choice((0, 1, 2))
    faults = [
        {"where": random.choice(where), "times": random.randint(1, 2), **random.choice(kinds)} for _ in range(number)
    ]
    slow = random.uniform(0.01, 0.1) if random.random() < 0.15 else 0.0
    return Weather(faults=tuple(faults), slow=slow, plugin=random.choice((None, "tags", "raises")))


class _Nodes:
    """Draws the nodes of one tree."""

    def __init__(self, random: Random, numbers: Iterator[int], left: int, ids: list[str], *, refused: bool) -> None:
        self._random, self._numbers, self._left, self._ids, self._refused = random, numbers, left, ids, refused
        self._may_kill = not refused

    def node(self, *, depth: int, config: dict[str, Any], joins: bool) -> Node:
        """Draw a task.

        Args:
            depth: How many tasks are above it.
            config: The configuration of the tree's runs.
            joins: Whether there is a run above it that it can join.
        """
        self._left -= 1
        random, number = self._random, next(self._numbers)
        mode = random.choice(("auto", "new", "shared") if joins and not self._refused else ("auto", "new"))
        settings = {
            "run_mode": mode,
            "config": {**config, "node": number},
            "on_retry": random.choice(("resume", "new")),
            "joinable": random.random() < 0.8,
        }
        node = Node(
            number=number,
            settings=settings,
            sync=random.random() < 0.3,
            rows=random.randint(0, 12),
            threaded=random.random() < 0.25,
            kills=self._kills(),
            at_once=random.randint(1, 5),
        )
        own = not joins or mode == "new"
        children = self._children(node, depth, config, joins=not own or bool(settings["joinable"]))
        if children:
            return replace(node, children=children, fate=self._fate("returns", "raises"))
        return self._leaf(node)

    def _kills(self) -> bool:
        """Draw whether a task kills W&B's service: one of a tree at most, so that none dies while it starts."""
        kills = self._may_kill and self._random.random() < 0.02
        self._may_kill = self._may_kill and not kills
        return kills

    def _children(self, node: Node, depth: int, config: dict[str, Any], *, joins: bool) -> tuple[Node, ...]:
        # Flyte 2.12 keeps a thread and three descriptors for every sync task that calls another, so here none does.
        wanted = self._random.choice((0, 1, 2, 3, _MOST_CHILDREN)) if depth < 2 and not node.sync else 0
        children: list[Node] = []
        while wanted > len(children) and self._left:
            children.append(self.node(depth=depth + 1, config=config, joins=joins))
        return tuple(children)

    def _leaf(self, node: Node) -> Node:
        fates = ("returns", "raises") if node.sync else ("returns", "raises", "cancelled", "cancelled early")
        leaf = replace(node, fate=self._fate(*fates), patience=self._random.uniform(0, 0.1))
        if node.sync or self._refused or not self._ids or self._random.random() < 0.7:
            return replace(leaf, fate="recovers") if self._random.random() < 0.15 else leaf
        return replace(leaf, settings={**leaf.settings, "run_mode": "new"}, run_id=self._ids.pop())

    def _fate(self, usual: str, *others: str) -> str:
        return self._random.choice((usual,) * (3 * len(others)) + others * 2)
