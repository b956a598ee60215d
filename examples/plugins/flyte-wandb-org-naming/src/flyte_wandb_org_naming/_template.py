"""Templates for names: which are possible, and how one is filled in."""

from __future__ import annotations

from string import Formatter
from typing import Final

_FIELDS: Final = ("team", "project", "base")


def checked(template: str) -> str:
    """Return `template` if it can name runs: it has ``{base}``, which tells runs apart, and no field but the known.

    Raises:
        ValueError: It cannot; the message names the field.

    >>> checked("{team}/{run}")
    Traceback (most recent call last):
        ...
    ValueError: TEMPLATE '{team}/{run}' has the unknown field 'run'; it can have team, project, base
    """
    fields = [field for _, field, _, _ in Formatter().parse(template) if field is not None]
    if unknown := [field for field in fields if field not in _FIELDS]:
        raise ValueError(
            f"TEMPLATE {template!r} has the unknown field {unknown[0]!r}; it can have {', '.join(_FIELDS)}"
        )
    if "base" not in fields:
        raise ValueError(f"TEMPLATE {template!r} lacks {{base}}, so all runs would have one id; add {{base}}")
    return template


def filled(template: str, *, team: str, project: str, base: str) -> str:
    """Return the name. Flyte's placeholders in `base` stay as they are, which links need.

    >>> filled("{team}-{project}-{base}", team="acme", project="vision", base="{{.runName}}-a0")
    'acme-vision-{{.runName}}-a0'
    """
    return template.format(team=team, project=project, base=base)
