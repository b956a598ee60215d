"""The links of a task as Flyte renders them, for `flyte.run`, for `flyte deploy` and in local mode.

Uses private names of Flyte: its serialisation of tasks, and the store of local runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import flyte.report
from flyte._internal.runtime.task_serde import translate_task_to_wire
from flyte._persistence import RunStore
from flyte.models import ActionID, RawDataPath, SerializationContext, TaskContext

from tests.checkout import ROOT

if TYPE_CHECKING:
    from flyte_wandb.testing import RunRecord

DEPLOYED = {"project": "{{.executionProject}}", "domain": "{{.executionDomain}}"}
SUBMITTED = {"project": "project", "domain": "development"}


def wire_links(task: Any, context: Mapping[str, str], **options: Any) -> dict[str, str]:
    """Return the address of each link, by name, as it goes to the control plane; see `log_links`."""
    links = log_links(task, context, **options)
    assert all(link.icon_uri for link in links)
    return {link.name: link.uri for link in links}


def log_links(
    task: Any,
    context: Mapping[str, str],
    *,
    run_name: str | None = "{{.runName}}",
    names: Mapping[str, str] | None = None,
) -> list[Any]:
    """Return the links as they go to the control plane.

    Args:
        task: The task.
        context: Flyte's custom context.
        run_name: Name of the Flyte run, unknown for a root action.
        names: Project and domain, those of a submission where not given.
    """
    action = ActionID(name="{{.actionName}}", run_name=run_name, org="org", **(names or SUBMITTED))
    task_context = TaskContext(
        action=action,
        output_path="",
        version="v1",
        raw_data_path=RawDataPath(path=""),
        run_base_dir="",
        report=flyte.report.Report(name=action.name),
        custom_context=dict(context),
    )
    serialization = SerializationContext(version="v1", root_dir=ROOT, project="project", domain="d", org="org")
    spec: Any = translate_task_to_wire(task, serialization, task_context=task_context)
    return list(spec.task_template.metadata.log_links)


def stored_links(run_name: str) -> dict[str, str]:
    """Return the address of each link of the only task of a local run, by name. The run has a row of its own."""
    (links,) = [action.log_links for action in RunStore.list_actions_for_run_sync(run_name) if action.log_links]
    return dict(json.loads(links))


def filled(links: Mapping[str, str], *, action_name: str = "a0") -> dict[str, str]:
    """Fill in the names as the control plane does."""
    names = {"runName": "run1", "actionName": action_name, "executionProject": "project"}
    return {link: _filled(address, {**names, "executionDomain": "development"}) for link, address in links.items()}


def _filled(address: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        address = address.replace("{{." + name + "}}", value)
    return address


def pages(runs: Iterable[RunRecord]) -> set[str]:
    """Return the pages of what was really opened: of each group, and of each run that has none."""
    return {_group_page(run) if run.group else run.url for run in runs}


def _group_page(run: RunRecord) -> str:
    return f"{run.url.rpartition('/runs/')[0]}/groups/{run.group}/workspace"
