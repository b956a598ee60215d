"""A file of a run, with what the server says of it besides its content."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is kept.

    Attributes:
        content: The bytes.
        md5: Their MD5 digest in base64, as W&B tells it.
    """

    content: bytes
    md5: str

    @classmethod
    def of(cls, content: bytes) -> File:
        """Return a file with the content."""
        digest = hashlib.md5(content, usedforsecurity=False).digest()
        return cls(content, base64.b64encode(digest).decode())
