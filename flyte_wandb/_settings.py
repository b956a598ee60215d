"""One set of settings out of the three places where they can stand: defaults < context < decorator, per key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyte_wandb_hookspecs import ParentRun, Settings, frozen_copy

from ._fields import OWN_FIELDS


def merged(
    context: Mapping[str, Any], decorator: Mapping[str, Any], *, parent: ParentRun | None, action_name: str
) -> Settings:
    """Merge the settings of a context and a decorator, both checked; a key that is not set overrides nothing.

    An id in the context names the first tracked action exactly; an action below it adds its own name to it.

    >>> merged({"project": "a", "id": "exp"}, {"tags": ["x"]}, parent=None, action_name="a0").project
    'a'
    >>> merged({"id": "exp"}, {}, parent=ParentRun(run_id="exp"), action_name="a1").id
    'exp-a1'
    """
    given = dict(context)
    if parent is not None and "id" in given:
        given["id"] = f"{given['id']}-{action_name}"
    given.update(decorator)
    own = {name: frozen_copy(given.pop(name)) for name in OWN_FIELDS if name in given}
    return Settings(**own, init=frozen_copy(given))
