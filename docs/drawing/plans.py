"""A picture of a plan: which rank of which node opens or joins which run."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean
from typing import Final

from flyte_wandb import Plan, Preview, Role

from .shapes import COLOURS, box, curve, labelled, text

WIDTH: Final = 276
"""The width of one plan."""

LEGEND_WIDTH: Final = 510
NARROW_LEGEND_WIDTH: Final = 282
_HEAD, _TILE, _GAP, _NODE_GAP = 46, 26, 8, 14
_RANK_WIDTH: Final = 58
_NODE_WIDTH: Final = _RANK_WIDTH + 16
_RUNS_AT: Final = 110
_ROLES: Final = {
    Role.SOLO: "opens",
    Role.PRIMARY: "opens",
    Role.SECONDARY: "joins",
    Role.MONITOR: "measures its node for",
}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One plan in a picture.

    Attributes:
        title: What stands above it.
        found: The plan.
    """

    title: str
    found: Preview

    @property
    def per_node(self) -> int:
        """Ranks on each node."""
        return self.found.request.topology.local_world_size

    @property
    def height(self) -> float:
        """The height of the whole."""
        return _HEAD + self._node_top(self.found.request.topology.num_workers) - _NODE_GAP

    def described(self) -> str:
        """Return in words what the panel shows."""
        ranks = "; ".join(_described(rank, one) for rank, one in enumerate(self.found.plans))
        return f"{self.title}, {self.counted()}: {ranks}."

    def counted(self) -> str:
        """Return how many runs there are, in how many groups."""
        runs, groups = len(self.found.runs), len(self.found.groups)
        grouped = f" in {groups} group{'s' * (groups > 1)}" if groups else ""
        return f"{runs} run{'s' * (runs > 1)}{grouped}"

    def shapes(self, x: float, y: float) -> list[str]:
        """Return the panel with its left upper corner at a point."""
        head = [text(x, y + 14, self.title, "mono title"), text(x, y + 32, self.counted(), "muted")]
        return head + self._nodes(x, y + _HEAD) + self._runs(x, y + _HEAD)

    def _nodes(self, x: float, y: float) -> list[str]:
        made: list[str] = []
        for node in range(self.found.request.topology.num_workers):
            top = y + self._node_top(node)
            made += [
                box(x, top, _NODE_WIDTH, self._node_height, "node"),
                text(x + 8, top + 15, f"node {node}", "muted"),
            ]
        return made + [self._rank(x + 8, y, rank, one) for rank, one in enumerate(self.found.plans)]

    def _rank(self, x: float, y: float, rank: int, one: Plan) -> str:
        kind, words = "off", "muted"
        if one.run_id:
            colour = self._colour(one.run_id)
            kind, words = (f"full {colour}", "on") if one.role.owns else (f"pale joins {colour}", "")
        return labelled(x, y + self._top(rank), _RANK_WIDTH, _TILE, f"rank {rank}", kind, word_kind=words)

    def _runs(self, x: float, y: float) -> list[str]:
        tops = {run: mean(self._top(rank) for rank in self._writers(run)) for run in self.found.runs}
        made = [self._group(x + _RUNS_AT, y, group, tops) for group in self.found.groups]
        for rank, one in enumerate(self.found.plans):
            if one.run_id:
                kind = f"{self._colour(one.run_id)}{'' if one.role.owns else ' joins'}"
                ends = y + self._top(rank) + _TILE / 2, y + tops[one.run_id] + _TILE / 2
                made.append(curve(x + 8 + _RANK_WIDTH, ends[0], x + _RUNS_AT, ends[1], kind))
        width = WIDTH - _RUNS_AT
        pills = [(run, y + top, f"pale {self._colour(run)}") for run, top in tops.items()]
        return made + [
            labelled(x + _RUNS_AT, top, width, _TILE, run, kind, word_kind="mono") for run, top, kind in pills
        ]

    def _group(self, x: float, y: float, group: str, tops: dict[str, float]) -> str:
        inside = [tops[one.run_id] for one in self.found.plans if one.group == group and one.run_id]
        top, height = y + min(inside) - 20, max(inside) - min(inside) + _TILE + 26
        frame = box(x - 6, top, WIDTH - _RUNS_AT + 12, height, "off")
        return frame + text(x, top + 14, f"group {group}", "mono muted")

    def _writers(self, run: str) -> list[int]:
        return [rank for rank, one in enumerate(self.found.plans) if one.run_id == run]

    def _colour(self, run: str) -> str:
        return COLOURS[self.found.runs.index(run) % len(COLOURS)]

    @property
    def _node_height(self) -> float:
        return 20 + self.per_node * (_TILE + _GAP)

    def _node_top(self, node: int) -> float:
        return node * (self._node_height + _NODE_GAP)

    def _top(self, rank: int) -> float:
        node, local_rank = divmod(rank, self.per_node)
        return self._node_top(node) + 22 + local_rank * (_TILE + _GAP)


def legend(x: float, y: float, *, narrow: bool = False) -> list[str]:
    """Return what the looks of a rank and the words of an id mean, on one line, or on two narrow ones."""
    kinds = (("full blue", "opens the run"), ("pale joins blue", "joins it"), ("off", "has no run"))
    places = (x, x + 122, x + 202)
    looks = [
        box(at, y, 14, 14, kind, radius=3) + text(at + 21, y + 11, words, "muted")
        for at, (kind, words) in zip(places, kinds, strict=True)
    ]
    at = (x, y + 33) if narrow else (x + 308, y + 11)
    return [*looks, text(*at, "{base} = {flyte run}-{action}", "mono muted")]


def _described(rank: int, one: Plan) -> str:
    if one.run_id is None:
        return f"rank {rank} has no run"
    return f"rank {rank} {_ROLES[one.role]} {one.run_id}"
