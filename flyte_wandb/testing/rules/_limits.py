"""How many requests W&B's servers take, as they document it, and the counting of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_WHOLE: Final = 1000
"""What the header RateLimit-Remaining says of an allowance that nobody has used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a server: W&B's documented defaults for dedicated and self-managed ones. None removes a limit.

    Attributes:
        run_creations: Requests that open a run, a second and project.
        file_streams: Requests of the file stream, a second and project.
        file_streams_of_run: Requests of the file stream, a second and run.
        stream_bytes: Bytes of the file stream, a second and project.
        writers: Writers of one run at once; W&B has tested 300, and what happens beyond is judged.
        body_bytes: Bytes of one request of the file stream; W&B's client sends at most 10 MiB.

    Example::

        with WandbServer(limits=Limits(run_creations=2)) as server:
            start_many_ranks(server.environ)
            assert server.refused["run_creations"] > 0
    """

    run_creations: float | None = 80
    file_streams: float | None = 500
    file_streams_of_run: float | None = 2
    stream_bytes: float | None = 120e6
    writers: int | None = 300
    body_bytes: int | None = 2**24


NO_LIMITS: Final = Limits(
    run_creations=None, file_streams=None, file_streams_of_run=None, stream_bytes=None, writers=None, body_bytes=None
)


class RefusedError(Exception):
    """The server refuses a request. The client gets the message.

    Attributes:
        status: HTTP status of the answer. The client gives up at once on 403, with a CommError as W&B's own refusals
            bring; on 429 and 5xx, and on a closed connection, it tries again, often for minutes.
        headers: Headers of the answer.
    """

    def __init__(self, message: str, status: int = 403, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


@dataclass(slots=True)
class Meters:
    """What is left of each allowance: it fills up within a second. Not thread-safe; the store's lock guards it."""

    limits: Limits
    refused: Counter[str] = field(default_factory=Counter)
    _left: dict[tuple[str, ...], tuple[float, float]] = field(default_factory=dict)

    def spend(self, kind: str, scope: tuple[str, ...], now: float, amount: float = 1) -> None:
        """Spend some of what a scope may ask for within a second; of a large amount, all that a second gives suffices.

        Raises:
            RefusedError: Too little is left.
        """
        rate: float | None = getattr(self.limits, kind)
        if rate is None:
            return
        most = max(rate, 1)
        place = (kind, *scope)
        left, before = self._left.get(place, (most, now))
        left = min(most, left + (now - before) * rate)
        enough = left >= min(amount, most)
        self._left[place] = (left - amount if enough else left), now
        if not enough:
            wait = (min(amount, most) - left) / rate
            headers = {"RateLimit-Remaining": f"{max(0, int(_WHOLE * left / most))}", "RateLimit-Reset": f"{wait:.3f}"}
            self.refuse(kind, f"rate limit exceeded: {rate:g} {kind} a second for {'/'.join(scope)}", 429, headers)

    def hold(self, kind: str, count: int) -> None:
        """Check what is there at once, or how large something is.

        Raises:
            RefusedError: It is more than the limit.
        """
        most: int | None = getattr(self.limits, kind)
        if most is not None and count > most:
            self.refuse(kind, f"limit exceeded: {count} {kind}, at most {most}", 413 if kind == "body_bytes" else 429)

    def refuse(self, kind: str, message: str, status: int, headers: Mapping[str, str] | None = None) -> None:
        """Count a refusal, and refuse."""
        self.refused[kind] += 1
        raise RefusedError(message, status, headers)
