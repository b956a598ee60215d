"""Artifacts: versions of a collection, their aliases and their files, which are kept once by what they contain.

- Content that its collection already has makes no new version: the aliases go to the older version.
- A commit gives a version its number and the alias ``latest``.
- A link puts a version into another collection, a portfolio, where it has another number and other aliases.
- A number is used once, even after its version is deleted or taken out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ._files import File, describe_files
from ._records import ArtifactRecord, snapshot
from ._run import RunKey


class CollectionKey(NamedTuple):
    """What names a collection on a server."""

    entity: str
    project: str
    name: str


@dataclass(slots=True, kw_only=True, eq=False)
class Artifact:
    """One version. Not thread-safe; the store's lock guards it.

    Attributes:
        contents: The entries of its manifest by name, each with its ``digest`` and, unless it is a reference, ``size``.
        links: The portfolios that have it, too.
    """

    id: str
    source: Collection
    digest: str
    run: RunKey | None
    created: float
    client_id: str | None = None
    description: str | None = None
    metadata: str | None = None
    tags: list[str] = field(default_factory=list)
    step: int | None = None
    lifetime: int | None = None
    wanted_aliases: list[str] = field(default_factory=list)
    state: str = "PENDING"
    manifest: File | None = None
    contents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    links: list[Collection] = field(default_factory=list)
    used_by: list[RunKey] = field(default_factory=list)

    @property
    def collections(self) -> list[Collection]:
        """The collections that have it, its source first."""
        return [self.source, *self.links]

    @property
    def size(self) -> int:
        """Bytes of its files together."""
        return sum(entry.get("size") or 0 for entry in self.contents.values())

    def set_manifest(self, manifest: File) -> None:
        """Take over the list of its files."""
        self.manifest, self.contents = manifest, json.loads(manifest.content).get("contents") or {}


@dataclass(slots=True, kw_only=True, eq=False)
class Collection:
    """The versions of one artifact, or those that are linked to a portfolio, and which has which alias.

    Attributes:
        members: The versions by number, the deleted ones among them.
        births: Which version has brought a content first, by its digest.
    """

    id: str
    key: CollectionKey
    type: str
    portfolio: bool = False
    description: str | None = None
    tags: list[str] = field(default_factory=list)
    members: dict[int, Artifact] = field(default_factory=dict)
    aliases: dict[str, Artifact] = field(default_factory=dict)
    births: dict[str, str] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)
    _by_digest: dict[str, Artifact] = field(default_factory=dict)

    @property
    def versions(self) -> list[Artifact]:
        """The versions that can be used, the newest first."""
        return [one for one in reversed(self.members.values()) if one.state == "COMMITTED"]

    def add(self, artifact: Artifact, aliases: Iterable[str]) -> None:
        """Take in a version, unless it is here already, under aliases that other versions lose."""
        number = self._numbers.setdefault(artifact.id, len(self._numbers))
        self.members[number] = self._by_digest[artifact.digest] = artifact
        self.aliases |= dict.fromkeys(aliases, artifact)

    def take_out(self, artifact: Artifact) -> None:
        """Forget a version and its aliases."""
        self.members.pop(self._numbers[artifact.id], None)
        self.drop_aliases(artifact)

    def drop_aliases(self, artifact: Artifact) -> None:
        """Take all aliases from a version."""
        self.aliases = {alias: one for alias, one in self.aliases.items() if one is not artifact}

    def find(self, alias: str) -> Artifact | None:
        """Return the version with an alias or a number such as ``v0``, or None."""
        number = int(alias[1:]) if alias[:1] == "v" and alias[1:].isdigit() else -1
        artifact = self.aliases.get(alias) or self.members.get(number)
        return artifact if artifact is not None and artifact.state == "COMMITTED" else None

    def find_content(self, digest: str) -> Artifact | None:
        """Return the version with a content, or None."""
        artifact = self._by_digest.get(digest)
        return artifact if artifact is not None and artifact.state == "COMMITTED" else None

    def number(self, artifact: Artifact) -> int | None:
        """Return the number of a version here, or None."""
        return self._numbers.get(artifact.id)

    def aliases_of(self, artifact: Artifact) -> list[str]:
        """Return the aliases that a version has here."""
        return [alias for alias, owner in self.aliases.items() if owner is artifact]


@dataclass(slots=True)
class Artifacts:
    """All artifacts of a server. Not thread-safe; the store's lock guards it.

    Attributes:
        contents: Files by their digest.
        parts: Parts of files that are still to be put together, by the file's digest and the part's number.
    """

    collections: dict[CollectionKey, Collection] = field(default_factory=dict)
    by_id: dict[str, Artifact] = field(default_factory=dict)
    by_client_id: dict[str, Artifact] = field(default_factory=dict)
    contents: dict[str, File] = field(default_factory=dict)
    parts: dict[str, dict[int, File]] = field(default_factory=dict)
    _created: int = 0

    def collection(self, key: CollectionKey, kind: str, *, portfolio: bool = False) -> Collection:
        """Return a collection, and make it if it does not exist."""
        if key not in self.collections:
            self._created += 1
            collection_id = _encode_id("Collection", self._created)
            self.collections[key] = Collection(id=collection_id, key=key, type=kind, portfolio=portfolio)
        return self.collections[key]

    def rename(self, collection: Collection, name: str) -> None:
        """Give a collection another name."""
        del self.collections[collection.key]
        collection.key = collection.key._replace(name=name)
        self.collections[collection.key] = collection

    def create(self, source: Collection, **about: Any) -> Artifact:
        """Return a new version that has yet to be committed, or that of the collection with the same content."""
        same = source.find_content(about["digest"])
        if same is not None:
            source.add(same, about["wanted_aliases"])
            return same
        artifact = Artifact(id=_encode_id("Artifact", len(self.by_id) + 1), source=source, **about)
        self.by_id[artifact.id] = artifact
        if artifact.client_id is not None:
            self.by_client_id[artifact.client_id] = artifact
        return artifact

    def commit(self, artifact: Artifact) -> None:
        """Give a version its number and its aliases."""
        artifact.state = "COMMITTED"
        artifact.source.add(artifact, ["latest", *artifact.wanted_aliases])

    def find(self, key: CollectionKey) -> tuple[Collection, Artifact] | None:
        """Return the version that ``name:alias`` means, and its collection."""
        name, _, alias = key.name.partition(":")
        collection = self.collections.get(key._replace(name=name))
        artifact = None if collection is None else collection.find(alias or "latest")
        return None if collection is None or artifact is None else (collection, artifact)

    def delete(self, artifact: Artifact) -> None:
        """Forget a version; its number is not given again."""
        artifact.state = "DELETED"
        for collection in artifact.collections:
            collection.drop_aliases(artifact)

    def delete_collection(self, collection: Collection) -> None:
        """Forget a collection: with its versions, or with its links where it is a portfolio."""
        del self.collections[collection.key]
        for artifact in collection.members.values():
            if collection.portfolio:
                artifact.links.remove(collection)
            else:
                self.delete(artifact)

    def record(self, artifact: Artifact) -> ArtifactRecord:
        """Return a snapshot that later changes leave alone."""
        files = {name: self.contents.get(entry["digest"]) for name, entry in artifact.contents.items()}
        return snapshot(
            ArtifactRecord,
            artifact,
            **artifact.source.key._asdict(),
            type=artifact.source.type,
            version=artifact.source.number(artifact),
            aliases=tuple(artifact.source.aliases_of(artifact)),
            linked=tuple("/".join(one.key) for one in artifact.links),
            metadata=json.loads(artifact.metadata or "{}"),
            **describe_files({name: file for name, file in files.items() if file is not None}),
            references={name: entry["ref"] for name, entry in artifact.contents.items() if "ref" in entry},
            logged_by=artifact.run.id if artifact.run else None,
            used_by=tuple(run.id for run in artifact.used_by),
        )


def file_names(artifact: Artifact, names: Sequence[str] | None) -> list[str]:
    """Return those of the wanted files that a version has, all for None."""
    return [name for name in (artifact.contents if names is None else names) if name in artifact.contents]


def _encode_id(kind: str, number: int) -> str:
    """Make an id as the server's are: the client decodes it from base64."""
    return base64.b64encode(f"{kind}:{number:06}".encode()).decode()
