"""W&B's limits on names, checked before a name reaches W&B.

Sources: `wandb.Settings` validators (run ids, projects, tags), the 128-character limit of W&B's server on names, and
64 characters for job types (wandb issue 6402). A ``%`` in a run id passes the client's check, which then sends the rows
of the run to a wrong address (seen with wandb 0.31 and the id ``50%``).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_PLACEHOLDER: Final = re.compile(r"\{\{\.\w+\}\}")
"""What Flyte fills in later; how long the name will be is not known then."""


class Limit(NamedTuple):
    """How long a kind of name may be, and which characters W&B refuses in it."""

    kind: str
    longest: int
    refused: str = ""

    def fault(self, value: object) -> str | None:
        """Say why W&B would refuse `value`, or None where it would not. Flyte's placeholders have no length yet.

        >>> RUN_ID.fault("r1-a0") is None
        True
        >>> RUN_ID.fault("a/b")
        "a run id must not contain '/'; W&B rejects :;,#?/%'"
        """
        a = "an" if self.kind[0] in "aeiou" else "a"
        if not isinstance(value, str):
            return f"{a} {self.kind} must be a string, not {type(value).__name__}"
        if not value.strip() or value != value.strip():
            return f"{a} {self.kind} must not be empty, or start or end with white space"
        if len(value) > self.longest and (length := len(_PLACEHOLDER.sub("", value))) > self.longest:
            return f"{a} {self.kind} has at most {self.longest} characters; this one has {length}"
        if set(self.refused).isdisjoint(value):
            return None
        found = next(character for character in value if character in self.refused)
        return f"{a} {self.kind} must not contain {found!r}; W&B rejects {self.refused}"


RUN_ID: Final = Limit(kind="run id", longest=128, refused=":;,#?/%'")
GROUP: Final = Limit(kind="group", longest=128)
PROJECT: Final = Limit(kind="project", longest=128, refused="/\\#?%:")
ENTITY: Final = Limit(kind="entity", longest=128, refused="/")
NAME: Final = Limit(kind="display name", longest=128)
TAG: Final = Limit(kind="tag", longest=64)
JOB_TYPE: Final = Limit(kind="job type", longest=64)
