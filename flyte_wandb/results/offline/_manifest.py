"""What is known of a kept offline run beside its folder, so that uploading it needs nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

KEPT: Final = "offline.json"
"""The file with it, in the run's folder; written last, so where it is, all is."""

_TEXTS: Final = ("run_id", "project", "entity", "host", "flyte_run", "action")


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineManifest:
    """An offline run, and whose it is.

    Attributes:
        run_id: W&B's id of it.
        project: Its project, or None.
        entity: The owner of the project, or None.
        host: The server as people know it, or None for that of the client that uploads it.
        flyte_run: The Flyte run to which it belongs, or None.
        action: The action of that run, or None.
        rank: Which rank of its action has written it, or None where it has no ranks.
        exit_code: With what it was finished, or None where nobody knows.
    """

    run_id: str
    project: str | None = None
    entity: str | None = None
    host: str | None = None
    flyte_run: str | None = None
    action: str | None = None
    rank: int | None = None
    exit_code: int | None = None

    @property
    def target(self) -> tuple[str, str, str, str]:
        """Host, entity, project and id: what several folders of one run have in common."""
        return self.host or "", self.entity or "", self.project or "", self.run_id

    def to_json(self) -> bytes:
        """Return it as JSON."""
        return f"{json.dumps(asdict(self), indent=2)}\n".encode()


def parse_manifest(text: bytes) -> OfflineManifest:
    """Read what `Kept.write` has written.

    Raises:
        ValueError: It is something else.

    >>> parse_manifest(OfflineManifest(run_id="r1-a0", flyte_run="r1").write()).flyte_run
    'r1'
    """
    found: Any = json.loads(text)
    if not isinstance(found, dict) or not isinstance(found.get("run_id"), str):
        raise ValueError(f"{KEPT} names no run")
    known = {field.name: found[field.name] for field in fields(OfflineManifest) if found.get(field.name) is not None}
    wrong = [name for name, value in known.items() if not isinstance(value, str if name in _TEXTS else int)]
    if wrong:
        raise ValueError(f"{wrong[0]} is {known[wrong[0]]!r} in {KEPT}")
    return OfflineManifest(**known)
