"""The run in a tab: its outcome, where it can be seen, and what it has logged."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..._logging import one_line
from ...runs._current import Ended, Tracked
from ._history import MOST_NAMES, MOST_PLOTS, History
from ._html import Html, joined, short, tag
from ._numbers import number
from ._plot import plot, unplotted
from ._series import Series
from ._tables import values

if TYPE_CHECKING:
    from ...links._placeholders import Made

_MOST_ERROR: Final = 500
_MOST_NAME: Final = 80
_MOST_OTHERS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What is known of the function and its run when both are over.

    Attributes:
        tracked: The function.
        error: What it has raised, or None.
        ended: What became of its run.
        link: What Flyte's link shows, or None where nobody can say.
        group_link: The page of the run's group, or None where it has none.
        history: What the run has logged, or None where that is not this task's to tell.
    """

    tracked: Tracked
    error: BaseException | None
    ended: Ended
    link: Made | None
    group_link: Made | None
    history: History | None


def outcome(told: RunFacts) -> Html:
    """Return the head of the tab: how the task ended, and with which run."""
    badge = tag("span", *(("✗ failed",) if told.error else ("✓ succeeded",)), class_="bad" if told.error else "good")
    title = told.tracked.plan.run_id or told.tracked.request.action_name
    return tag("header", tag("h2", title, " ", badge), *_sentences(told), _links(told))


def _sentences(told: RunFacts) -> Iterator[Html]:
    if told.error is not None:
        text = f"{type(told.error).__name__}: {one_line(told.error)}"
        yield tag("p", tag("code", short(text, _MOST_ERROR)), class_="error")
    yield tag("p", _state(told))
    if (history := told.history) is not None:
        yield from (tag("p", note, class_="note") for note in _cuts(history))


def _state(told: RunFacts) -> str:
    plan, lease, code = told.tracked.plan, told.tracked.lease, told.ended.exit_code
    if lease is None:
        return (
            "W&B did not open the run, and the task went on without it; the task's log says why."
            if plan.role.opens
            else "No run is opened here: that is the plan below."
        )
    if lease.run.disabled:
        return "W&B is disabled, so nothing was logged."
    if code is None:
        return f"This task wrote to the run {lease.run_id}; others still do, and its owner's report tells the rest."
    if not plan.role.owns:
        return f"This task has joined the run {plan.run_id}, whose outcome its owner tells. What it logged is below."
    return f"The run was finished with exit code {code}."


def _cuts(history: History) -> Iterator[str]:
    if history.share < 1:
        yield (
            f"This run's log is large: {history.share:.0%} of it was read, in stretches from its start to its end. "
            "What lies between them is not in the plots, nor in the lowest and highest values."
        )
    if not history.whole:
        yield "The log of this run has no end, so its last rows may be missing here."


def _links(told: RunFacts) -> Html | None:
    lease = told.tracked.lease
    if lease is None or lease.run.disabled:
        return None
    if lease.run.offline:
        place = told.ended.kept or lease.run.settings.sync_dir
        command = tag("code", f"flyte-wandb sync {shlex.quote(place)}")
        return tag("p", "The run is offline, so it has no page yet. It is uploaded with ", command)
    pages = {lease.run.url: "Run in W&B"} if lease.run.url else {}
    for link, text in ((told.group_link, "Group in W&B"), (told.link, "What Flyte's link shows")):
        if link:
            pages.setdefault(link.url, text)
    return tag("p", *(tag("a", text, href=url, target="_blank", rel="noopener") for url, text in pages.items()))


def logged(history: History) -> Iterator[Html]:
    """Yield the sections of what the run has logged."""
    yield _metrics(history)
    for title, given in (("Summary", history.summary), ("Config", history.config)):
        if given:
            count = f"{len(given):,}{'' if len(given) < MOST_NAMES else ' or more'}"
            yield tag("details", tag("summary", f"{title} ({count})"), values(given), open="")


def _metrics(history: History) -> Html:
    rows = f"{history.rows:,} {'row' if history.rows == 1 else 'rows'}"
    last = f", up to step {history.last_step:,}" if history.last_step is not None else ""
    title = tag("h3", "Metrics ", tag("small", f"{rows}{last}"))
    if not history.series:
        return tag("section", title, tag("p", "No numbers were logged.", class_="note"))
    plots = tag("div", *(_card(name, history.series[name]) for name in sorted(history.series)), class_="plots")
    return tag("section", title, plots, _others(history))


def _card(name: str, series: Series) -> Html:
    known = [("last", series.last), *([("min", series.low), ("max", series.high)] if series.count else [])]
    told = joined(*(tag("span", f"{what} ", tag("b", number(value))) for what, value in known))
    holes = tag("span", f"{series.holes:,} not finite", class_="holes") if series.holes else None
    picture = plot(short(name, _MOST_NAME), series) if series.count else unplotted()
    return tag("figure", tag("figcaption", short(name, _MOST_NAME), title=name), picture, tag("p", told, holes))


def _others(history: History) -> Html | None:
    if not history.others:
        return None
    names = sorted(history.others)
    more = len(names) - _MOST_OTHERS
    shown = values({name: str(history.others[name]) for name in names[:_MOST_OTHERS]})
    count = f"{len(names):,}{'' if len(names) < MOST_NAMES else ' or more'}"
    head = tag("summary", f"Further metrics: last values ({count}; the first {MOST_PLOTS} have plots)")
    return tag("details", head, shown, f"{more:,} more are not shown." if more > 0 else None)
