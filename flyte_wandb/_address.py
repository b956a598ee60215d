"""The address of the W&B page that a task's link leads to, safe to make before the run exists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from flyte_wandb_hookspecs import Group, Request, Step, quote_segment

from . import _client, _hosts
from ._action import Action
from ._errors import HookError
from ._loader import installed
from ._manager import StrategyManager, authors
from ._notices import warn_once
from ._opening import Place, place
from ._plan import plan
from ._requests import request_of_link
from ._spec import Spec

_SAMPLES: Final = (
    {"run_name": "r1", "name": "a0", "project": "p1", "domain": "d1"},
    {"run_name": "r" * 30, "name": "a" * 30, "project": "p" * 30, "domain": "d" * 30},
)
"""Names that Flyte may fill in, short ones and the longest."""


@dataclass(frozen=True, kw_only=True)
class _Page:
    server: str
    project: str | None

    @property
    def best(self) -> str:
        """The nearest page above a run that exists for sure."""
        return self.project or self.server


@dataclass(frozen=True, kw_only=True)
class _Link:
    url: str
    page: _Page
    steps: tuple[Step, ...]


def address(spec: Spec, action: Action, strategies: StrategyManager | None = None, *, rank: int | None = 0) -> str:
    """Return the page that `build_link` names, or the server's where nobody knows entity or project.

    Flyte asks before the run exists, with placeholders for the names that it does not know yet, and fills them in
    later. So the link is tried with names in their place: where a plugin does not hand them on as they are (it cuts,
    hashes or changes them), the link leads to the project's page and one warning names the plugin.

    Args:
        spec: What the decorator says about the task.
        action: The action, some of whose names may be placeholders such as ``{{.actionName}}``.
        strategies: The plugins to ask; those installed where not given.
        rank: The rank of the declared world whose run or group is meant; None for the project's page.

    Raises:
        FlyteWandbError: The request cannot be planned, or a plugin's address is none.
    """
    ask = strategies or installed()
    link = _link(request_of_link(spec, action, rank or 0), ask)
    if rank is None:
        return link.page.best
    samples = ((names, request_of_link(spec, _known(action, names), rank)) for names in _fillings(action))
    changed = (_changed(link, sample, names, ask) for names, sample in samples)
    if step := next(filter(None, changed), None):
        _warn(step)
        return link.page.best
    return link.url


def _link(request: Request, ask: StrategyManager) -> _Link:
    planned = plan(request, ask)
    page = _project_page(place(request, planned))
    if page.project is None:
        return _Link(url=page.server, page=page, steps=planned.steps)
    asked = {"request": request, "plan": planned, "project_url": page.project}
    step = ask.decide("build_link", _url_fault, **asked)
    return _Link(url=step.value, page=page, steps=(*planned.steps, step))


def _fillings(action: Action) -> Iterator[dict[str, str]]:
    """Yield what Flyte might fill in, by placeholder; nothing where it knows all names."""
    for sample in _SAMPLES:
        given = {getattr(action, field): name for field, name in sample.items()}
        if names := {text: name for text, name in given.items() if text and "{{." in text}:
            yield names


def _known(action: Action, names: Mapping[str, str]) -> Action:
    given = {field: getattr(action, field) for field in _SAMPLES[0]}
    return replace(action, **{field: names.get(text, text) for field, text in given.items()})


def _changed(link: _Link, sample: Request, names: Mapping[str, str], ask: StrategyManager) -> Step | None:
    """Return the first decision that does not hand the placeholders on as they are."""
    try:
        expected = _link(sample, ask)
    except HookError:
        return None  # such as an id that is too long with the longest names: the task is told when it has them
    pairs = zip(link.steps, expected.steps, strict=False)
    return next((step for step, other in pairs if _filled(_text(step), names) != _text(other)), None)


def _filled(text: str, names: Mapping[str, str]) -> str:
    for placeholder, name in names.items():
        text = text.replace(placeholder, name)
    return text


def _text(step: Step) -> str:
    return step.value.name or "" if isinstance(step.value, Group) else str(step.value)


def _warn(step: Step) -> None:
    warn_once(
        f"{step.hook} of {authors(step)} changes the names that Flyte fills into links later ({_text(step)!r}), so "
        "links lead to the project's page; compose names from request.base as it is, without cutting or hashing it"
    )


def _project_page(where: Place) -> _Page:
    """Find the pages of the server and the project; what the settings leave open, W&B's own configuration names."""
    app, entity, project = _client.client_place()
    entity, project = where.entity or entity, where.project or project
    server = _hosts.app_url(where.host) if where.host else app
    known = f"{server}/{quote_segment(entity)}/{quote_segment(project)}" if entity and project else None
    return _Page(server=server, project=known)


def _url_fault(value: object) -> str | None:
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        return None
    return "a link is an http or https address"
