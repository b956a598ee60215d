"""What a test does to requests: answers that are errors, connections that end, slowness; and a count of all requests.

A request has several names, such as ``RunFiles``, ``graphql`` and ``*``. Each name means all requests that have it. A
test can set a fault for each name, and each name has a count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

EVERY = "*"
"""The name that all requests have."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """How requests are answered instead of properly. Its fields are the arguments of `WandbServer.fault`."""

    where: str
    status: int | None
    retry_after: float | None
    body: str | None
    drop: bool
    times: int | None


@dataclass(slots=True)
class Faults:
    """All faults of a server, and its delays in seconds by name. Not thread-safe; the store's lock guards it."""

    asked: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    delays: dict[str, float] = field(default_factory=dict)

    def heal(self) -> None:
        """Take back all faults and delays."""
        self.faults.clear()
        self.delays.clear()

    def delay(self, names: Collection[str]) -> float:
        """Return how many seconds a request with these names is delayed."""
        return max((seconds for where, seconds in self.delays.items() if where in names), default=0.0)

    def take(self, names: Collection[str]) -> Fault | None:
        """Return the oldest fault that hits a request with these names, or None."""
        for fault in self.faults:
            if fault.where in names and fault.times != 0:
                fault.times = None if fault.times is None else fault.times - 1
                return fault
        return None
