"""Agents of sweeps: W&B's own in processes of their own, and single steps of what one does."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, TextIO

import wandb
from wandb.apis.public.sweeps import _agent_heartbeat, _register_agent

from tests.programs import Process, client_environ, running_python

PROJECT: Final = "p"
_SCRIPT: Final = """
import sys, wandb
from wandb.agents.pyagent import Agent
Agent.HEARTBEAT_SLEEP_SECONDS = 0.02
def objective():
    with wandb.init() as run:
        run.log({"loss": run.config["lr"] * run.config["net"]["width"]})
wandb.agent(sys.argv[1], objective, project=sys.argv[2], count=int(sys.argv[3]))
"""

Command = dict[str, Any]


def running_agent(sweep_id: str, count: int) -> AbstractContextManager[tuple[Process, TextIO]]:
    """Start a process that runs `count` trials with `wandb.agent`, and at the end of the block wait for its end."""
    words = ("-c", _SCRIPT, sweep_id, PROJECT, str(count))
    return running_python(*words, folder=Path.cwd(), environ=client_environ())


class OwnAgent:
    """Registers with W&B's client and asks for commands one by one."""

    def __init__(self, sweep_id: str) -> None:
        self._api = wandb.Api()
        self._id = _register_agent(self._api, "host", sweep_id=sweep_id, project=PROJECT)["id"]

    def ask(self, *running: str) -> list[Command]:
        """Say which runs it has, and return what it is told."""
        return _agent_heartbeat(self._api, self._id, {}, dict.fromkeys(running, True))

    def trials(self, count: int) -> list[dict[str, Any]]:
        """Return the parameters of trials that it is given, each as if the one before had ended."""
        commands = [command for _ in range(count) for command in self.ask()]
        return [
            {name: entry["value"] for name, entry in command["args"].items()}
            for command in commands
            if "args" in command
        ]
