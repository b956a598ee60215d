"""One call of `wandb.init`, as the client is asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

Mode = Literal["online", "offline", "disabled"]
"""How W&B's client reaches a server: at once, later by `wandb sync`, or not at all."""


class Additions(NamedTuple):
    """What this package and plugins add to an open run, and what never replaces anything of the user's.

    The user may have said it in a setting, in W&B's variables and files, in the body, or in another attempt.

    Attributes:
        tags: Tags after those that the run has.
        notes: Notes, if the run has none.
        name: Name of a new run.
        config: Configuration below its own keys.
        again: Whether the run may have tags of another attempt. W&B replaces them if it gets tags on opening.
    """

    tags: tuple[str, ...] = ()
    notes: str | None = None
    name: str | None = None
    config: Mapping[str, Any] = MappingProxyType({})
    again: bool = False


class Opening(NamedTuple):
    """One call of `wandb.init`, and what to know about it afterwards.

    Attributes:
        run_id: The id to ask for, and to find on the run that W&B hands back.
        numbered: Whether the id gets a number where a run of that id is open in this process: nobody chose the id.
        joins: Id of a run that may be open in this process and is then borrowed, or None.
        host: The server as people know it, or None for the client's own.
        arguments: Keyword arguments of `wandb.init`.
        settings: Fields of `wandb.Settings` to set beside the user's.
        defaults: Fields of `wandb.Settings` for where neither the user nor W&B's variables and files set them.
        shared: Whether W&B's shared mode is used.
        alone: Whether this writer has its own run, because shared mode needs a server.
        rewind: The step after which the run continues, without the later rows; None for its end.
        starts_over: Whether the server should forget what an earlier attempt has logged to the run.
        fork_from: The moment at which the run is to start where an earlier attempt has not opened it, or None.
        below: Those of `arguments` that W&B's variables and files override.
        beside: Additions to the open run.
        config_of_owner: Config that the owner of the run sends; the others only read it.
    """

    run_id: str
    numbered: bool = False
    joins: str | None = None
    host: str | None = None
    arguments: Mapping[str, Any] = MappingProxyType({})
    settings: Mapping[str, Any] = MappingProxyType({})
    defaults: Mapping[str, Any] = MappingProxyType({})
    shared: bool = False
    alone: bool = False
    rewind: int | None = None
    starts_over: bool = False
    fork_from: str | None = None
    below: frozenset[str] = frozenset()
    beside: Additions = Additions()
    config_of_owner: Mapping[str, Any] = MappingProxyType({})

    @property
    def secondary(self) -> bool:
        """Whether the run has an owner in another process, to which this writer adds."""
        return self.shared and not self.settings.get("x_primary")
