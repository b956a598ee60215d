"""Many ranks at once: when each opens its run, and how often each writer of one run sends, within W&B's limits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from flyte_wandb_hookspecs import Part, Plan, Request, Role, Settings

from .._logging import count_noun
from ..plugins._manager import StrategyManager
from ._plan import find_part_and_role, plan
from ._world import is_even, world_requests

INTERVAL_FIELD: Final = "x_file_stream_transmit_interval"
"""The field of `wandb.Settings` that says how many seconds lie between two requests of a writer. Whole ones count."""

REQUESTS_OF_RUN: Final = 2
"""Requests with rows that W&B takes of one run, a second; its documented default."""

TESTED_WRITERS: Final = 300
"""Writers of one run that W&B has tested."""

_SHARE: Final = 0.9
"""The share of the limit that turns use. The rest is for ranks that were refused and ask again: without it, 4 of 1,024
ranks met no free moment in W&B's 90 s (`make herd`)."""

_USUAL_INTERVAL: Final = 15
_LONGEST_INTERVAL: Final = 29
"""A writer that has been silent for 30 s says that it is alive, which is a request, too. Nothing sets these seconds
(wandb 0.31, `core/internal/filestream`), so a longer interval saves no request."""

_WITHOUT_SERVER: Final = ("offline", "disabled")
"""Modes of W&B's client in which nobody is asked, so that no limit of a server holds."""

MOST_WRITERS: Final = REQUESTS_OF_RUN * _LONGEST_INTERVAL - 1
"""Writers of one run that together stay below what W&B takes."""


def turn_delay(turn: int, rate: float) -> float:
    """Return how many seconds a rank waits before it opens its run: none where those before it fit into one second.

    Args:
        turn: How many ranks open or join a run before this one.
        rate: Runs to open a second; 0 for no limit.

    >>> turn_delay(79, 80), turn_delay(90, 80), turn_delay(1023, 0)
    (0.0, 1.25, 0.0)
    """
    return turn / (_SHARE * rate) if rate and turn and turn + 1 > rate else 0.0


def find_turn_delay(request: Request, strategies: StrategyManager | None = None) -> float:
    """Return how many seconds the rank of `request` waits before it opens its run.

    The leaders of all parts come first, then the second ranks of all parts, and so on: a run is there when others join
    it, and those do so, and send their rows, one after the other rather than all at once.

    Each rank finds its turn alone, out of the plans of the ranks before it. If nodes differ, it cannot know them, and
    its turn is its rank.
    """
    topology, rate = request.topology, request.settings.run_creations_per_second
    if not turn_delay(topology.world_size - 1, rate):  # most worlds: nobody waits, whoever opens a run
        return 0.0
    if not is_even(topology):
        return turn_delay(topology.rank, rate)
    part, _ = find_part_and_role(request, strategies)
    # Before a leader there are only leaders of a lower rank, so that the first rank of a large world asks nobody.
    others = islice(world_requests(request), topology.rank if part.leads else None)
    return turn_delay(sum(_opens_before(other, request, part.index, strategies) for other in others), rate)


def _opens_before(other: Request, request: Request, index: int, strategies: StrategyManager | None) -> bool:
    """Whether another rank opens or joins a run before the rank of `request`, which is at `index` of its part."""
    part, role = find_part_and_role(other, strategies)
    return role is not Role.SKIP and (part.index, other.topology.rank) < (index, request.topology.rank)


def count_writers(request: Request, planned: Plan, strategies: StrategyManager | None = None) -> int:
    """Return how many ranks write to the run of this one, as far as parts say: 1, or all of them."""
    if planned.role is not Role.PRIMARY:
        return most_writers([planned])
    if find_interval(planned.part.size) is None:
        return 1
    if not is_even(request.topology):  # who joins is unknown here; under `auto` it may be nobody
        return _count_nodes(planned.part) if planned.part.node_ranks else planned.part.size
    others = (plan(other, strategies) for other in world_requests(request))
    return most_writers(other for other in others if other.run_id == planned.run_id)


def most_writers(plans: Iterable[Plan]) -> int:
    """Return how many ranks write to the run with most writers, as far as the parts of those that join say, or 1."""
    return max(map(_count_fellow_writers, plans), default=1)


def _count_fellow_writers(planned: Plan) -> int:
    """Return how many ranks write to the run of a rank that joins one: its whole part, or one rank of each node."""
    if planned.role is Role.SECONDARY:
        return planned.part.size
    return _count_nodes(planned.part) if planned.role is Role.MONITOR else 1


def _count_nodes(part: Part) -> int:
    """Return on how many nodes a part is that knows its ranks here, and has as many on all of its nodes."""
    return math.ceil(part.size / len(part.node_ranks))


def find_interval(writers: int) -> int | None:
    """Return how many seconds lie between two requests of each of these writers, or None for as many as usual.

    >>> find_interval(29), find_interval(30), find_interval(57), find_interval(256)
    (None, 16, 29, 29)
    """
    fitting = writers // REQUESTS_OF_RUN + 1
    return None if fitting <= _USUAL_INTERVAL else min(fitting, _LONGEST_INTERVAL)


def budget_notes(request: Request, plans: Sequence[Plan]) -> Iterator[str]:
    """Yield what W&B's limits mean for a world, for people: how late rows appear, and when its last run opens.

    Args:
        request: The request of a rank of the world.
        plans: The plans of all its ranks.
    """
    if request.settings.mode in _WITHOUT_SERVER:
        return
    openers = sum(rank_plan.role is not Role.SKIP for rank_plan in plans)
    rate = request.settings.run_creations_per_second
    if note := describe_writers(request, most_writers(plans)):
        yield note
    if delay := turn_delay(openers - 1, rate):
        yield (
            f"the last of {openers:,} ranks that open or join a run does so after {delay:.0f} s, in turns of {rate:g} "
            "a second (run_creations_per_second)"
        )


def describe_writers(request: Request, writers: int) -> str | None:
    """Return what it means that this many ranks write to one run, or None where it means nothing."""
    interval = find_interval(writers)
    if interval is None or request.settings.mode in _WITHOUT_SERVER:
        return None
    if writers > MOST_WRITERS:
        return _describe_crowd(request, writers)
    if sets_interval(request.settings):
        return None
    return (
        f"{writers} ranks write to one run, each every {interval} s rather than every {_USUAL_INTERVAL} s, to stay "
        f"below the {REQUESTS_OF_RUN} requests a second that W&B takes of a run: rows appear up to {interval} s late "
        f"({INTERVAL_FIELD} in settings= sets it)"
    )


def _describe_crowd(request: Request, writers: int) -> str:
    rate = writers / _LONGEST_INTERVAL
    tested = f", and has tested {TESTED_WRITERS} writers" if writers > TESTED_WRITERS else ""
    return (
        f"{count_noun(writers, 'rank')} write to one run and send at least {rate:.1f} requests a second, of which W&B "
        f"takes {REQUESTS_OF_RUN}{tested}: it makes them wait, and rows appear late; {_suggest_scope(request)}"
    )


def _suggest_scope(request: Request) -> str:
    """Name the rank scope with few enough writers for each run, or else the run mode."""
    by_node = replace(request, settings=replace(request.settings, rank_scope="worker"))
    writers = most_writers(map(plan, islice(world_requests(by_node), request.topology.local_world_size)))
    if writers <= MOST_WRITERS:
        return f"rank_scope='worker' has {count_noun(writers, 'writer')} for each run"
    return f"name a rank scope with at most {MOST_WRITERS} ranks in each part, or run_mode='auto' for one writer"


def sets_interval(settings: Settings) -> bool:
    """Whether the user says in `settings=` how often writers send."""
    return INTERVAL_FIELD in settings.init.get("settings", {})
