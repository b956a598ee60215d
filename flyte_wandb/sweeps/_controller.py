"""W&B's controller of a sweep, asked by agents of this package's own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from flyte_wandb_hookspecs import quote_segment

from .._errors import SettingError, SweepError
from .._logging import one_line
from .._outcomes import TrialOutcome, TrialState
from .._place import Place
from ..links._pages import find_pages
from ..plans._inherited import SweepRef
from ..runs._flyte_identity import IDENTITY_KEY
from ..wandb_client._api import connect_api
from ..wandb_client._sweeps import (
    fail_pending_run,
    own_summary,
    read_run_summary,
    read_sweep_config,
    read_sweep_runs,
    register_agent,
    send_heartbeat,
)

if TYPE_CHECKING:
    import wandb

T = TypeVar("T")
_LOG: Final = logging.getLogger("flyte_wandb")


_STATES: Final[Mapping[str, TrialState]] = {"finished": "finished", "killed": "stopped"}
"""What became of a trial, by W&B's state of its run; any other one is a failure."""


@dataclass(frozen=True, kw_only=True)
class Controller:
    """W&B's controller of one sweep, which chooses parameters and says which trials are to end. Everything blocks.

    Attributes:
        api: W&B's API.
        sweep: The sweep.
        place: Where it lives.
    """

    api: wandb.Api
    sweep: SweepRef
    place: Place

    def register_agent(self, name: str) -> str:
        """Register an agent and return its id.

        Raises:
            SweepError: There is no such sweep, or W&B did not answer.
        """
        return self._ask_server(register_agent, name)

    def read_config(self) -> dict[str, Any]:
        """Return the configuration of the sweep.

        Raises:
            SweepError: There is no such sweep, or W&B did not answer.
        """
        return self._ask_server(read_sweep_config)

    def heartbeat(self, agent: str, *running: str) -> list[dict[str, Any]]:
        """Say which trials an agent is running, and return W&B's commands."""
        return send_heartbeat(self.api, agent, running)

    def read_summary(self, run_id: str) -> dict[str, Any]:
        """Return the summary of a trial's run; empty if it cannot be read."""
        try:
            return read_run_summary(self.api, self.place, run_id)
        except Exception as error:
            _LOG.warning("the summary of the trial %s could not be read: %s", run_id, error)
            return {}

    def read_trials_of(self, flyte_run: str) -> list[TrialOutcome]:
        """Return the trials that ended in a run of Flyte, as far as W&B knows them, in the order of their runs.

        Raises:
            SweepError: W&B did not answer.
        """
        parameters = self.read_config().get("parameters") or {}
        runs = [run for run in self._ask_server(read_sweep_runs) if run.ended]
        ours = [run for run in runs if (run.config.get(IDENTITY_KEY) or {}).get("run") == flyte_run]
        return [
            TrialOutcome(
                number=number,
                run_id=run.id,
                parameters={name: value for name, value in run.config.items() if name in parameters},
                state=_STATES.get(run.state, "failed"),
                summary=own_summary(run.summary),
                url=self.run_url(run.id),
            )
            for number, run in enumerate(ours)
        ]

    def fail_pending_run(self, run_id: str) -> None:
        """Mark the run of a trial failed in W&B, if the trial failed before it opened the run. Never raises."""
        try:
            fail_pending_run(self.api, self.place, self.sweep.sweep_id, run_id)
        except Exception as error:
            _LOG.warning("the trial %s could not be marked failed in W&B: %s", run_id, error)

    def run_url(self, run_id: str) -> str:
        """Return the page of a trial's run."""
        return f"{find_pages(self.place).project}/runs/{quote_segment(run_id)}"

    def _ask_server(self, ask: Callable[..., T], *arguments: Any) -> T:
        try:
            return ask(self.api, self.place, self.sweep.sweep_id, *arguments)
        except Exception as error:
            raise SweepError(_not_answered_message(self.sweep, error)) from error


def connect_controller(sweep: SweepRef) -> Controller:
    """Return the controller of a sweep. Blocks.

    Raises:
        SweepError: W&B does not answer.
    """
    where = sweep.place
    try:
        api = connect_api(where)
        place = Place(
            project=where.project or api.settings["project"],
            entity=where.entity or api.settings["entity"] or api.default_entity,
            host=where.host,
        )
    except Exception as error:
        raise SweepError(_not_answered_message(sweep, error)) from error
    return Controller(api=api, sweep=sweep, place=place)


def check_end(sweep_id: str, config: Mapping[str, Any]) -> None:
    """Check that a sweep ends by itself.

    Raises:
        SettingError: It does not.
    """
    if config.get("method") != "grid" and "run_cap" not in config:
        raise SettingError(
            f"run_sweep() without count= would never end: the sweep {sweep_id!r} of method {config.get('method')!r} "
            "has no run_cap; set one of the two"
        )


def is_deleted(error: Exception) -> bool:
    """Whether W&B does not know the sweep or agent, as after the sweep was deleted."""
    return getattr(getattr(error, "response", None), "http_status", None) == 404


def _not_answered_message(sweep: SweepRef, error: Exception) -> str:
    return f"a request to W&B failed for the sweep {sweep.sweep_id!r}: {type(error).__name__}: {one_line(error)}"
