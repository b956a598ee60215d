"""Which names W&B refuses: lengths of its docs, and of the client's own checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ._limits import RefusedError

_LONGEST: Final = {"display_name": 128, "group": 128, "job_type": 64, "tags": 64}
_LONGEST_ID: Final = 128
_NOT_IN_PROJECTS: Final = frozenset("/\\#?%:")


def check_names(run_id: str, project: str, about: Mapping[str, Any]) -> None:
    """Check what a writer calls its run.

    Raises:
        RefusedError: A name is too long, or has a character that W&B does not take there.
    """
    names = [("id", run_id, _LONGEST_ID), ("project", project, _LONGEST_ID)]
    for field, most in _LONGEST.items():
        values = about[field] if field == "tags" else [about[field]]
        names += [(field, value, most) for value in values or () if value is not None]
    for field, value, most in names:
        if len(value) > most:
            raise RefusedError(f"invalid parameters: {most} limit exceeded on {field}: {len(value)} characters", 400)
    if bad := _NOT_IN_PROJECTS.intersection(project):
        raise RefusedError(f"invalid project name {project!r}: it has {' '.join(sorted(bad))}", 400)
