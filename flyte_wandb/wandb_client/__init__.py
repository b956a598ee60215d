"""The one package that imports wandb, and the one place where its process-wide state is touched."""

from ._agent_room import room_for_agents
from ._api import connected, execute
from ._configuration import api_key, client_place, configured, effective_mode, end_client
from ._globals import global_names, point_globals, set_global_names
from ._log_file import LoggedRun, can_append, mend_log, read_log
from ._log_values import Entry, entries, wait_for_end
from ._reader import Access, Bounds, Reader, RemoteFile, RemoteRun
from ._run import add_config, close_run, mark_preempting, note_failure, open_run
from ._sweeps import beat, create_sweep, find_sweep, register_agent, run_summary, sweep_config, sweep_parameters
from ._sync import UploadError, own_wandb_dir, server_of, upload

__all__ = [
    "Access",
    "Bounds",
    "Entry",
    "LoggedRun",
    "Reader",
    "RemoteFile",
    "RemoteRun",
    "UploadError",
    "add_config",
    "api_key",
    "beat",
    "can_append",
    "client_place",
    "close_run",
    "configured",
    "connected",
    "create_sweep",
    "effective_mode",
    "end_client",
    "entries",
    "execute",
    "find_sweep",
    "global_names",
    "mark_preempting",
    "mend_log",
    "note_failure",
    "open_run",
    "own_wandb_dir",
    "point_globals",
    "read_log",
    "register_agent",
    "room_for_agents",
    "run_summary",
    "server_of",
    "set_global_names",
    "sweep_config",
    "sweep_parameters",
    "upload",
    "wait_for_end",
]
