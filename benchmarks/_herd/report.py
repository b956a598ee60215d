"""The cases of a herd as rows of a table, and what is missed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

from .._samples import rounded
from .drive import Outcome

COLUMNS: Final = (
    "what",
    "by",
    "opened",
    "failed",
    "openings refused",
    "requests with rows refused",
    "last open after",
    "the limit takes",
    "requests a second: project",
    "of a run",
    "rows lost",
    "the double",
)
MOST_REFUSED: Final = 0.01
MOST_LATE: Final = 1.2


def write_cells(outcome: Outcome) -> list[str]:
    """Return the cells of a row."""
    refused = dict(outcome.refused)
    openings = refused.pop("run_creations", 0)
    return [
        f"{outcome.case.what}, {outcome.case.ranks:,} ranks",
        "`wandb.init`" if outcome.case.by_hand else "flyte-wandb",
        f"{outcome.opened:,} of {outcome.openers:,}",
        f"{len(outcome.failed):,}",
        _write_share(openings, outcome.requests),
        _write_share(sum(refused.values()), outcome.requests),
        "-" if math.isnan(outcome.last) else f"{rounded(outcome.last)} s",
        f"{rounded(outcome.limit)} s" if outcome.limit else "-",
        _write_rates(outcome.project),
        _write_rates(outcome.run),
        f"{outcome.logged - outcome.kept:,} of {outcome.logged:,}",
        f"{rounded(outcome.memory)} MiB",
    ]


def _write_share(refused: int, requests: int) -> str:
    return f"{refused:,} of {requests:,} ({refused / requests:.1%})" if refused else "0"


def _write_rates(rates: tuple[float, float]) -> str:
    return f"{rounded(rates[0])} (most {rounded(rates[1])})"


def find_missed(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Say what our own cases miss: all open, none fails, few requests are refused, no row is lost."""
    for outcome in outcomes:
        if outcome.case.by_hand:
            continue
        refused = sum(outcome.refused.values()) / outcome.requests
        missed = {
            f"{outcome.opened} of {outcome.openers} opened": outcome.opened != outcome.openers,
            f"failed: {', '.join(outcome.failed[:3])}": bool(outcome.failed),
            f"{refused:.1%} of the requests refused": refused > MOST_REFUSED,
            f"last open after {outcome.last:.1f} s": bool(outcome.limit) and outcome.last > MOST_LATE * outcome.limit,
            f"{outcome.logged - outcome.kept} rows lost": outcome.logged != outcome.kept,
        }
        yield from (f"{outcome.case.what}: {what}" for what, is_missed in missed.items() if is_missed)
