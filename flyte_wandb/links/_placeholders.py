"""Trying out a link with names instead of Flyte's placeholders, before Flyte gets it.

Flyte asks for links before a run exists and fills in the names afterwards. If a plugin cuts, hashes or changes them,
the link leads to a run that never exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from flyte_wandb_hookspecs import Group, Step

from .._action import Action
from .._errors import HookError
from ..plugins._manager import describe_authors
from ._pages import Pages

_SAMPLES: Final = (
    {"run_name": "r1", "name": "a0", "project": "p1", "domain": "d1"},
    {
        "run_name": "0qwertyuiopasdfghjklzxcvbnm-12",
        "name": "3m9n8b7v6c5x4z2l1k0j-hgfdsap10",
        "project": "the-quick-brown-fox_jumps-over",
        "domain": "Lazy-Dogs_And.9876543210-zyxwv",
    },
)
"""Names that Flyte may fill in: the shortest, and the longest (30 characters) with every character that it allows."""


@dataclass(frozen=True, kw_only=True)
class BuiltLink:
    """One link as the plugins build it.

    Attributes:
        url: Where it leads.
        pages: The pages above.
        steps: The decisions behind it, in their order.
        fault: Why it leads to a page above although the page of the run is known, or None.
        caveat: What of the declared world only the start of the task can tell, or None.
        crowd: That more ranks write to one run than W&B has tested, or None.
    """

    url: str
    pages: Pages
    steps: tuple[Step, ...] = ()
    fault: str | None = None
    caveat: str | None = None
    crowd: str | None = None


def check_placeholders(build: Callable[[Action], BuiltLink], action: Action) -> BuiltLink:
    """Return the link of `action` if its names can be filled in later, else the link to the best page above.

    Args:
        build: Builds the link of an action. It is also called with sample names instead of placeholders.
        action: The action. Its names may be placeholders such as ``{{.actionName}}``.
    """
    link = build(action)
    changed = (_find_changed_step(link, build, _with_names(action, names), names) for names in _sample_names(action))
    if step := next(filter(None, changed), None):
        return replace(link, url=link.pages.best, fault=_describe_fault(step))
    return link


def _describe_fault(step: Step) -> str:
    return (
        f"{step.hook} of {describe_authors(step)} changes the names that Flyte fills into links later "
        f"({_step_text(step)!r}), so links lead to the project's page; compose names from request.base as it is, "
        "without cutting or hashing it"
    )


def fill_placeholders(text: str, names: Mapping[str, str]) -> str:
    """Fill in names as Flyte does.

    >>> fill_placeholders("{{.runName}}-{{.actionName}}", {"{{.runName}}": "r1", "{{.actionName}}": "a0"})
    'r1-a0'
    """
    for placeholder, name in names.items():
        text = text.replace(placeholder, name)
    return text


def _sample_names(action: Action) -> Iterator[dict[str, str]]:
    """Yield what Flyte might fill in, by placeholder; nothing where it knows all names."""
    for sample in _SAMPLES:
        sample_of_text = {getattr(action, field): name for field, name in sample.items()}
        if names := {text: name for text, name in sample_of_text.items() if text and "{{." in text}:
            yield names


def _with_names(action: Action, names: Mapping[str, str]) -> Action:
    texts = {field: getattr(action, field) for field in _SAMPLES[0]}
    return replace(action, **{field: names.get(text, text) for field, text in texts.items()})


def _find_changed_step(
    link: BuiltLink, build: Callable[[Action], BuiltLink], with_names: Action, names: Mapping[str, str]
) -> Step | None:
    """Return the first decision in which the placeholders, once filled in, are not the names themselves."""
    try:
        expected = build(with_names)
    except HookError:
        return None  # such as an id that is too long with the longest names: the task itself meets that error
    # Not strict: with other names, plugins may decide on fewer steps.
    pairs = zip(link.steps, expected.steps, strict=False)
    return next(
        (step for step, other in pairs if fill_placeholders(_step_text(step), names) != _step_text(other)), None
    )


def _step_text(step: Step) -> str:
    return step.value.name or "" if isinstance(step.value, Group) else str(step.value)
