"""What callers of the W&B double see: frozen snapshots of runs, of their writers, and of sweeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

T = TypeVar("T")

State = Literal["pending", "running", "preempting", "finished", "failed", "preempted", "killed", "crashed"]
"""State of a run: "pending" until a writer opens it, such as the run of a trial that an agent has.

A run is "crashed" if its writers are silent for 5 minutes, and "killed" if a user or a controller stops it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A message that a run has sent to people (`run.alert`).

    Attributes:
        title: What it is about.
        text: What it says.
        level: "INFO", "WARN" or "ERROR".
    """

    title: str
    text: str
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """One process that opened a run. A process that opens a run twice counts twice.

    Attributes:
        client_id: The id that the client draws for itself in shared mode; None for a plain writer.
        shared: Whether it uses shared mode.
        label: Its `x_label`, or None. The client sends it only with console lines and system metrics of shared mode,
            so it stays None as long as the writer prints nothing and has sent no system metrics.
        rows: How many rows of history it sent.
        completed: Whether it told the run's end, which is up to the writers with `x_update_finish_state`.
    """

    client_id: str | None
    shared: bool
    label: str | None
    rows: int
    completed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run as the server knows it at one moment. Later requests change the server, never a record.

    Attributes:
        id: The run's id, unique in its project.
        entity: User or team that owns the project.
        project: The project.
        display_name: Name on the pages; the id where the client gave none.
        group: Group of runs, or None.
        sweep: Id of the sweep that it belongs to, or None.
        job_type: What kind of job it is, or None.
        tags: Tags in the order given.
        notes: Free text, or None.
        commit: Commit of the git checkout that the last writer was started in, or None.
        repo: Address of that checkout's remote, or None.
        program: The last writer's main program as W&B's client names it, or None.
        host: Name of the last writer's machine, or None.
        state: Whether it still runs, and how it ended.
        preempting: Whether a writer announced that its machine is being taken away (`run.mark_preempting()`).
        exit_code: Exit code that the run was completed with, or None.
        config: Values without W&B's own `_wandb`: of the last plain writer, or of all shared ones.
        summary: Values without W&B's own keys, which start with an underscore.
        history: Rows by step; each has the logged values and `_step`, the step from 0.
        writers: Processes that opened it, in order.
        resumed: How often it was opened again as a continuation.
        restarted: How often a plain writer opened it again without resuming it. Its rows then overwrite the older ones.
        overwritten: How many rows were lost because another one came with their step.
        alerts: Messages to people, in order.
        console: What the writers printed, one writer after the other, without W&B's times and levels.
        files: Contents of the uploaded files by name, each read when it is asked for.
        file_sizes: Bytes of these files by name.
        url: Address of its page.
    """

    id: str
    entity: str
    project: str
    display_name: str
    group: str | None
    sweep: str | None
    job_type: str | None
    tags: tuple[str, ...]
    notes: str | None
    commit: str | None
    repo: str | None
    program: str | None
    host: str | None
    state: State
    preempting: bool
    exit_code: int | None
    config: dict[str, Any]
    summary: dict[str, Any]
    history: tuple[dict[str, Any], ...]
    writers: tuple[Writer, ...]
    resumed: int
    restarted: int
    overwritten: int
    alerts: tuple[Alert, ...]
    console: str
    files: Mapping[str, bytes]
    file_sizes: Mapping[str, int]
    url: str

    def logged(self, key: str) -> list[Any]:
        """Return every value that was logged under `key`, in the order of the rows."""
        return [row[key] for row in self.history if key in row]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRecord:
    """One sweep as the server knows it at one moment.

    Attributes:
        id: The sweep's id, unique on the server.
        entity: User or team that owns the project.
        project: The project.
        display_name: Name on the pages; the id where the client gave none.
        config: What is searched, and how.
        state: "PENDING" until an agent gets a trial, then "RUNNING", "PAUSED", "FINISHED" or "CANCELED".
        prior_runs: Ids of the older runs that the sweep was created with.
        run_ids: Ids of its runs in the order in which agents got them, or in which they were opened.
        agents: How many agents have worked for it.
        url: Address of its page.
    """

    id: str
    entity: str
    project: str
    display_name: str
    config: dict[str, Any]
    state: str
    prior_runs: tuple[str, ...]
    run_ids: tuple[str, ...]
    agents: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRecord:
    """One version of an artifact as the server knows it at one moment.

    Attributes:
        entity: User or team that owns the project.
        project: The project.
        name: Name of the collection.
        type: What kind of artifact it is, such as "model".
        version: Its number from 0, or None as long as it is not committed.
        aliases: Its aliases in its own collection.
        linked: Paths of the collections that it is linked to.
        state: "PENDING", "COMMITTED" or "DELETED".
        digest: Digest of its manifest.
        description: Free text, or None.
        metadata: Values by name.
        files: Contents by name, each read when it is asked for.
        file_sizes: Bytes of these files by name.
        references: Addresses of the entries that are kept elsewhere, by name.
        logged_by: Id of the run that logged it, or None.
        used_by: Ids of the runs that have used it.
    """

    entity: str
    project: str
    name: str
    type: str
    version: int | None
    aliases: tuple[str, ...]
    linked: tuple[str, ...]
    state: str
    digest: str
    description: str | None
    metadata: dict[str, Any]
    files: Mapping[str, bytes]
    file_sizes: Mapping[str, int]
    references: dict[str, str]
    logged_by: str | None
    used_by: tuple[str, ...]


def snapshot(kind: type[T], source: object, **own: Any) -> T:
    """Return a record: its fields are those of `source`, except for those in `own`."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: own[name] if name in own else getattr(source, name) for name in names})
