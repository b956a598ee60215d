"""Artifacts: versions of a collection, their aliases and their files, which are kept once by what they contain.

- A version that has the content of one of its collection is no new version; its aliases go to the older one.
- A commit gives a version its number and the alias ``latest``.
- A link puts a version into another collection, a portfolio, where it has another number and other aliases.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ._records import ArtifactRecord
from ._run import File, RunKey


class CollectionKey(NamedTuple):
    """What names a collection on a server."""

    entity: str
    project: str
    name: str


@dataclass(slots=True, kw_only=True)
class Artifact:
    """One version. Not thread-safe; the store's lock guards it."""

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
    manifest: bytes = b"{}"
    used_by: list[RunKey] = field(default_factory=list)

    @property
    def contents(self) -> dict[str, dict[str, Any]]:
        """The entries of the manifest by name, each with its ``digest`` and, unless it is a reference, its ``size``."""
        return dict(json.loads(self.manifest).get("contents") or {})


@dataclass(slots=True, kw_only=True)
class Collection:
    """The versions of one artifact, or those that are linked to a portfolio, and which has which alias."""

    id: str
    key: CollectionKey
    type: str
    portfolio: bool = False
    description: str | None = None
    members: list[Artifact] = field(default_factory=list)
    aliases: dict[str, Artifact] = field(default_factory=dict)
    births: dict[str, str] = field(default_factory=dict)

    def add(self, artifact: Artifact, aliases: Sequence[str]) -> None:
        """Take in a version, unless it is here already, under aliases that other versions lose."""
        if artifact not in self.members:
            self.members.append(artifact)
        self.aliases |= dict.fromkeys(aliases, artifact)

    def find(self, alias: str) -> Artifact | None:
        """Return the version with an alias or a number such as ``v0``, or None."""
        found = self.aliases.get(alias)
        if found is None and alias[:1] == "v" and alias[1:].isdigit() and int(alias[1:]) < len(self.members):
            found = self.members[int(alias[1:])]
        return found if found is not None and found.state == "COMMITTED" else None

    def aliases_of(self, artifact: Artifact) -> list[str]:
        """Return the aliases that a version has here."""
        return [alias for alias, owner in self.aliases.items() if owner is artifact]


@dataclass(slots=True)
class Artifacts:
    """All artifacts of a server. Not thread-safe; the store's lock guards it."""

    collections: dict[CollectionKey, Collection] = field(default_factory=dict)
    by_id: dict[str, Artifact] = field(default_factory=dict)
    contents: dict[str, File] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)

    def collection(self, key: CollectionKey, kind: str, *, portfolio: bool = False) -> Collection:
        """Return a collection, which is made where there is none."""
        made = Collection(id=_id("Collection", len(self.collections)), key=key, type=kind, portfolio=portfolio)
        return self.collections.setdefault(key, made)

    def create(self, key: CollectionKey, kind: str, **about: Any) -> Artifact:
        """Return a new version that has yet to be committed, or that of the collection with the same content."""
        source, aliases = self.collection(key, kind), about["wanted_aliases"]
        same = [one for one in source.members if one.digest == about["digest"] and one.state == "COMMITTED"]
        if same:
            source.add(same[-1], aliases)
            return same[-1]
        artifact = Artifact(id=_id("Artifact", len(self.by_id)), source=source, **about)
        self.by_id[artifact.id] = artifact
        return artifact

    def commit(self, artifact: Artifact) -> None:
        """Give a version its number and its aliases."""
        artifact.state = "COMMITTED"
        artifact.source.add(artifact, ["latest", *artifact.wanted_aliases])

    def put_content(self, digest: str, content: bytes) -> bool:
        """Keep a content unless it is not the one that was announced."""
        file = File.of(content)
        if digest not in ("", file.md5):
            return False
        self.contents[file.md5] = file
        return True

    def find(self, key: CollectionKey) -> tuple[Collection, Artifact] | None:
        """Return the version that ``name:alias`` means, and its collection."""
        name, _, alias = key.name.partition(":")
        collection = self.collections.get(key._replace(name=name))
        artifact = None if collection is None else collection.find(alias or "latest")
        return None if collection is None or artifact is None else (collection, artifact)

    def memberships(self, artifact: Artifact) -> list[Collection]:
        """Return the collections that have a version, its source first."""
        others = [one for one in self.collections.values() if artifact in one.members and one is not artifact.source]
        return [artifact.source, *others]

    def delete(self, artifact: Artifact) -> None:
        """Forget a version; its number is not given again."""
        artifact.state = "DELETED"
        for collection in self.memberships(artifact):
            collection.aliases = {alias: one for alias, one in collection.aliases.items() if one is not artifact}

    def record(self, artifact: Artifact) -> ArtifactRecord:
        """Return a snapshot that later changes leave alone."""
        source, entries = artifact.source, artifact.contents
        return ArtifactRecord(
            **source.key._asdict(),
            type=source.type,
            version=source.members.index(artifact) if artifact in source.members else None,
            aliases=tuple(source.aliases_of(artifact)),
            linked=tuple("/".join(one.key) for one in self.memberships(artifact)[1:]),
            state=artifact.state,
            digest=artifact.digest,
            description=artifact.description,
            metadata=json.loads(artifact.metadata or "{}"),
            files={
                name: self.contents[entry["digest"]].content for name, entry in entries.items() if "ref" not in entry
            },
            references={name: entry["ref"] for name, entry in entries.items() if "ref" in entry},
            logged_by=artifact.run.id if artifact.run else None,
            used_by=tuple(run.id for run in artifact.used_by),
        )


def fields(artifact: Artifact, memberships: Sequence[Collection]) -> Mapping[str, Any]:
    """Return what is counted of a version: its number, size and files."""
    entries, source = artifact.contents.values(), artifact.source
    return {
        "versionIndex": source.members.index(artifact) if artifact in source.members else None,
        "size": sum(entry.get("size") or 0 for entry in entries),
        "fileCount": len(entries),
        "aliases": [(one, alias) for one in memberships for alias in one.aliases_of(artifact)],
    }


def _id(kind: str, number: int) -> str:
    """Make an id as the server's are: the client decodes it from base64."""
    return base64.b64encode(f"{kind}:{number + 1:06}".encode()).decode()
