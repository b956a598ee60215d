"""What is known of a kept offline run beside its folder, so that uploading it needs nothing else."""

from __future__ import annotations

import json
import operator
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from ..._logging import quoted
from ..._place import host_fault
from ...settings import _limits
from ...wandb_client._delivery import Stretch

KEPT: Final = "offline.json"
"""The file with it, in the run's folder; written last, so where it is, all is."""

ARTIFACTS: Final = "artifacts/"
"""What names of files begin with that artifacts of the run consist of; the rest is their md5 in hex."""

_TEXTS: Final = ("run_id", "project", "entity", "host", "flyte_run", "action")
_FAULTS: Final = {
    "run_id": _limits.RUN_ID.fault,
    "project": _limits.PROJECT.fault,
    "entity": _limits.ENTITY.fault,
    "host": host_fault,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineManifest:
    """An offline run, and its owner.

    Attributes:
        run_id: W&B's id of it.
        project: Its project, or None.
        entity: The owner of the project, or None.
        host: The server as people know it, or None for that of the client that uploads it.
        flyte_run: The Flyte run to which it belongs, or None.
        action: The action of that run, or None.
        rank: Which rank of its action has written it, or None where it has no ranks.
        exit_code: With what it was finished, or None where nobody knows.
        delivered: The rows of its log that the server has already: the first and how many, of each stretch, in their
            order. Empty for an offline run.
    """

    run_id: str
    project: str | None = None
    entity: str | None = None
    host: str | None = None
    flyte_run: str | None = None
    action: str | None = None
    rank: int | None = None
    exit_code: int | None = None
    delivered: tuple[Stretch, ...] = ()

    @property
    def target(self) -> tuple[str, str, str, str]:
        """Host, entity, project and id: what several folders of one run have in common."""
        return self.host or "", self.entity or "", self.project or "", self.run_id

    def to_json(self) -> bytes:
        """Return it as JSON."""
        return f"{json.dumps(asdict(self), indent=2)}\n".encode()


def parse_manifest(text: bytes) -> OfflineManifest:
    """Read what `OfflineManifest.to_json` has written.

    Raises:
        ValueError: It is something else, or W&B would not take what it says.

    >>> parse_manifest(OfflineManifest(run_id="r1-a0", flyte_run="r1").to_json()).flyte_run
    'r1'
    """
    try:
        found: Any = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(found, dict) or not isinstance(found.get("run_id"), str):
        raise ValueError(f"{KEPT} names no run")
    known = {field.name: found[field.name] for field in fields(OfflineManifest) if found.get(field.name) is not None}
    stretches = known.pop("delivered", [])
    wrong = [name for name, value in known.items() if not isinstance(value, str if name in _TEXTS else int)]
    if wrong:
        raise ValueError(f"{wrong[0]} is {quoted(known[wrong[0]])} in {KEPT}")
    return checked(OfflineManifest(**known, delivered=_parse_stretches(stretches)))


def _parse_stretches(value: Any) -> tuple[Stretch, ...]:
    try:
        stretches = tuple((operator.index(first), operator.index(count)) for first, count in value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"delivered is {quoted(value)} in {KEPT}") from error
    ends = (0, *(first + count for first, count in stretches))
    if any(count < 1 or first < end for (first, count), end in zip(stretches, ends, strict=False)):
        raise ValueError(f"delivered is {quoted(value)} in {KEPT}, which is not a list of ranges")
    return stretches


def checked(kept: OfflineManifest) -> OfflineManifest:
    """Return what a file from elsewhere says, where W&B and a command line can take it.

    Raises:
        ValueError: They cannot; the message says what.
    """
    for name in _TEXTS:
        value = getattr(kept, name)
        if value is None:
            continue
        if not value.isprintable():
            raise ValueError(f"{name} is {quoted(value)}, with unprintable characters")
        if name in _FAULTS and (fault := _FAULTS[name](value)):
            raise ValueError(f"{name} is {quoted(value)}: {fault}")
    return kept
