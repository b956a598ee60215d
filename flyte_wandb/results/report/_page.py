"""The content of a tab."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ..._errors import FlyteWandbError
from ...links._build import link_of
from ...links._placeholders import Made
from ...runs._current import Ended, Tracked
from ._history import History, read_history
from ._html import Html, tag
from ._plan_section import plan_section
from ._run_section import RunFacts, logged, outcome
from ._style import STYLE

_ROOT: Final = "flyte-wandb"


def page(tracked: Tracked, error: BaseException | None, ended: Ended) -> Html:
    """Return the content of the tab as HTML that needs nothing from elsewhere. Blocks while the run's log is read.

    Args:
        tracked: The function that has ended.
        error: What it has raised, or None.
        ended: What became of its run.

    Raises:
        OSError: The log cannot be read.
    """
    link = _link(tracked)
    group_link = _link(tracked, of_group=True) if tracked.plan.group else None
    history = _history(tracked, ended)
    told = RunFacts(tracked=tracked, error=error, ended=ended, link=link, group_link=group_link, history=history)
    shown = logged(history) if history else ()
    decided = [step for step in link.steps if step.hook == "build_link"] if link else []
    plan = plan_section(tracked.request, tracked.plan, decided)
    return tag("div", tag("style", STYLE), outcome(told), *shown, plan, class_=_ROOT)


def _link(tracked: Tracked, *, of_group: bool = False) -> Made | None:
    try:
        return link_of(tracked.request, of_group=of_group)
    except FlyteWandbError:
        return None


def _history(tracked: Tracked, ended: Ended) -> History | None:
    """Read the run's log where nobody writes to it any more."""
    lease = tracked.lease
    if lease is None or lease.run.disabled or ended.exit_code is None:
        return None
    path = lease.run.settings.sync_file
    return read_history(Path(path)) if path else None
