"""The one package that imports wandb, and the one place where its process-wide state is touched."""

from ._agents import room_for_agents
from ._api import connected, execute
from ._globals import global_names, point_globals, set_global_names
from ._own import api_key, client_place, configured, effective_mode, end_client
from ._reading import Access, Bounds, Reader, RemoteFile, RemoteRun
from ._run import add_config, close_run, mark_preempting, note_failure, open_run
from ._sweeps import beat, create_sweep, find_sweep, register_agent, run_summary, sweep_config, sweep_parameters

__all__ = [
    "Access",
    "Bounds",
    "Reader",
    "RemoteFile",
    "RemoteRun",
    "add_config",
    "api_key",
    "beat",
    "client_place",
    "close_run",
    "configured",
    "connected",
    "create_sweep",
    "effective_mode",
    "end_client",
    "execute",
    "find_sweep",
    "global_names",
    "mark_preempting",
    "note_failure",
    "open_run",
    "point_globals",
    "register_agent",
    "room_for_agents",
    "run_summary",
    "set_global_names",
    "sweep_config",
    "sweep_parameters",
]
