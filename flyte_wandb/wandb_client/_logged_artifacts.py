"""Artifacts in the log of an offline run: which files they consist of, and their records, rebuilt for the upload.

W&B's service uploads whatever file of the machine an artifact's record names, and reads and removes the file that a
record names as its manifest (wandb 0.31, `core/pkg/artifacts/saver.go`). A log may come from elsewhere, so a record is
written anew: with paths of copies from the run's own folder that have the md5 in the record.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from .._logging import quoted
from .._place import Place
from ._log_file import LogRecords, protocol

_TEXTS: Final = (
    "aliases",
    "client_id",
    "description",
    "digest",
    "finalize",
    "metadata",
    "name",
    "sequence_client_id",
    "tags",
    "ttl_duration_seconds",
    "type",
    "use_after_commit",
)
"""What of a record is about this version alone. The rest names other versions, other runs, or files of the machine."""

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""W&B's rule for names of artifacts, which its client checks and its service does not."""

_OWN_TYPES: Final = re.compile(r"job|wandb-.*", re.DOTALL)
"""Types that W&B keeps for itself; a job is code that W&B Launch runs."""

_OTHER_VERSIONS: Final = ("wandb-artifact:", "wandb-client-artifact:")
"""Schemes of references into other artifacts of the server, which its user may see and others may not."""

_DIGEST_HEADER: Final = b"wandb-artifact-manifest-v1\n"
_MD5_SIZE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFile:
    """A file of an artifact that a log names.

    Attributes:
        artifact: The artifact's name, which may be any text, as may be the others.
        name: The name of the file in it.
        md5: The md5 of its content in hex, or None where the log has none.
        path: Where it was on the machine that has written the log.
    """

    artifact: str
    name: str
    md5: str | None
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedArtifact:
    """A version of an artifact that is uploaded.

    Attributes:
        type: Its type.
        name: Its name.
        digest: What tells it from other versions.
    """

    type: str
    name: str
    digest: str


class UnfitArtifactError(Exception):
    """An artifact cannot be uploaded; the message is why."""


def read_artifact_files(log: Path) -> Iterator[ArtifactFile]:
    """Yield the files of artifacts that a log names, up to its truncated end if it has one.

    Args:
        log: A file ``run-ID.wandb``.

    Raises:
        OSError: It cannot be read.
    """
    with log.open("rb") as file:
        for record in LogRecords(file):
            if record.WhichOneof("record_type") == "artifact":
                yield from _files_of_record(record.artifact)


def staging_folder() -> Path:
    """Return the folder in which W&B keeps what was added to artifacts until it is uploaded."""
    from wandb.env import get_data_dir

    # As `wandb.sdk.artifacts.staging.get_staging_dir`, which makes the folder, or fails where it cannot.
    return Path(get_data_dir(), "artifacts", "staging")


def rebuild_artifact(artifact: Any, run_id: str, place: Place, files: Mapping[str, Path]) -> Any:
    """Return a record that uploads a version, out of what is harmless in the one of a log.

    Args:
        artifact: The record of the log.
        run_id: The run that logs it.
        place: Where it goes.
        files: Copies of files on this machine, by their md5 in hex, which was compared.

    Raises:
        UnfitArtifactError: It is not uploaded.
    """
    _check_record(artifact)
    rebuilt = protocol().ArtifactRecord(run_id=run_id, project=place.project or "", entity=place.entity or "")
    for name in _TEXTS:
        value = getattr(artifact, name)
        if name in ("aliases", "tags"):
            getattr(rebuilt, name).extend(value)
        else:
            setattr(rebuilt, name, value)
    rebuilt.manifest.version, rebuilt.manifest.storage_policy = 1, "wandb-storage-policy-v1"
    for entry in artifact.manifest.contents:
        rebuilt.manifest.contents.append(_rebuild_entry(entry, files))
    return rebuilt


def _check_record(artifact: Any) -> None:
    manifest = artifact.manifest
    faults = {
        "W&B does not accept its name": not _NAME.fullmatch(artifact.name),
        f"the type {quoted(artifact.type)} is W&B's own": bool(_OWN_TYPES.fullmatch(artifact.type)),
        "it is a part of a version, or changes another version": bool(
            artifact.base_id or artifact.distributed_id or artifact.incremental_beta1 or not artifact.finalize
        ),
        "its list of files is in a separate file, as W&B writes it for more than 100,000 files": bool(
            manifest.manifest_file_path
        ),
        "its digest is not that of its files": artifact.digest != _digest_of(manifest.contents),
    }
    fault = next((text for text, holds in faults.items() if holds), None)
    if fault:
        raise UnfitArtifactError(fault)


def _rebuild_entry(entry: Any, files: Mapping[str, Path]) -> Any:
    name = PurePosixPath(entry.path)
    if name.is_absolute() or ".." in name.parts or not entry.path.isprintable():
        raise UnfitArtifactError(f"the name of its file {quoted(entry.path)} is not a plain path")
    rebuilt = protocol().ArtifactManifestEntry(
        path=entry.path,
        digest=entry.digest,
        size=entry.size,
        ref=entry.ref,
        skip_cache=True,  # else W&B's service copies it into the cache of the user
    )
    if entry.ref.startswith(_OTHER_VERSIONS):
        raise UnfitArtifactError(f"its file {quoted(entry.path)} belongs to another artifact")
    if not entry.ref:
        copy = files.get(_hex_digest(entry.digest) or "")
        if copy is None:
            raise UnfitArtifactError(f"its file {quoted(entry.path)} is not with the run, or has changed")
        rebuilt.local_path, rebuilt.size = str(copy), copy.stat().st_size
    return rebuilt


def _digest_of(entries: Any) -> str:
    """Return the digest of a version, by which a server knows content that it has already."""
    digest = hashlib.md5(_DIGEST_HEADER, usedforsecurity=False)
    for path, content in sorted((entry.path, entry.digest) for entry in entries):
        digest.update(f"{path}:{content}\n".encode())
    return digest.hexdigest()


def _files_of_record(artifact: Any) -> Iterator[ArtifactFile]:
    if artifact.manifest.manifest_file_path:
        yield ArtifactFile(
            artifact=artifact.name, name="its list of files", md5=None, path=artifact.manifest.manifest_file_path
        )
    for entry in artifact.manifest.contents:
        if not entry.ref:
            yield ArtifactFile(
                artifact=artifact.name, name=entry.path, md5=_hex_digest(entry.digest), path=entry.local_path
            )


def _hex_digest(digest: str) -> str | None:
    """Return an md5 in hex, or None where a text from a log is none in base64."""
    try:
        content = base64.b64decode(digest, validate=True)
    except ValueError:
        return None
    return content.hex() if len(content) == _MD5_SIZE else None
