"""The run in a tab: its outcome, its pages in W&B, and what it has logged."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sized
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

# Bounds, because a report is one file that a browser loads whole.
_MOST_ERROR: Final = 500
"""Characters of the task's error."""

_MOST_NAME: Final = 80
"""Characters of a metric's name."""

_MOST_OTHERS: Final = 200
"""Metrics without a plot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What is known of a tracked function and its run when both have ended.

    Attributes:
        tracked: The function.
        error: What it has raised, or None.
        ended: What became of its run.
        link: The page to which Flyte's link leads, or None if no link can be built.
        group_link: The page of the run's group, or None without a group.
        history: What the run has logged, or None while others still write to it, or without a log.
    """

    tracked: TrackedCall
    error: BaseException | None
    ended: RunEnd
    link: BuiltLink | None
    group_link: BuiltLink | None
    history: History | None


def build_outcome_section(facts: RunFacts) -> Html:
    """Return the head of the tab: how the task ended, and with which run."""
    # With a sign each, because some people cannot tell the two colours apart.
    text, kind = ("✗ failed", "bad") if facts.error else ("✓ succeeded", "good")
    title = facts.tracked.plan.run_id or facts.tracked.request.action_name
    heading = html_tag("h2", title, " ", html_tag("span", text, class_=kind))
    return html_tag("header", heading, *_outcome_sentences(facts), _link_list(facts))


def _outcome_sentences(facts: RunFacts) -> Iterator[Html]:
    if facts.error is not None:
        text = f"{type(facts.error).__name__}: {one_line(facts.error)}"
        yield html_tag("p", html_tag("code", shorten_text(text, _MOST_ERROR)), class_="error")
    yield html_tag("p", _state_text(facts))
    if (history := facts.history) is not None:
        yield from (html_tag("p", note, class_="note") for note in _cut_notes(history))


def _state_text(facts: RunFacts) -> str:
    plan, lease, code = facts.tracked.plan, facts.tracked.lease, facts.ended.exit_code
    if lease is None:
        return (
            "W&B did not open the run, and the task continued without it; the reason is in the task's log."
            if plan.role.opens
            else "This task opens no run, according to the plan below."
        )
    if lease.run.disabled:
        return "W&B is disabled, so nothing was logged."
    if code is None:
        return f"This task wrote to the run {lease.run_id}; others still do. See its owner's report for the rest."
    if not plan.role.owns:
        return (
            f"This task has joined the run {plan.run_id}, which gets the outcome of its owner. What it logged is below."
        )
    return f"The run was finished with exit code {code}."


def _cut_notes(history: History) -> Iterator[str]:
    if history.share < 1:
        yield (
            f"This run's log is large: {history.share:.0%} of it was read, in stretches from its start to its end. "
            "What lies between them is not in the plots, nor in the lowest and highest values."
        )
    if not history.whole:
        yield "The log of this run has no end, so its last rows may be missing here."


def _link_list(facts: RunFacts) -> Html | None:
    lease = facts.tracked.lease
    if lease is None or lease.run.disabled:
        return None
    if lease.run.offline:
        # The pod's own folder is gone when people read this, unless nothing was kept.
        place = facts.ended.kept or lease.run.settings.sync_dir
        command = html_tag("code", f"flyte-wandb sync {shlex.quote(place)}")
        return html_tag("p", "The run is offline, so it has no page yet. Upload it with ", command)
    # By address: Flyte's link usually is the run's page or the group's, and need not be there twice.
    pages = {without_userinfo(lease.run.url): "Run in W&B"} if lease.run.url else {}
    for link, text in ((facts.group_link, "Group in W&B"), (facts.link, "What Flyte's link shows")):
        if link:
            pages.setdefault(link.url, text)
    # In a new window: Flyte shows the report in a frame, in which another site's page may refuse to open.
    return html_tag(
        "p", *(html_tag("a", text, href=url, target="_blank", rel="noopener") for url, text in pages.items())
    )


def build_logged_sections(history: History) -> Iterator[Html]:
    """Yield the sections of what the run has logged."""
    yield _build_metric_cards(history)
    for title, values in (("Summary", history.summary), ("Config", history.config)):
        if values:
            head = html_tag("summary", f"{title} ({_count_text(values)})")
            yield html_tag("details", head, build_values(values), open="")


def _build_metric_cards(history: History) -> Html:
    rows = f"{history.rows:,} {'row' if history.rows == 1 else 'rows'}"
    last = f", up to step {history.last_step:,}" if history.last_step is not None else ""
    title = html_tag("h3", "Metrics ", html_tag("small", f"{rows}{last}"))
    if not history.series:
        return html_tag("section", title, html_tag("p", "No numbers were logged.", class_="note"))
    cards = (_build_metric_card(name, history.series[name]) for name in sorted(history.series))
    return html_tag("section", title, html_tag("div", *cards, class_="plots"), _build_other_metrics(history))


def _build_metric_card(name: str, series: Series) -> Html:
    # Without a finite value, lowest and highest are infinities that nobody logged.
    values = [("last", series.last), *([("min", series.low), ("max", series.high)] if series.count else [])]
    labels = join_html(*(html_tag("span", f"{label} ", html_tag("b", format_number(value))) for label, value in values))
    holes = html_tag("span", f"{series.holes:,} not finite", class_="holes") if series.holes else None
    picture = draw_plot(shorten_text(name, _MOST_NAME), series) if series.count else draw_empty_plot()
    return html_tag(
        "figure",
        html_tag("figcaption", shorten_text(name, _MOST_NAME), title=name),
        picture,
        html_tag("p", labels, holes),
    )


def _build_other_metrics(history: History) -> Html | None:
    if not history.others:
        return None
    names = sorted(history.others)
    more = len(names) - _MOST_OTHERS
    table = build_values({name: str(history.others[name]) for name in names[:_MOST_OTHERS]})
    count = _count_text(history.others)
    head = html_tag("summary", f"Further metrics: last values ({count}; the first {MOST_PLOTS} have plots)")
    return html_tag("details", head, table, f"{more:,} more are not shown." if more > 0 else None)


def _count_text(values: Sized) -> str:
    # Names beyond the bound were not kept, so nobody knows how many there are.
    return f"{len(values):,}{'' if len(values) < MOST_NAMES else ' or more'}"
