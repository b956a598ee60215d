"""One call of `wandb.init`, as the client is asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Mode = Literal["online", "offline", "disabled"]
"""How W&B's client reaches a server: at once, later by `wandb sync`, or not at all."""


@dataclass(frozen=True, kw_only=True)
class Additions:
    """What this package and plugins add to an open run, and what never replaces anything of the user's.

    The user may have said it in a setting, in W&B's variables and files, in the body, or in another attempt.

    Attributes:
        tags: Tags behind those that the run has.
        notes: Notes where it has none.
        name: What a run is called that was not there before.
        config: Configuration below its own keys.
        again: Whether the run may have tags of another attempt. W&B replaces them where it is told tags as it opens it.
    """

    tags: tuple[str, ...] = ()
    notes: str | None = None
    name: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    again: bool = False


@dataclass(frozen=True, kw_only=True)
class Opening:
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
        alone: Whether shared mode was wanted but does not exist offline, so that this writer keeps a run of its own.
        rewind: The step after which the run is to go on, what was logged later being forgotten; None for its end.
        starts_over: Whether the server is to forget what an earlier attempt has logged to the run.
        fork_from: The moment at which the run is to start where an earlier attempt has not opened it, or None.
        below: Those of `arguments` that give way to what W&B's variables and files say.
        beside: What the open run is given beside what it has.
        config_of_owner: Configuration that the owner of the run sends: there to be read, and sent by nobody else.
    """

    run_id: str
    numbered: bool = False
    joins: str | None = None
    host: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    shared: bool = False
    alone: bool = False
    rewind: int | None = None
    starts_over: bool = False
    fork_from: str | None = None
    below: frozenset[str] = frozenset()
    beside: Additions = field(default_factory=Additions)
    config_of_owner: Mapping[str, Any] = field(default_factory=dict)

    @property
    def secondary(self) -> bool:
        """Whether the run has an owner in another process, to which this writer adds."""
        return self.shared and not self.settings.get("x_primary")
