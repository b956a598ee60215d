"""A file that a server has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file of a run or of an artifact, as its server describes it.

    Attributes:
        name: Its name, which may be anything.
        url: Where its bytes are.
        size: Bytes, or None where the server does not say.
        md5: Their hash, in hexadecimal or base64, or None.
        updated: When it was written, as the server writes it, or None.
    """

    name: str
    url: str
    size: int | None
    md5: str | None
    updated: str | None = None
