"""The operations of artifacts: writing and reading versions, aliases, links and files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from ._artifacts import Artifact, Artifacts, Collection, CollectionKey, fields
from ._calls import EPOCH, Answer, Call, connection, instant
from ._limits import RefusedError
from ._run import RunKey

_NO_LIFETIME: Final = -2
"""What stands in the place of the seconds of an artifact that is kept as long as its team's are."""

_FULL: Final = "MANIFEST_MD5"


def _create(call: Call) -> dict[str, Any]:
    told = call.input
    name = told.get("artifactCollectionName") or told["artifactCollectionNames"][0]
    with call.store.artifacts() as artifacts:
        key = CollectionKey(*call.place(), name)
        latest = artifacts.find(key)
        artifact = artifacts.create(
            key,
            told["artifactTypeName"],
            digest=told["digest"],
            run=RunKey(*call.place(), told["runName"]) if told.get("runName") else None,
            created=call.store.now(),
            client_id=told.get("clientID"),
            description=told.get("description"),
            metadata=told.get("metadata"),
            tags=[tag["tagName"] for tag in told.get("tags") or ()],
            step=told.get("historyStep"),
            lifetime=told.get("ttlDurationSeconds"),
            wanted_aliases=[alias["alias"] for alias in told.get("aliases") or ()],
        )
    call.store.add_project(call.place())
    sequence = {"id": artifact.source.id, "latestArtifact": {"id": latest[1].id} if latest else None}
    return {"createArtifact": {"artifact": {"id": artifact.id, "state": artifact.state, "artifactSequence": sequence}}}


def _manifest_file(call: Call) -> dict[str, Any]:
    """Say where the manifest is uploaded to; its id is that of its version."""
    artifact_id = call.input.get("artifactID") or call.input["artifactManifestID"]
    file = {"id": artifact_id, "uploadUrl": _url(call, artifact=artifact_id), "uploadHeaders": []}
    name = call.name[0].lower() + call.name[1:]
    return {name: {"artifactManifest": {"id": artifact_id, "file": file}}}


def _create_files(call: Call) -> dict[str, Any]:
    with call.store.artifacts() as artifacts:
        edges = [{"node": _file_to_upload(call, artifacts, spec)} for spec in call.input["artifactFiles"]]
    return {"createArtifactFiles": {"files": {"edges": edges}}}


def _file_to_upload(call: Call, artifacts: Artifacts, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Say where a file is uploaded to; nowhere where its collection has its content already."""
    digest, artifact = spec["md5"], _artifact(artifacts, spec["artifactID"])
    known = digest in artifacts.contents and digest in artifact.source.births
    birth = artifact.source.births.setdefault(digest, artifact.id)
    upload: dict[str, Any] = {"uploadUrl": None if known else _url(call, digest=digest, name=spec["name"])}
    numbers = [part["partNumber"] for part in spec.get("uploadPartsInput") or ()]
    parts = [{"partNumber": number, "uploadUrl": _url(call, digest=digest, part=str(number))} for number in numbers]
    upload["uploadMultipartUrls"] = {"uploadID": digest, "uploadUrlParts": parts} if parts and not known else None
    return {"storagePath": digest, "uploadHeaders": [], "artifact": {"id": birth}, **upload}


def _complete_parts(call: Call) -> dict[str, Any]:
    told = call.input
    with call.store.artifacts() as artifacts:
        parts = artifacts.parts.pop(told["uploadID"], {})
        content = b"".join(parts[part["partNumber"]] for part in told["completedParts"])
        if not artifacts.put_content(told["storagePath"], content):
            raise RefusedError(f"the parts of the upload {told['uploadID']} do not have the digest of the file", 400)
    return {"completeMultipartUploadArtifact": {"digest": told["storagePath"]}}


def _commit(call: Call) -> dict[str, Any]:
    with call.store.artifacts() as artifacts:
        artifact = _artifact(artifacts, call.input["artifactID"])
        missing = [
            name
            for name, entry in artifact.contents.items()
            if "ref" not in entry and entry["digest"] not in artifacts.contents
        ]
        if missing:
            raise RefusedError(f"the artifact {artifact.id} lacks the files {', '.join(missing)}", 400)
        artifacts.commit(artifact)
    return {"commitArtifact": {"artifact": {"id": artifact.id, "digest": artifact.digest}}}


def _use(call: Call) -> dict[str, Any]:
    with call.store.artifacts() as artifacts:
        artifact = _artifact(artifacts, call.input["artifactID"])
        run = RunKey(*call.place(), call.input["runName"])
        if run not in artifact.used_by:
            artifact.used_by.append(run)
        return {"useArtifact": {"artifact": _node(artifacts, artifact)}}


def _link(call: Call) -> dict[str, Any]:
    told = call.input
    with call.store.artifacts() as artifacts:
        client_id = told.get("clientId") or told.get("clientID")
        artifact = _of_client(artifacts, client_id) or _artifact(
            artifacts, told.get("artifactId") or told.get("artifactID") or ""
        )
        key = CollectionKey(*call.place(), told["artifactPortfolioName"])
        collection = artifacts.collection(key, artifact.source.type, portfolio=True)
        collection.add(artifact, ["latest", *(alias["alias"] for alias in told.get("aliases") or ())])
        answer: dict[str, Any] = {"versionIndex": collection.members.index(artifact)}
        answer["artifactMembership"] = _membership(artifacts, collection, artifact)
    call.store.add_project(call.place())
    return {"linkArtifact": answer, "result": answer}


def _unlink(call: Call) -> dict[str, Any]:
    with call.store.artifacts() as artifacts:
        artifact = _artifact(artifacts, call.input["artifactID"])
        for collection in artifacts.memberships(artifact)[1:]:
            if collection.id == call.input["artifactPortfolioID"]:
                collection.members.remove(artifact)
                collection.aliases = {alias: one for alias, one in collection.aliases.items() if one is not artifact}
    return {"result": {"success": True}}


def _update(call: Call) -> dict[str, Any]:
    told = call.input
    with call.store.artifacts() as artifacts:
        artifact = _artifact(artifacts, told["artifactID"])
        artifact.metadata = told.get("metadata") or artifact.metadata
        artifact.description = told.get("description") or artifact.description
        artifact.lifetime = told.get("ttlDurationSeconds", artifact.lifetime)
        gone = {tag["tagName"] for tag in told.get("tagsToDelete") or ()}
        added = [tag["tagName"] for tag in told.get("tagsToAdd") or ()]
        artifact.tags = [tag for tag in dict.fromkeys([*artifact.tags, *added]) if tag not in gone]
        if told.get("aliases") is not None:
            source = artifact.source
            source.aliases = {alias: one for alias, one in source.aliases.items() if one is not artifact}
            source.add(artifact, [alias["alias"] for alias in told["aliases"]])
        answer = {"artifact": _node(artifacts, artifact)}
    return {"updateArtifact": answer, "result": answer}


def _change_aliases(call: Call) -> dict[str, Any]:
    with call.store.artifacts() as artifacts:
        artifact = _artifact(artifacts, call.input["artifactID"])
        for told in call.input["aliases"]:
            key = CollectionKey(told["entityName"], told["projectName"], told["artifactCollectionName"])
            collection = artifacts.collections[key]
            if call.name == "AddAliases":
                collection.add(artifact, [told["alias"]])
            else:
                collection.aliases.pop(told["alias"], None)
    return {"result": {"success": True}}


def _describe(call: Call) -> dict[str, Any]:
    """Change what is said of a collection."""
    told = call.input
    wanted = told.get("artifactSequenceID") or told.get("artifactPortfolioID")
    with call.store.artifacts() as artifacts:
        (collection,) = [one for one in artifacts.collections.values() if one.id == wanted]
        collection.description = told.get("description") or collection.description
        return {"result": {"artifactCollection": _collection(call, artifacts, collection)}}


def _delete(call: Call) -> dict[str, Any]:
    with call.store.artifacts() as artifacts:
        artifact = _artifact(artifacts, call.input["artifactID"])
        aliases = [alias for one in artifacts.memberships(artifact) for alias in one.aliases_of(artifact)]
        if aliases and not call.input.get("deleteAliases"):
            raise RefusedError(
                f"cannot delete the artifact {artifact.id}: it has the aliases {', '.join(aliases)}", 409
            )
        artifacts.delete(artifact)
    return {"result": {"artifact": {"id": artifact.id}}}


def _by_id(call: Call) -> dict[str, Any]:
    """Tell all that is asked of one version."""
    with call.store.artifacts() as artifacts:
        artifact = artifacts.by_id.get(
            call.input.get("id") or call.input.get("artifact_id") or call.input["artifactID"]
        )
        if artifact is None:
            return {"artifact": None}
        entries = [(name, artifact.contents[name]) for name in _wanted(call, artifact)]
        owners = artifacts.memberships(artifact)
        told = {
            **_node(artifacts, artifact),
            "currentManifest": {"file": {"directUrl": _url(call, artifact=artifact.id)}},
            "filesByManifestEntries": connection(entries, lambda entry: _file(call, artifacts, *entry)),
            "usedBy": connection(artifact.used_by, _run),
            "createdBy": None if artifact.run is None else _run(artifact.run),
            "artifactMemberships": connection(owners, lambda one: _membership(artifacts, one, artifact)),
        }
    return {"artifact": told}


def _wanted(call: Call, artifact: Artifact) -> Iterable[str]:
    told = call.input.get("entries")
    return artifact.contents if told is None else [entry["name"] for entry in told]


def _by_name(call: Call) -> dict[str, Any]:
    with call.store.artifacts() as artifacts:
        found = artifacts.find(CollectionKey(*call.place(), call.input["name"]))
        membership = None if found is None else _membership(artifacts, *found)
        return call.in_project(artifactCollectionMembership=membership, artifact=membership and membership["artifact"])


def _of_run(call: Call) -> dict[str, Any]:
    """List what a run has logged or used."""
    key = call.key("run")
    with call.store.artifacts() as artifacts:
        own = [one for one in artifacts.by_id.values() if one.state == "COMMITTED"]
        own = [one for one in own if (key in one.used_by if call.name == "RunInputArtifacts" else one.run == key)]
        return call.in_project(run={"artifacts": call.page(own, lambda one: _node(artifacts, one))})


def _collections(call: Call) -> dict[str, Any]:
    """Tell of a project's types, of its collections, and of the versions of one."""
    told = call.input
    kind, name = told.get("type") or told.get("artifactTypeName"), told.get("collection") or told.get("name")
    with call.store.artifacts() as artifacts:
        own = [one for key, one in artifacts.collections.items() if key[:2] == call.place() and one.members]
        types = list(dict.fromkeys(one.type for one in own))
        own = [one for one in own if kind in (None, one.type)]
        named = next((one for one in own if one.key.name == name), None)
        page = call.page(own, lambda one: _collection(call, artifacts, one))
        within = {"artifactCollections": page, "artifactCollection": named and _collection(call, artifacts, named)}
        here = {**_type(kind), **within} if kind in types else None
        return call.in_project(artifactTypes=call.page(types, _type), artifactType=here, **within)


def _collection(call: Call, artifacts: Artifacts, collection: Collection) -> dict[str, Any]:
    versions = [one for one in reversed(collection.members) if one.state == "COMMITTED"]
    page = call.page(versions, lambda one: _node(artifacts, one))
    for edge, one in zip(page["edges"], versions, strict=False):
        edge["version"] = f"v{collection.members.index(one)}"
    found = collection.find(call.input.get("alias") or "latest")
    membership = None
    if found is not None:
        names = [name for name in call.input.get("fileNames") or found.contents if name in found.contents]
        files = call.page(names, lambda name: _file(call, artifacts, name, found.contents[name]))
        membership = {**_membership(artifacts, collection, found), "files": files}
    return {
        **_place(collection),
        "description": collection.description,
        "createdAt": EPOCH,
        "updatedAt": EPOCH,
        "type": {"name": collection.type},
        "tags": {"edges": []},
        "digestAlgorithm": _FULL,
        "artifacts": page,
        "artifactMembership": membership,
    }


def _aliases(call: Call) -> dict[str, Any]:
    with call.store.artifacts() as artifacts:
        (collection,) = [one for one in artifacts.collections.values() if one.id == call.input["id"]]
        page = call.page(list(collection.aliases), lambda alias: _alias(collection, alias))
    return {"artifactCollection": {"__typename": "ArtifactSequence", "aliases": page}}


def _client_id(call: Call) -> dict[str, Any]:
    with call.store.artifacts() as artifacts:
        artifact = _of_client(artifacts, call.input["clientID"])
    return {"clientIDMapping": {"serverID": artifact.id} if artifact else None}


def _node(artifacts: Artifacts, artifact: Artifact) -> dict[str, Any]:
    counted = fields(artifact, artifacts.memberships(artifact))
    return {
        **counted,
        "ttlDurationSeconds": artifact.lifetime or _NO_LIFETIME,
        "ttlIsInherited": artifact.lifetime is None,
        "commitHash": None,
        "__typename": "Artifact",
        "id": artifact.id,
        "artifactSequence": _place(artifact.source),
        "artifactType": {"name": artifact.source.type},
        "description": artifact.description,
        "metadata": artifact.metadata,
        "tags": [{"__typename": "Tag", "id": tag, "name": tag} for tag in artifact.tags],
        "historyStep": artifact.step,
        "state": artifact.state,
        "digest": artifact.digest,
        "digestAlgorithm": _FULL,
        "createdAt": instant(artifact.created),
        "updatedAt": None,
        "aliases": [{**_alias(one, alias), "artifactCollection": _place(one)} for one, alias in counted["aliases"]],
    }


def _membership(artifacts: Artifacts, collection: Collection, artifact: Artifact) -> dict[str, Any]:
    return {
        "__typename": "ArtifactCollectionMembership",
        "id": f"{collection.id}/{artifact.id}",
        "versionIndex": collection.members.index(artifact) if artifact in collection.members else None,
        "createdAt": instant(artifact.created),
        "aliases": [_alias(collection, alias) for alias in collection.aliases_of(artifact)],
        "artifactCollection": _place(collection),
        "artifact": _node(artifacts, artifact),
    }


def _place(collection: Collection) -> dict[str, Any]:
    kind = "ArtifactPortfolio" if collection.portfolio else "ArtifactSequence"
    return {"__typename": kind, "id": collection.id, "name": collection.key.name, "project": _project(collection.key)}


def _project(key: Sequence[str]) -> dict[str, Any]:
    return {"id": "1", "internalId": "1", "name": key[1], "entity": {"name": key[0]}}


def _run(key: RunKey) -> dict[str, Any]:
    return {"__typename": "Run", "id": "/".join(key), "name": key.id, "project": _project(key)}


def _type(name: str | None) -> dict[str, Any]:
    return {"__typename": "ArtifactType", "id": name, "name": name, "description": None, "createdAt": EPOCH}


def _alias(collection: Collection, alias: str) -> dict[str, str]:
    return {"__typename": "ArtifactAlias", "id": f"{collection.id}:{alias}", "alias": alias}


def _file(call: Call, artifacts: Artifacts, name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    url = _url(call, digest=entry["digest"], name=name)
    told = {"name": name, "url": url, "directUrl": url, "sizeBytes": entry.get("size") or 0, "md5": entry["digest"]}
    return {
        "__typename": "File",
        "id": name,
        "storagePath": entry["digest"],
        "mimetype": None,
        "updatedAt": None,
        "digest": entry["digest"],
        **told,
    }


def _url(call: Call, **what: str) -> str:
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in what.items())
    return f"{call.store.url}/artifacts?{query}"


def _artifact(artifacts: Artifacts, artifact_id: str) -> Artifact:
    if artifact_id not in artifacts.by_id:
        raise RefusedError(f"there is no artifact {artifact_id!r}", 404)
    return artifacts.by_id[artifact_id]


def _of_client(artifacts: Artifacts, client_id: str | None) -> Artifact | None:
    """Return the version that the client knows by an id of its own."""
    return next((one for one in artifacts.by_id.values() if client_id and one.client_id == client_id), None)


ANSWERS: Final[Mapping[str, Answer]] = {
    "AddAliases": _change_aliases,
    "ArtifactByID": _by_id,
    "ArtifactCollectionAliases": _aliases,
    "ArtifactCreatedBy": _by_id,
    "ArtifactFileURLsByManifestEntries": _by_id,
    "ArtifactManifest": _by_id,
    "ArtifactMembershipByName": _by_name,
    "ArtifactMembershipFiles": _collections,
    "ArtifactOfType": _collections,
    "ArtifactType": _by_name,
    "ArtifactTypeArtifactCollections": _collections,
    "ArtifactUsedBy": _by_id,
    "ClientIDMapping": _client_id,
    "CommitArtifact": _commit,
    "CompleteMultipartUploadArtifact": _complete_parts,
    "CreateArtifact": _create,
    "CreateArtifactFiles": _create_files,
    "CreateArtifactManifest": _manifest_file,
    "DeleteAliases": _change_aliases,
    "DeleteArtifact": _delete,
    "FetchArtifactDigestAlgorithm": _collections,
    "FetchArtifactManifest": _by_id,
    "FetchLinkedArtifacts": _by_id,
    "GetArtifactMembershipFileUrls": _collections,
    "LinkArtifact": _link,
    "ProjectArtifactCollection": _collections,
    "ProjectArtifactCollections": _collections,
    "ProjectArtifactType": _collections,
    "ProjectArtifactTypes": _collections,
    "ProjectArtifacts": _collections,
    "RunInputArtifacts": _of_run,
    "RunOutputArtifacts": _of_run,
    "UnlinkArtifact": _unlink,
    "UpdateArtifact": _update,
    "UpdateArtifactManifest": _manifest_file,
    "UpdateArtifactPortfolio": _describe,
    "UpdateArtifactSequence": _describe,
    "UseArtifact": _use,
}
"""The operations by name."""
