"""The answers of the hooks, and the plan that they add up to."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Ranks that belong together under a rank scope.

    Attributes:
        label: What the part is called in ids, groups and links (``worker-1``); None for the whole world.
        index: This rank's place in the part, 0 to `size` - 1. Index 0 leads.
        size: How many ranks the part really has, at least 1. Parts need not be contiguous.

    Raises:
        ValueError: `index` lies outside the part, or `label` is an empty text.

    >>> Part(label="worker-1", index=0, size=4).leads
    True
    """

    label: str | None = None
    index: int = 0
    size: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.size:
            raise ValueError(f"index {self.index} is outside a part of {self.size} rank(s)")
        if self.label == "":
            raise ValueError("the label of a part is an empty text; None means the whole world")

    @property
    def leads(self) -> bool:
        """Whether this rank is the first of its part."""
        return self.index == 0


class Role(enum.Enum):
    """What a rank does about a run.

    >>> Role.SKIP.opens
    False
    """

    SKIP = "skip"
    """No run."""
    SOLO = "solo"
    """The only writer of its run."""
    PRIMARY = "primary"
    """A writer that others may join."""
    SECONDARY = "secondary"
    """Joins the PRIMARY of its part."""
    JOIN = "join"
    """Joins the run of the parent action."""

    @property
    def opens(self) -> bool:
        """Whether this rank writes to a run at all."""
        return self is not Role.SKIP

    @property
    def owns(self) -> bool:
        """Whether the run is this rank's own: its outcome is the run's outcome."""
        return self in (Role.SOLO, Role.PRIMARY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The answer of `compute_group`. ``Group(name=None)`` says "no group"; a hook's plain None says "not mine".

    >>> Group(name="r1-a0").name
    'r1-a0'
    """

    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One decision of a plan and its author.

    Attributes:
        hook: Name of the hook that was asked.
        value: Its checked answer.
        plugin: The plugin that answered.
        wrapped_by: Plugins that wrapped this hook, and so may have changed the answer.
    """

    hook: str
    value: Any
    plugin: str
    wrapped_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one rank does, and who decided it.

    Attributes:
        part: The part of the world this rank belongs to.
        role: What it does about a run.
        run_id: Id of the run it writes to; None for a rank that skips.
        group: Group of that run, or None.
        steps: The decisions in the order in which they were taken.

    >>> Plan(part=Part(), role=Role.SOLO, run_id="r1-a0", group=None, steps=()).run_id
    'r1-a0'
    """

    part: Part
    role: Role
    run_id: str | None
    group: str | None
    steps: tuple[Step, ...]
