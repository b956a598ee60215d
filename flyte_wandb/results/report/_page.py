"""The content of a tab."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ..._errors import FlyteWandbError
from ...links._build import build_link_to_rank
from ...links._placeholders import BuiltLink
from ...runs._current import RunEnd, TrackedCall
from ._history import History, read_history
from ._html import Html, html_tag
from ._plan_section import build_plan_section
from ._run_section import RunFacts, build_logged_sections, build_outcome_section
from ._style import STYLE

_ROOT: Final = "flyte-wandb"
"""Class of the outermost element. The style sheet applies below it only, for the tab is in a page of Flyte's."""


def build_page(tracked: TrackedCall, error: BaseException | None, ended: RunEnd) -> Html:
    """Return the content of the tab as HTML that needs nothing from elsewhere. Blocks while the run's log is read.

    Args:
        tracked: The function that has ended.
        error: What it has raised, or None.
        ended: What became of its run.

    Raises:
        OSError: The log cannot be read.
    """
    link = _find_link(tracked)
    group_link = _find_link(tracked, of_group=True) if tracked.plan.group else None
    history = _read_run_history(tracked, ended)
    facts = RunFacts(tracked=tracked, error=error, ended=ended, link=link, group_link=group_link, history=history)
    logged = build_logged_sections(history) if history else ()
    link_steps = [step for step in link.steps if step.hook == "build_link"] if link else []
    plan = build_plan_section(tracked.request, tracked.plan, link_steps)
    return html_tag("div", html_tag("style", STYLE), build_outcome_section(facts), *logged, plan, class_=_ROOT)


def _find_link(tracked: TrackedCall, *, of_group: bool = False) -> BuiltLink | None:
    try:
        return build_link_to_rank(tracked.request, of_group=of_group)
    except FlyteWandbError:  # logged already, by the submitter, when Flyte asked for the link
        return None


def _read_run_history(tracked: TrackedCall, ended: RunEnd) -> History | None:
    """Return what the run has logged, or None while others still write to it."""
    lease = tracked.lease
    # Without an exit code the run was not finished here.
    if lease is None or lease.run.disabled or ended.exit_code is None:
        return None
    path = lease.run.settings.sync_file
    return read_history(Path(path)) if path else None
