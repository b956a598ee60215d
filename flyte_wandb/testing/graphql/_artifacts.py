"""The operations of artifacts: writing and reading versions, aliases, links and files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from ..rules._filters import Field, look_up, matches, ordered
from ..rules._limits import RefusedError
from ..state._artifacts import Artifact, Collection, CollectionKey, file_names
from ..state._files import JoinedFile
from ..state._run import RunKey
from ._calls import EPOCH, Call, answers, connection, file_node, instant

_NO_LIFETIME: Final = -2
"""Lifetime in seconds of an artifact without its own lifetime: W&B keeps it as long as the team's artifacts."""

_FULL: Final = "MANIFEST_MD5"


@answers("CreateArtifact")
def _create(call: Call) -> dict[str, Any]:
    told = call.input
    name = told.get("artifactCollectionName") or told["artifactCollectionNames"][0]
    source = call.store.artifacts.collection(CollectionKey(*call.place(), name), told["artifactTypeName"])
    latest = source.find("latest")
    artifact = call.store.artifacts.create(
        source,
        digest=told["digest"],
        run=RunKey(*call.place(), told["runName"]) if told.get("runName") else None,
        created=call.store.now(),
        client_id=told.get("clientID"),
        description=told.get("description"),
        metadata=told.get("metadata"),
        tags=_names(told, "tags", "tagName"),
        step=told.get("historyStep"),
        lifetime=told.get("ttlDurationSeconds"),
        wanted_aliases=_names(told, "aliases", "alias"),
    )
    call.store.projects.add(call.place())
    sequence = {"id": source.id, "latestArtifact": latest and {"id": latest.id}}
    return {"createArtifact": {"artifact": {"id": artifact.id, "state": artifact.state, "artifactSequence": sequence}}}


def _names(told: Mapping[str, Any], field: str, name: str) -> list[str]:
    """Return the names in a list of inputs, such as ``{"aliases": [{"alias": "best"}]}``."""
    return [one[name] for one in told.get(field) or ()]


@answers("CreateArtifactManifest", "UpdateArtifactManifest")
def _manifest_file(call: Call) -> dict[str, Any]:
    """Say where the manifest is uploaded to; its id is that of its version."""
    artifact_id = call.input.get("artifactID") or call.input["artifactManifestID"]
    file = {"id": artifact_id, "uploadUrl": _url(call, artifact=artifact_id), "uploadHeaders": []}
    name = call.name[0].lower() + call.name[1:]
    return {name: {"artifactManifest": {"id": artifact_id, "file": file}}}


@answers("CreateArtifactFiles")
def _create_files(call: Call) -> dict[str, Any]:
    edges = [{"node": _file_to_upload(call, spec)} for spec in call.input["artifactFiles"]]
    return {"createArtifactFiles": {"files": {"edges": edges}}}


def _file_to_upload(call: Call, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Say where a file is uploaded to; nowhere where its collection has its content already."""
    digest, artifact = spec["md5"], _artifact(call, spec["artifactID"])
    known = digest in call.store.artifacts.contents and digest in artifact.source.births
    birth = artifact.source.births.setdefault(digest, artifact.id)
    upload: dict[str, Any] = {"uploadUrl": None if known else _url(call, digest=digest, name=spec["name"])}
    parts = [
        {"partNumber": part["partNumber"], "uploadUrl": _part_url(call, digest, part)}
        for part in spec.get("uploadPartsInput") or ()
    ]
    upload["uploadMultipartUrls"] = {"uploadID": digest, "uploadUrlParts": parts} if parts and not known else None
    return {"storagePath": digest, "uploadHeaders": [], "artifact": {"id": birth}, **upload}


def _part_url(call: Call, digest: str, part: Mapping[str, Any]) -> str:
    return _url(call, digest=digest, part=str(part["partNumber"]), md5=part["hexMD5"])


@answers("CompleteMultipartUploadArtifact")
def _complete_parts(call: Call) -> dict[str, Any]:
    """Make a file of its parts. The contents of each part were checked before. The client may ask twice."""
    told, artifacts = call.input, call.store.artifacts
    digest, parts = told["storagePath"], artifacts.parts.get(told["uploadID"], {})
    if digest not in artifacts.contents:
        numbers = [part["partNumber"] for part in told["completedParts"]]
        if missing := [str(number) for number in numbers if number not in parts]:
            raise RefusedError(f"the upload {told['uploadID']} lacks the parts {', '.join(missing)}", 400)
        artifacts.contents[digest] = JoinedFile([parts[number] for number in numbers], digest)
        del artifacts.parts[told["uploadID"]]
    return {"completeMultipartUploadArtifact": {"digest": digest}}


@answers("CommitArtifact")
def _commit(call: Call) -> dict[str, Any]:
    artifacts, artifact = call.store.artifacts, _artifact(call, call.input["artifactID"])
    stored = [name for name, entry in artifact.contents.items() if "ref" not in entry]
    missing = [name for name in stored if artifact.contents[name]["digest"] not in artifacts.contents]
    if missing:
        raise RefusedError(f"the artifact {artifact.id} lacks the files {', '.join(missing)}", 400)
    artifacts.commit(artifact)
    return {"commitArtifact": {"artifact": {"id": artifact.id, "digest": artifact.digest}}}


@answers("UseArtifact")
def _use(call: Call) -> dict[str, Any]:
    artifact = _artifact(call, call.input["artifactID"])
    run = RunKey(*call.place(), call.input["runName"])
    if run not in artifact.used_by:
        artifact.used_by.append(run)
    return {"useArtifact": {"artifact": _node(artifact)}}


@answers("LinkArtifact")
def _link(call: Call) -> dict[str, Any]:
    told = call.input
    known = call.store.artifacts.by_client_id.get(told.get("clientId") or told.get("clientID") or "")
    artifact = known or _artifact(call, told.get("artifactId") or told.get("artifactID") or "")
    key = CollectionKey(*call.place(), told["artifactPortfolioName"])
    collection = call.store.artifacts.collection(key, artifact.source.type, portfolio=True)
    collection.add(artifact, ["latest", *_names(told, "aliases", "alias")])
    artifact.links += [collection] if collection not in artifact.links else []
    call.store.projects.add(call.place())
    answer = {
        "versionIndex": collection.number(artifact),
        "artifactMembership": _membership(collection, artifact),
    }
    return {"linkArtifact": answer, "result": answer}


@answers("UnlinkArtifact")
def _unlink(call: Call) -> dict[str, Any]:
    artifact = _artifact(call, call.input["artifactID"])
    for collection in list(artifact.links):
        if collection.id == call.input["artifactPortfolioID"]:
            collection.take_out(artifact)
            artifact.links.remove(collection)
    return {"result": {"success": True}}


@answers("UpdateArtifact")
def _update(call: Call) -> dict[str, Any]:
    told = call.input
    artifact = _artifact(call, told["artifactID"])
    artifact.metadata = told.get("metadata") or artifact.metadata
    artifact.description = told.get("description") or artifact.description
    artifact.lifetime = told.get("ttlDurationSeconds", artifact.lifetime)
    tags = dict.fromkeys([*artifact.tags, *_names(told, "tagsToAdd", "tagName")])
    artifact.tags = [tag for tag in tags if tag not in _names(told, "tagsToDelete", "tagName")]
    if told.get("aliases") is not None:
        artifact.source.drop_aliases(artifact)
        artifact.source.add(artifact, _names(told, "aliases", "alias"))
    answer = {"artifact": _node(artifact)}
    return {"updateArtifact": answer, "result": answer}


@answers("AddAliases", "DeleteAliases")
def _change_aliases(call: Call) -> dict[str, Any]:
    artifact = _artifact(call, call.input["artifactID"])
    for told in call.input["aliases"]:
        key = CollectionKey(told["entityName"], told["projectName"], told["artifactCollectionName"])
        collection = call.store.artifacts.collections[key]
        if call.name == "AddAliases":
            collection.add(artifact, [told["alias"]])
        else:
            collection.aliases.pop(told["alias"], None)
    return {"result": {"success": True}}


@answers("UpdateArtifactPortfolio", "UpdateArtifactSequence", "UpdateArtifactSequenceType")
def _update_collection(call: Call) -> dict[str, Any]:
    collection = _collection_of(call, "artifactSequenceID", "artifactPortfolioID")
    collection.description = call.input.get("description") or collection.description
    collection.type = call.input.get("destinationArtifactTypeName") or collection.type
    call.store.artifacts.rename(collection, call.input.get("name") or collection.key.name)
    return {"result": {"artifactCollection": _collection(collection)}}


@answers("DeleteArtifact")
def _delete(call: Call) -> dict[str, Any]:
    artifact = _artifact(call, call.input["artifactID"])
    aliases = ", ".join(alias for one in artifact.collections for alias in one.aliases_of(artifact))
    if aliases and not call.input.get("deleteAliases"):
        raise RefusedError(f"cannot delete the artifact {artifact.id}: it has the aliases {aliases}", 409)
    call.store.artifacts.delete(artifact)
    return {"result": {"artifact": {"id": artifact.id}}}


@answers("ArtifactByID", "ArtifactCreatedBy", "ArtifactFileURLsByManifestEntries", "ArtifactManifest")
@answers("ArtifactUsedBy", "FetchArtifactManifest", "FetchLinkedArtifacts")
def _by_id(call: Call) -> dict[str, Any]:
    """Tell all that is asked of one version."""
    told = call.input
    artifact = call.store.artifacts.by_id.get(told.get("id") or told.get("artifact_id") or told["artifactID"])
    if artifact is None:
        return {"artifact": None}
    names = file_names(artifact, _names(told, "entries", "name") if "entries" in told else None)
    answer = {
        **_node(artifact),
        "currentManifest": {"file": {"directUrl": _url(call, artifact=artifact.id)}},
        "filesByManifestEntries": connection(names, lambda name: _file(call, artifact, name)),
        "usedBy": connection(artifact.used_by, _run),
        "createdBy": artifact.run and _run(artifact.run),
        "artifactMemberships": connection(artifact.collections, lambda one: _membership(one, artifact)),
    }
    return {"artifact": answer}


@answers("ArtifactMembershipByName", "ArtifactType")
def _by_name(call: Call) -> dict[str, Any]:
    found = call.store.artifacts.find(CollectionKey(*call.place(), call.input["name"]))
    membership = None if found is None else _membership(*found)
    return call.in_project(artifactCollectionMembership=membership, artifact=membership and membership["artifact"])


@answers("RunInputArtifacts", "RunOutputArtifacts")
def _of_run(call: Call) -> dict[str, Any]:
    """List what a run has logged or used."""
    key = call.key("run")
    own = [one for one in call.store.artifacts.by_id.values() if one.state == "COMMITTED"]
    own = [one for one in own if (key in one.used_by if call.name == "RunInputArtifacts" else one.run == key)]
    return call.in_project(run={"artifacts": call.page(own, _node)})


@answers("ArtifactTypeArtifactCollections", "ProjectArtifactCollections", "ProjectArtifactType", "ProjectArtifactTypes")
@answers("ArtifactMembershipFiles", "ArtifactOfType", "FetchArtifactDigestAlgorithm", "GetArtifactMembershipFileUrls")
@answers("ProjectArtifactCollection", "ProjectArtifacts")
def _collections(call: Call) -> dict[str, Any]:
    """Tell of a project's types, of its collections, and of the versions of one."""
    told = call.input
    kind, name = told.get("type") or told.get("artifactTypeName"), told.get("collection") or told.get("name")
    own = [one for one in call.store.artifacts.collections.values() if one.key[:2] == call.place() and one.members]
    types = list(dict.fromkeys(one.type for one in own))
    own = [one for one in own if kind in (None, one.type)]
    named = next((one for one in own if one.key.name == name), None)
    within = {
        "artifactCollections": call.page(own, _collection),
        "artifactCollection": named and _collection_with_versions(call, named),
    }
    here = {**_type(kind), **within} if kind in types else None
    return call.in_project(artifactTypes=call.page(types, _type), artifactType=here, **within)


def _collection(collection: Collection) -> dict[str, Any]:
    return {
        **_describe_collection(collection),
        "description": collection.description,
        "createdAt": EPOCH,
        "updatedAt": EPOCH,
        "type": {"name": collection.type},
        "tags": {"edges": [{"node": _tag(tag)} for tag in collection.tags]},
        "digestAlgorithm": _FULL,
    }


def _collection_with_versions(call: Call, collection: Collection) -> dict[str, Any]:
    filters = json.loads(call.input.get("filters") or "{}")
    found = [one for one in collection.versions if matches(_fields(one), filters)]
    versions = call.page(ordered(found[::-1], _fields, call.input.get("order") or "-createdAt"), _node)
    for edge in versions["edges"]:
        edge["version"] = f"v{collection.number(call.store.artifacts.by_id[edge['node']['id']])}"
    version = collection.find(call.input.get("alias") or "latest")
    membership = version and _membership_with_files(call, collection, version)
    return {**_collection(collection), "artifacts": versions, "artifactMembership": membership}


def _fields(artifact: Artifact) -> Field:
    """Return the fields of a version for filters and orders: those in answers about it, and ``metadata.NAME``."""
    node = {**_node(artifact), "tags": tuple(artifact.tags)}

    def field(name: str) -> Any:
        head, *path = name.split(".")
        if path and head == "metadata":
            return look_up(json.loads(artifact.metadata or "{}"), path)
        if name not in node:
            raise NotImplementedError(f"it does not know the field {name!r} of artifacts")
        return node[name]

    return field


def _membership_with_files(call: Call, collection: Collection, artifact: Artifact) -> dict[str, Any]:
    files = call.page(file_names(artifact, call.input.get("fileNames")), lambda name: _file(call, artifact, name))
    return {**_membership(collection, artifact), "files": files}


@answers("AddArtifactCollectionTags", "DeleteArtifactCollectionTags")
def _change_tags(call: Call) -> dict[str, Any]:
    key = CollectionKey(*call.place(), call.input["artifactCollectionName"])
    collection, changed = call.store.artifacts.collections[key], _names(call.input, "tags", "tagName")
    others = [tag for tag in collection.tags if tag not in changed]
    collection.tags = [*others, *changed] if call.name == "AddArtifactCollectionTags" else others
    return {"result": {"tags": [_tag(tag) for tag in collection.tags], "success": True}}


@answers("DeleteArtifactPortfolio", "DeleteArtifactSequence")
def _delete_collection(call: Call) -> dict[str, Any]:
    collection = _collection_of(call, "id")
    call.store.artifacts.delete_collection(collection)
    return {
        "result": {
            "artifactCollection": {"__typename": _describe_collection(collection)["__typename"], "state": "DELETED"}
        }
    }


@answers("ArtifactCollectionAliases")
def _aliases(call: Call) -> dict[str, Any]:
    collection = _collection_of(call, "id")
    page = call.page(list(collection.aliases), lambda alias: _alias(collection, alias))
    return {"artifactCollection": {"__typename": "ArtifactSequence", "aliases": page}}


@answers("ClientIDMapping")
def _client_id(call: Call) -> dict[str, Any]:
    artifact = call.store.artifacts.by_client_id.get(call.input["clientID"])
    return {"clientIDMapping": {"serverID": artifact.id} if artifact else None}


def _node(artifact: Artifact) -> dict[str, Any]:
    aliases = [(one, alias) for one in artifact.collections for alias in one.aliases_of(artifact)]
    return {
        "versionIndex": artifact.source.number(artifact),
        "size": artifact.size,
        "fileCount": len(artifact.contents),
        "ttlDurationSeconds": artifact.lifetime or _NO_LIFETIME,
        "ttlIsInherited": artifact.lifetime is None,
        "commitHash": artifact.digest,
        "__typename": "Artifact",
        "id": artifact.id,
        "artifactSequence": _describe_collection(artifact.source),
        "artifactType": {"name": artifact.source.type},
        "description": artifact.description,
        "metadata": artifact.metadata,
        "tags": [_tag(tag) for tag in artifact.tags],
        "historyStep": artifact.step,
        "state": artifact.state,
        "digest": artifact.digest,
        "digestAlgorithm": _FULL,
        "createdAt": instant(artifact.created),
        "updatedAt": None,
        "aliases": [{**_alias(one, alias), "artifactCollection": _describe_collection(one)} for one, alias in aliases],
    }


def _membership(collection: Collection, artifact: Artifact) -> dict[str, Any]:
    return {
        "__typename": "ArtifactCollectionMembership",
        "id": f"{collection.id}/{artifact.id}",
        "versionIndex": collection.number(artifact),
        "createdAt": instant(artifact.created),
        "aliases": [_alias(collection, alias) for alias in collection.aliases_of(artifact)],
        "artifactCollection": _describe_collection(collection),
        "artifact": _node(artifact),
    }


def _describe_collection(collection: Collection) -> dict[str, Any]:
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


def _tag(name: str) -> dict[str, str]:
    return {"__typename": "Tag", "id": name, "name": name}


def _file(call: Call, artifact: Artifact, name: str) -> dict[str, Any]:
    entry = artifact.contents[name]
    url = _url(call, digest=entry["digest"], name=name)
    return file_node(name, url, entry.get("size") or 0, entry["digest"])


def _url(call: Call, **what: str) -> str:
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in what.items())
    return f"{call.store.url}/artifacts?{query}"


def _artifact(call: Call, artifact_id: str) -> Artifact:
    if artifact_id not in call.store.artifacts.by_id:
        raise RefusedError(f"there is no artifact {artifact_id!r}", 404)
    return call.store.artifacts.by_id[artifact_id]


def _collection_of(call: Call, *names: str) -> Collection:
    """Return the collection with the id that one of these variables has."""
    wanted = {call.input.get(name) for name in names}
    (collection,) = [one for one in call.store.artifacts.collections.values() if one.id in wanted]
    return collection
