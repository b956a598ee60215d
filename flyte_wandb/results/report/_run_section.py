"""The run in a tab: its outcome, where it can be seen, and what it has logged."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..._logging import one_line
from ..._place import without_userinfo
from ...runs._current import RunEnd, TrackedCall
from ._history import MOST_NAMES, MOST_PLOTS, History
from ._html import Html, html_tag, join_html, shorten_text
from ._numbers import format_number
from ._plot import draw_empty_plot, draw_plot
from ._series import Series
from ._tables import build_values

if TYPE_CHECKING:
    from ...links._placeholders import BuiltLink

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

    tracked: TrackedCall
    error: BaseException | None
    ended: RunEnd
    link: BuiltLink | None
    group_link: BuiltLink | None
    history: History | None


def build_outcome_section(told: RunFacts) -> Html:
    """Return the head of the tab: how the task ended, and with which run."""
    badge = html_tag(
        "span", *(("✗ failed",) if told.error else ("✓ succeeded",)), class_="bad" if told.error else "good"
    )
    title = told.tracked.plan.run_id or told.tracked.request.action_name
    return html_tag("header", html_tag("h2", title, " ", badge), *_outcome_sentences(told), _link_list(told))


def _outcome_sentences(told: RunFacts) -> Iterator[Html]:
    if told.error is not None:
        text = f"{type(told.error).__name__}: {one_line(told.error)}"
        yield html_tag("p", html_tag("code", shorten_text(text, _MOST_ERROR)), class_="error")
    yield html_tag("p", _state_text(told))
    if (history := told.history) is not None:
        yield from (html_tag("p", note, class_="note") for note in _cut_notes(history))


def _state_text(told: RunFacts) -> str:
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


def _cut_notes(history: History) -> Iterator[str]:
    if history.share < 1:
        yield (
            f"This run's log is large: {history.share:.0%} of it was read, in stretches from its start to its end. "
            "What lies between them is not in the plots, nor in the lowest and highest values."
        )
    if not history.whole:
        yield "The log of this run has no end, so its last rows may be missing here."


def _link_list(told: RunFacts) -> Html | None:
    lease = told.tracked.lease
    if lease is None or lease.run.disabled:
        return None
    if lease.run.offline:
        place = told.ended.kept or lease.run.settings.sync_dir
        command = html_tag("code", f"flyte-wandb sync {shlex.quote(place)}")
        return html_tag("p", "The run is offline, so it has no page yet. It is uploaded with ", command)
    pages = {without_userinfo(lease.run.url): "Run in W&B"} if lease.run.url else {}
    for link, text in ((told.group_link, "Group in W&B"), (told.link, "What Flyte's link shows")):
        if link:
            pages.setdefault(link.url, text)
    return html_tag(
        "p", *(html_tag("a", text, href=url, target="_blank", rel="noopener") for url, text in pages.items())
    )


def build_logged_sections(history: History) -> Iterator[Html]:
    """Yield the sections of what the run has logged."""
    yield _metric_cards(history)
    for title, given in (("Summary", history.summary), ("Config", history.config)):
        if given:
            count = f"{len(given):,}{'' if len(given) < MOST_NAMES else ' or more'}"
            yield html_tag("details", html_tag("summary", f"{title} ({count})"), build_values(given), open="")


def _metric_cards(history: History) -> Html:
    rows = f"{history.rows:,} {'row' if history.rows == 1 else 'rows'}"
    last = f", up to step {history.last_step:,}" if history.last_step is not None else ""
    title = html_tag("h3", "Metrics ", html_tag("small", f"{rows}{last}"))
    if not history.series:
        return html_tag("section", title, html_tag("p", "No numbers were logged.", class_="note"))
    plots = html_tag(
        "div", *(_metric_card(name, history.series[name]) for name in sorted(history.series)), class_="plots"
    )
    return html_tag("section", title, plots, _other_values(history))


def _metric_card(name: str, series: Series) -> Html:
    known = [("last", series.last), *([("min", series.low), ("max", series.high)] if series.count else [])]
    told = join_html(*(html_tag("span", f"{what} ", html_tag("b", format_number(value))) for what, value in known))
    holes = html_tag("span", f"{series.holes:,} not finite", class_="holes") if series.holes else None
    picture = draw_plot(shorten_text(name, _MOST_NAME), series) if series.count else draw_empty_plot()
    return html_tag(
        "figure",
        html_tag("figcaption", shorten_text(name, _MOST_NAME), title=name),
        picture,
        html_tag("p", told, holes),
    )


def _other_values(history: History) -> Html | None:
    if not history.others:
        return None
    names = sorted(history.others)
    more = len(names) - _MOST_OTHERS
    shown = build_values({name: str(history.others[name]) for name in names[:_MOST_OTHERS]})
    count = f"{len(names):,}{'' if len(names) < MOST_NAMES else ' or more'}"
    head = html_tag("summary", f"Further metrics: last values ({count}; the first {MOST_PLOTS} have plots)")
    return html_tag("details", head, shown, f"{more:,} more are not shown." if more > 0 else None)
