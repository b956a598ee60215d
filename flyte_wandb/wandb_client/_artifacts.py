"""Versions of artifacts as their server has them: what is known of them, and where their files are.

W&B's own `Artifact.download` does not do here: it follows references, also to files of this machine, fills the cache of
the user, and writes over what is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin

from ._remote_file import RemoteFile

_FILES_PER_PAGE: Final = 1000
"""Files of one answer: W&B's client asks for 5000 when it downloads, and each has a signed address of 500 bytes."""

_OWN_TYPES: Final = "wandb-"
"""What types begin with that W&B keeps for itself, such as the history of a run that it has exported."""

_MANIFEST: Final = """
query FetchArtifactManifest($id: ID!) {
  artifact(id: $id) { currentManifest { file { directUrl } } }
}
"""


class ManifestError(Exception):
    """The manifest of an artifact is none; the message is why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactEntry:
    """One file of an artifact, as its manifest has it.

    Attributes:
        name: Its name in the artifact, which may be anything.
        size: Bytes, or None where the manifest does not say.
        md5: Its hash in base64, or None where it is hashed in another way.
        reference: Where the content is, if W&B does not have it, such as ``s3://bucket/data.bin``; else None.
    """

    name: str
    size: int | None
    md5: str | None
    reference: str | None


class RemoteArtifact:
    """A version of an artifact as its server knows it. Every call that asks the server blocks.

    Args:
        artifact: W&B's own object.
        service: The connection to ask through.
    """

    def __init__(self, artifact: Any, service: Any) -> None:
        self._artifact, self._service = artifact, service

    @property
    def id(self) -> str:
        """The server's id of this version."""
        return str(self._artifact.id)

    @property
    def collection(self) -> str:
        """The name without the version; any text, since it comes from the server."""
        return str(self._artifact.source_name).rpartition(":")[0]

    @property
    def name(self) -> str:
        """Collection and version, such as ``model:v3``."""
        return f"{self.collection}:{self.version}"

    @property
    def version(self) -> str:
        """The version, such as ``v3``."""
        return str(self._artifact.source_version)

    @property
    def aliases(self) -> tuple[str, ...]:
        """Its other names in the collection."""
        return tuple(self._artifact.aliases)

    @property
    def age(self) -> tuple[str, int]:
        """What versions are sorted by, from the oldest to the newest: W&B tells the second in which one was made."""
        number = self.version.removeprefix("v")
        return str(self._artifact.created_at), int(number) if number.isdecimal() else 0

    @property
    def is_of_wandb(self) -> bool:
        """Whether W&B has made it for itself."""
        return str(self._artifact.type).startswith(_OWN_TYPES)

    @property
    def is_committed(self) -> bool:
        """Whether it is whole, and not deleted."""
        return str(self._artifact.state) == "COMMITTED"

    @property
    def facts(self) -> dict[str, Any]:
        """What there is to know of it beside its files."""
        artifact = self._artifact
        return {
            "name": self.collection,
            "version": self.version,
            "type": artifact.type,
            "entity": artifact.source_entity,
            "project": artifact.source_project,
            "aliases": list(self.aliases),
            "tags": list(artifact.tags),
            "description": artifact.description,
            "metadata": dict(artifact.metadata or {}),
            "digest": artifact.digest,
            "size": artifact.size,
            "state": artifact.state,
            "created_at": artifact.created_at,
            "history_step": artifact.history_step,
        }

    def manifest(self) -> RemoteFile:
        """Return where its manifest is.

        Raises:
            ManifestError: The server has none.
        """
        answer = self._service.execute_graphql(_MANIFEST, variables={"id": self.id})
        file = ((answer["artifact"] or {}).get("currentManifest") or {}).get("file")
        if not file:
            raise ManifestError("W&B has no manifest of it")
        return RemoteFile(
            name=f"the manifest of {self.name}", url=self._full_url(file["directUrl"]), size=None, md5=None
        )

    def files(self, names: Sequence[str] = ()) -> dict[str, str]:
        """Return the address of each file by its name.

        Args:
            names: Only these; all where empty.
        """
        found = self._artifact.files(names=list(names) or None, per_page=_FILES_PER_PAGE)
        addresses = ((file.name, getattr(file, "direct_url", None) or getattr(file, "url", None)) for file in found)
        return {name: self._full_url(address) for name, address in addresses if address}

    def _full_url(self, address: str) -> str:
        return urljoin(f"{self._service.base_url}/", address)


def parse_manifest(content: bytes) -> list[ArtifactEntry]:
    """Read the entries of a manifest.

    Raises:
        ManifestError: It is none.

    >>> parse_manifest(b'{"contents": {"a.txt": {"digest": "DMF1ucDxtqgxw5niaXcmYQ==", "size": 1}}}')
    [ArtifactEntry(name='a.txt', size=1, md5='DMF1ucDxtqgxw5niaXcmYQ==', reference=None)]
    """
    try:
        return list(_read_entries(json.loads(content)["contents"]))
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ManifestError(f"its manifest cannot be read ({type(error).__name__})") from error


def _read_entries(contents: Mapping[str, Mapping[str, Any]]) -> Iterator[ArtifactEntry]:
    for name, entry in contents.items():
        size, reference = entry.get("size"), entry.get("ref")
        # wandb 0.31 names the algorithm where it is not md5, see `DIGEST_ALGORITHM_EXTRA_KEY` there.
        md5 = None if reference or "alg" in (entry.get("extra") or {}) else str(entry["digest"])
        yield ArtifactEntry(
            name=name,
            size=None if size is None else int(size),
            md5=md5,
            reference=None if reference is None else str(reference),
        )
